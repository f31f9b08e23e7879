package cli

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"c10k/loadgen/internal/address"
	"c10k/loadgen/internal/contracts"
	"c10k/loadgen/internal/engine"
)

// Options are what a command line says, with the defaults filled in.
type options struct {
	contracts.Load
	targets     []netip.AddrPort
	sources     []netip.Addr
	sourceTexts []string // as they were given
	engine      string
	processes   int // 0: as many as needed
	cpus        []int
	hlog        string
	json        bool
	dryRun      bool
	quiet       bool

	given map[string]bool // by the first of an option's names
}

// An option is one flag: how it is called, what it means, for which workloads, and how its value is read.
type option struct {
	names    []string
	value    string // what stands for it in the help; empty: it takes none
	standard string // the default, or what stands for it in the help
	meaning  string
	fits     []string // workloads; nil: all
	read     func(text string) error
	reads    bool // also the default
}

// A group is options that belong together in the help.
type group struct {
	title   string
	options []option
}

func (o *options) groups(resolve resolver) []group {
	return []group{
		{"Where", []option{
			own("target", "HOST:PORT", "needed", "the server; again, or with commas, for several ports", each(func(part string) error {
				target, err := parseTarget(part, resolve)
				o.targets = append(o.targets, target)
				return err
			})),
			own("source", "ADDRESS", "the kernel's", "source addresses or networks (198.19.1.0/28); about 28,000 connections each", each(func(part string) (err error) {
				o.sourceTexts = append(o.sourceTexts, part)
				o.sources, err = address.Sources(o.sourceTexts)
				return err
			})),
		}},
		{"Load", []option{
			parameter("workload w", "NAME", one(&o.Workload, workloads(nil))),
			parameter("connections c", "N", number(&o.Connections)).or("100"),
			parameter("active", "N", number(&o.Active)).only(holds),
			parameter("rate r", "N", number(&o.Rate)).or("1k").only(paced),
			parameter("duration d", "TIME", wholeSeconds(&o.Duration)),
			parameter("warmup", "TIME", wholeSeconds(&o.Warmup)).only(verifies),
			parameter("requests", "N", optional(&o.Requests)),
			parameter("arrival", "LAW", one(&o.Arrival, nil)).only(paced),
			parameter("payload-bytes payload", "BYTES", number(&o.PayloadBytes)),
			parameter("pipeline", "N", number(&o.Pipeline)).only(holds),
			parameter("think-time", "TIME", seconds(&o.ThinkTime)),
			parameter("steps", "N", number(&o.Steps)),
			parameter("hostile", "KIND:N", clients(&o.Hostile)).or("none").only(verifies),
		}},
		{"Patience", []option{
			parameter("connect-rate", "N", optional(&o.ConnectRate)),
			parameter("timeout", "TIME", seconds(&o.Timeout)),
			parameter("arm-timeout", "TIME", seconds(&o.ArmTimeout)),
		}},
		{"Generator", []option{
			own("engine", "NAME", "", "epoll, or goroutine: one for each connection", name(&o.engine, engine.Kinds)).or(engine.Epoll),
			own("processes", "N", "as needed", "over how many processes the connections are spread", between(1, 1024, &o.processes)),
			own("cpus", "LIST", "all", "processors it may run on, such as 0-3,6", func(text string) (err error) {
				o.cpus, err = parseCPUs(text)
				return err
			}),
			parameter("seed", "N", number(&o.Seed)).shown("random"),
		}},
		{"Output", []option{
			own("json", "", "", "one JSON object on stdout instead of the report", on(&o.json)),
			own("hlog", "FILE", "–", "an HdrHistogram log of every interval, nanoseconds", func(text string) error { o.hlog = text; return nil }).only(verifies),
			own("dry-run", "", "", "print the plan and the budget, and open no socket", on(&o.dryRun)),
			own("quiet q", "", "", "no live line", on(&o.quiet)),
		}},
	}
}

// A reader reads a value of a parameter, whose row says what values there are.
type reader func(p contracts.Parameter, text string) error

// own is an option that is no parameter of the benchmark.
func own(names, value, standard, meaning string, read func(string) error) option {
	return option{names: strings.Fields(names), value: value, standard: standard, meaning: meaning, read: read}
}

