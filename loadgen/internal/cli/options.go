package cli

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"c10k/loadgen/internal/address"
	"c10k/loadgen/internal/contracts"
	"c10k/loadgen/internal/engine"
)

// Options are what a command line says, with the defaults filled in; --json gives all that shape the load.
type options struct {
	Targets []netip.AddrPort `json:"targets"`
	Sources []netip.Addr     `json:"sources"`
	contracts.Load
	CPUs      []int  `json:"cpus"`
	RunNumber uint32 `json:"run_number"` // tells this run's records from those of any other

	engine    string
	processes int // 0: as many as needed
	hlog      string
	json      bool
	dryRun    bool
	quiet     bool

	sources    []string        // as they were given
	parameters map[string]any  // by name, as JSON has them
	given      map[string]bool // by the name of the option
}

func newOptions() *options {
	return &options{Sources: []netip.Addr{}, engine: engine.Epoll, RunNumber: anyNumber(), parameters: map[string]any{}, given: map[string]bool{}}
}

func anyNumber() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // it never fails
	return binary.NativeEndian.Uint32(b[:])
}

// An option is one flag: how it is called, what it means, for which workloads, and how its value is read.
type option struct {
	name     string
	also     string // another name, or none
	value    string // what stands for it in the help; empty: it takes none
	standard string // the default, or what stands for it in the help
	meaning  string
	fits     []string // workloads; nil: all
	read     func(text string) error
}

// A group is options that belong together in the help.
type group struct {
	title   string
	options []option
}

func (o *options) groups(resolve resolver) []group {
	holds := workloads(func(w contracts.Workload) bool { return w.Holds })
	paced := workloads(func(w contracts.Workload) bool { return w.Paced })
	verifies := workloads(func(w contracts.Workload) bool { return w.Verifies })
	return []group{
		{"Where", []option{
			{"target", "", "HOST:PORT", "needed", "the server; again, or with commas, for several ports", nil, each(func(part string) error {
				target, err := parseTarget(part, resolve)
				o.Targets = append(o.Targets, target)
				return err
			})},
			{"source", "", "ADDRESS", "the kernel's", "source addresses or networks (198.19.1.0/28); about 28,000 connections each", nil, each(func(part string) (err error) {
				o.sources = append(o.sources, part)
				o.Sources, err = address.Sources(o.sources)
				return err
			})},
		}},
		{"Load", []option{
			o.parameter("workload", "w", "NAME", "", nil),
			o.parameter("connections", "c", "N", "100", nil),
			o.parameter("active", "", "N", "", holds),
			o.parameter("rate", "r", "N", "1k", paced),
			o.parameter("duration", "d", "TIME", "", nil),
			o.parameter("warmup", "", "TIME", "", verifies),
			o.parameter("requests", "", "N", "", nil),
			o.parameter("arrival", "", "LAW", "", paced),
			o.parameter("payload-bytes", "payload", "BYTES", "", nil),
			o.parameter("pipeline", "", "N", "", holds),
			o.parameter("think-time", "", "TIME", "", nil),
			o.parameter("steps", "", "N", "", nil),
			o.parameter("hostile", "", "KIND:N", "none", verifies),
		}},
		{"Patience", []option{
			o.parameter("connect-rate", "", "N", "", nil),
			o.parameter("timeout", "", "TIME", "", nil),
			o.parameter("arm-timeout", "", "TIME", "", nil),
		}},
		{"Generator", []option{
			{"engine", "", "NAME", engine.Epoll, "epoll, or goroutine: one for each connection", nil, func(text string) error {
				o.engine = text
				return known(text, engine.Kinds)
			}},
			{"processes", "", "N", "as needed", "over how many processes the connections are spread", nil, func(text string) error {
				n, err := parseWhole(text, 1, 1024)
				o.processes = int(n)
				return err
			}},
			{"cpus", "", "LIST", "all", "processors it may run on, such as 0-3,6", nil, func(text string) (err error) {
				o.CPUs, err = parseCPUs(text)
				return err
			}},
			o.parameter("seed", "", "N", "random", nil),
		}},
		{"Output", []option{
			{"json", "", "", "", "one JSON object on stdout instead of the report", nil, on(&o.json)},
			{"hlog", "", "FILE", "–", "an HdrHistogram log of every interval, nanoseconds", verifies, func(text string) error { o.hlog = text; return nil }},
			{"dry-run", "", "", "", "print the plan and the budget, and open no socket", nil, on(&o.dryRun)},
			{"quiet", "q", "", "", "no live line", nil, on(&o.quiet)},
		}},
	}
}

// parameter is the option of the parameter of the same name, with a default of its own or "", for fits or the workloads of its row.
func (o *options) parameter(name, also, value, standard string, fits []string) option {
	p := contracts.Named(strings.ReplaceAll(name, "-", "_"))
	if name == "workload" {
		p.Words = workloads(nil)
	}
	if fits == nil {
		fits = p.Workloads
	}
	read := func(text string) (err error) {
		o.parameters[p.Name], err = parse(p, text)
		return err
	}
	switch {
	case p.Default == nil && standard == "":
		standard = "–"
	case p.Default != nil:
		if standard == "" {
			standard = fmt.Sprint(p.Default)
		}
		_ = read(standard) // a test reads them all
	}
	if value == "TIME" {
		standard += "s"
	}
	return option{name, also, value, standard, strings.ReplaceAll(p.Meaning, "`", ""), fits, read}
}

// workloads are those that have a trait, or all, but for the searches, which are a conductor's.
func workloads(trait func(contracts.Workload) bool) []string {
	all := append(slices.Clone(contracts.Named("workload").Words), engine.Calibrate)
	return slices.DeleteFunc(all, func(name string) bool {
		workload := contracts.Workloads()[name]
		return workload.Searches != "" || trait != nil && !trait(workload)
	})
}

// each does something with every part of a comma list.
func each(do func(string) error) func(string) error {
	return func(text string) error {
		for part := range strings.SplitSeq(text, ",") {
			if err := do(strings.TrimSpace(part)); err != nil {
				return err
			}
		}
		return nil
	}
}

func on(field *bool) func(string) error {
	return func(text string) error {
		if *field = true; text != "true" {
			return errors.New("it takes no value")
		}
		return nil
	}
}

// known refuses a name that is none of the known ones.
func known(text string, names []string) error {
	if slices.Contains(names, text) {
		return nil
	}
	return fmt.Errorf("there is no %q%s: %s", text, nearest(text, names), strings.Join(names, ", "))
}

// parse reads the value of a parameter as its row has it, into what JSON has for it.
func parse(p contracts.Parameter, text string) (any, error) {
	switch {
	case p.Kind == "choice":
		return text, known(text, p.Words)
	case p.Kind == "hostile" && text == "none", p.Kind != "hostile" && slices.Contains(p.Words, text):
		return nil, nil
	case p.Kind == "hostile":
		return parseHostile(p, text)
	case p.Kind == "seconds", p.Unit == "whole seconds":
		d, err := parseDuration(text, duration(p.Low), duration(p.High))
		if err == nil && p.Kind == "whole" && d%time.Second != 0 {
			err = fmt.Errorf("%s is not a whole number of seconds", text)
		}
		return d.Seconds(), err
	}
	return parseWhole(text, int64(p.Low), int64(p.High))
}

// parseHostile reads kind:connections.
func parseHostile(p contracts.Parameter, text string) (*contracts.Hostile, error) {
	kind, number, _ := strings.Cut(text, ":")
	if !slices.Contains(p.Words, kind) {
		return nil, fmt.Errorf("there are no hostile clients %q%s: %s", kind, nearest(kind, p.Words), strings.Join(p.Words, ", "))
	}
	if _, err := parseWhole(number, 0, math.MaxInt64); err != nil {
		return nil, fmt.Errorf("%q needs a number of connections behind it, such as %s:100", text, kind)
	}
	n, err := parseWhole(number, int64(p.Low), int64(p.High))
	return &contracts.Hostile{Kind: kind, Connections: int(n)}, err
}