// parameter is the option of the parameter that its first name names.
func parameter(names, value string, read reader) option {
	opt := own(names, value, "–", "", nil)
	p := contracts.Named(strings.ReplaceAll(opt.names[0], "-", "_"))
	opt.meaning, opt.fits = strings.ReplaceAll(p.Meaning, "`", ""), p.Workloads
	opt.read = func(text string) error { return read(p, text) }
	if p.Default == nil {
		return opt
	}
	if opt = opt.or(fmt.Sprint(p.Default)); value == "TIME" {
		opt.standard += "s"
	}
	return opt
}

// or gives the option a default of its own.
func (opt option) or(standard string) option {
	opt.standard, opt.reads = standard, true
	return opt
}

// shown gives the option a word for its default in the help.
func (opt option) shown(word string) option {
	opt.standard = word
	return opt
}

// only keeps the option for the workloads that have a trait.
func (opt option) only(trait func(contracts.Workload) bool) option {
	opt.fits = workloads(trait)
	return opt
}

func holds(w contracts.Workload) bool    { return w.Holds }
func paced(w contracts.Workload) bool    { return w.Paced }
func verifies(w contracts.Workload) bool { return w.Verifies }

// workloads are those that have a trait, or all, but for the capacity, which is a conductor's search.
func workloads(trait func(contracts.Workload) bool) []string {
	all := append(slices.Clone(contracts.Named("workload").Words), engine.Calibrate)
	return slices.DeleteFunc(all, func(name string) bool {
		return name == engine.Capacity || trait != nil && !trait(contracts.Workloads()[name])
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

type numeric interface {
	~int | ~int64 | ~uint64 | ~float64
}

// number reads a number, or 0 for one of the parameter's words.
func number[T numeric](field *T) reader {
	return func(p contracts.Parameter, text string) error {
		if slices.Contains(p.Words, text) {
			*field = 0
			return nil
		}
		return between(int64(p.Low), int64(p.High), field)(text)
	}
}

// optional reads a number, or nil for one of the parameter's words.
func optional[T numeric](field **T) reader {
	return func(p contracts.Parameter, text string) (err error) {
		var value T
		if *field = nil; !slices.Contains(p.Words, text) {
			if err = number(&value)(p, text); err == nil {
				*field = &value
			}
		}
		return err
	}
}

func between[T numeric](low, high int64, field *T) func(string) error {
	return func(text string) error {
		n, err := parseWhole(text, low, high)
		*field = T(n)
		return err
	}
}

func wholeSeconds(field *int) reader {
	return func(p contracts.Parameter, text string) (err error) {
		*field, err = parseSeconds(text, int(p.Low), int(p.High))
		return err
	}
}

func seconds(field *float64) reader {
	return func(p contracts.Parameter, text string) error {
		d, err := parseDuration(text, duration(p.Low), duration(p.High))
		*field = d.Seconds()
		return err
	}
}

// one reads a name: of those known, or of the parameter's words.
func one(field *string, known []string) reader {
	return func(p contracts.Parameter, text string) error {
		if known == nil {
			return name(field, p.Words)(text)
		}
		return name(field, known)(text)
	}
}

func name(field *string, known []string) func(string) error {
	return func(text string) error {
		if *field = text; !slices.Contains(known, text) {
			return fmt.Errorf("there is no %q%s: %s", text, nearest(text, known), strings.Join(known, ", "))
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

// clients reads kind:connections, or none.
func clients(field **contracts.Hostile) reader {
	return func(p contracts.Parameter, text string) error {
		*field = nil
		if text == "none" {
			return nil
		}
		kind, many, _ := strings.Cut(text, ":")
		if !slices.Contains(p.Words, kind) {
			return fmt.Errorf("there are no hostile clients %q%s: %s", kind, nearest(kind, p.Words), strings.Join(p.Words, ", "))
		}
		if _, err := parseWhole(many, 0, math.MaxInt64); err != nil {
			return fmt.Errorf("%q needs a number of connections behind it, such as %s:100", text, kind)
		}
		n, err := parseWhole(many, int64(p.Low), int64(p.High))
		*field = &contracts.Hostile{Kind: kind, Connections: int(n)}
		return err
	}
}
