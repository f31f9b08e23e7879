package cli

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"c10k/loadgen/internal/address"
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// Options are what a command line says, with the defaults filled in.
type options struct {
	targets     []netip.AddrPort
	sources     []netip.Addr
	sourceTexts []string // as they were given
	workload    string
	connections int
	active      int // -1: all
	rate        float64
	duration    int // s
	warmup      int // s
	arrival     string
	payload     int
	pipeline    int
	thinkTime   time.Duration
	requests    int64 // -1: until duration is over
	steps       int
	connectRate float64 // 0: a burst
	timeout     time.Duration
	armTimeout  time.Duration
	crowd       crowd
	engine      string
	processes   int // 0: as many as needed
	cpus        []int
	seed        uint64
	hlog        string
	json        bool
	dryRun      bool
	quiet       bool

	given map[string]bool // by the first of an option's names
}

func defaults() *options {
	return &options{
		workload: engine.Open, connections: 100, active: -1, rate: 1000, duration: 10, warmup: 2, arrival: "poisson", payload: 64, pipeline: 1,
		requests: -1, steps: 10, connectRate: 5000, timeout: 5 * time.Second, armTimeout: 30 * time.Second, engine: engine.Epoll,
		given: map[string]bool{},
	}
}

// An option is one flag: how it is called, what it means, for which workloads, and how its value is read.
type option struct {
	names    []string
	value    string // what stands for it in the help; empty: it takes none
	standard string // the default, for people
	meaning  string
	fits     []string // workloads; nil: all
	set      func(o *options, text string) error
}

// A group is options that belong together in the help.
type group struct {
	title   string
	options []option
}

var (
	workloads = []string{engine.Open, engine.Closed, engine.Churn, engine.Ramp, engine.Calibrate}
	paced     = []string{engine.Open, engine.Ramp}
	held      = []string{engine.Open, engine.Closed, engine.Ramp}
	measured  = []string{engine.Open, engine.Closed, engine.Churn, engine.Ramp}
)

func groups(resolve resolver) []group {
	return []group{
		{"Where", []option{
			{[]string{"target"}, "HOST:PORT", "needed", "the server; again, or with commas, for several ports", nil, func(o *options, text string) error {
				return each(text, func(part string) error {
					target, err := parseTarget(part, resolve)
					o.targets = append(o.targets, target)
					return err
				})
			}},
			{[]string{"source"}, "ADDRESS", "the kernel's", "source addresses or networks (198.19.1.0/28); about 28,000 connections each", nil, func(o *options, text string) error {
				return each(text, func(part string) error {
					o.sourceTexts = append(o.sourceTexts, part)
					var err error
					o.sources, err = address.Sources(o.sourceTexts)
					return err
				})
			}},
		}},
		{"Load", []option{
			{[]string{"workload", "w"}, "NAME", "open", "open, closed, churn, ramp or calibrate (see above)", nil, name(workloads, func(o *options) *string { return &o.workload })},
			{[]string{"connections", "c"}, "N", "100", "connections held; for churn requests in flight", nil, whole(1, 1e7, func(o *options, n int64) { o.connections = int(n) })},
			{[]string{"active"}, "N", "all", "how many of them carry requests; the rest are held idle", held, whole(1, 1e7, func(o *options, n int64) { o.active = int(n) })},
			{[]string{"rate", "r"}, "N", "1k", "requests/s, in total", paced, func(o *options, text string) (err error) {
				if o.rate, err = parseNumber(text); err == nil && (o.rate < 0.001 || o.rate > 1e8) {
					err = fmt.Errorf("%s is not between 0.001 and 100,000,000", text)
				}
				return err
			}},
			{[]string{"duration", "d"}, "TIME", "10s", "of the window that is measured; 1s to calibrate", nil, wholeSeconds(1, 86400, func(o *options) *int { return &o.duration })},
			{[]string{"warmup"}, "TIME", "2s", "load before the window, reported apart", measured, wholeSeconds(0, 3600, func(o *options) *int { return &o.warmup })},
			{[]string{"requests"}, "N", "–", "end after this many instead of after --duration; no warm-up", []string{engine.Churn}, whole(1, 1e9, func(o *options, n int64) { o.requests = n })},
			{[]string{"arrival"}, "LAW", "poisson", "of the gaps between requests: poisson, fixed or uniform", paced, name(pacing.Laws, func(o *options) *string { return &o.arrival })},
			{[]string{"payload"}, "BYTES", "64", "size of one record, 32 to 1Mi", nil, whole(wire.HeaderBytes, wire.MaxBytes, func(o *options, n int64) { o.payload = int(n) })},
			{[]string{"pipeline"}, "N", "1", "requests outstanding on one connection, 1 to 64", held, whole(1, 64, func(o *options, n int64) { o.pipeline = int(n) })},
			{[]string{"think-time"}, "TIME", "0s", "between a reply and the next request of that connection", []string{engine.Closed}, duration(0, time.Hour, func(o *options) *time.Duration { return &o.thinkTime })},
			{[]string{"steps"}, "N", "10", "in how many equal steps the connections are opened", []string{engine.Ramp}, whole(1, 1000, func(o *options, n int64) { o.steps = int(n) })},
			{[]string{"hostile"}, "KIND:N", "none", "hostile clients beside the load: slow_read, byte_writer, half_close, reset, storm, mute", measured, func(o *options, text string) (err error) {
				o.crowd, err = parseHostile(text)
				return err
			}},
		}},
		{"Patience", []option{
			{[]string{"connect-rate"}, "N", "5k", "connections opened a second, or burst for all at once", nil, func(o *options, text string) (err error) {
				if text == "burst" {
					o.connectRate = 0
					return nil
				}
				if o.connectRate, err = parseNumber(text); err == nil && (o.connectRate < 1 || o.connectRate > 1e6) {
					err = fmt.Errorf("%s is not between 1 and 1,000,000, nor burst", text)
				}
				return err
			}},
			{[]string{"timeout"}, "TIME", "5s", "of a request, from when it was due; 100ms to 60s", nil, duration(100*time.Millisecond, time.Minute, func(o *options) *time.Duration { return &o.timeout })},
			{[]string{"arm-timeout"}, "TIME", "30s", "for connecting and verifying every connection", nil, duration(time.Second, time.Hour, func(o *options) *time.Duration { return &o.armTimeout })},
		}},
		{"Generator", []option{
			{[]string{"engine"}, "NAME", engine.Epoll, "epoll, or goroutine: one for each connection", nil, name(engine.Kinds, func(o *options) *string { return &o.engine })},
			{[]string{"processes"}, "N", "as needed", "over how many processes the connections are spread", nil, whole(1, 1024, func(o *options, n int64) { o.processes = int(n) })},
			{[]string{"cpus"}, "LIST", "all", "processors it may run on, such as 0-3,6", nil, func(o *options, text string) (err error) {
				o.cpus, err = parseCPUs(text)
				return err
			}},
			{[]string{"seed"}, "N", "random", "of arrivals and filler: the same seed asks at the same times", nil, whole(0, math.MaxUint32, func(o *options, n int64) { o.seed = uint64(n) })},
		}},
		{"Output", []option{
			{[]string{"json"}, "", "", "one JSON object on stdout instead of the report", nil, flagged(func(o *options) *bool { return &o.json })},
			{[]string{"hlog"}, "FILE", "–", "an HdrHistogram log of every interval, nanoseconds", measured, func(o *options, text string) error {
				o.hlog = text
				return nil
			}},
			{[]string{"dry-run"}, "", "", "print the plan and the budget, and open no socket", nil, flagged(func(o *options) *bool { return &o.dryRun })},
			{[]string{"quiet", "q"}, "", "", "no live line", nil, flagged(func(o *options) *bool { return &o.quiet })},
		}},
	}
}

// each does something with every part of a comma list.
func each(text string, do func(string) error) error {
	for part := range strings.SplitSeq(text, ",") {
		if err := do(strings.TrimSpace(part)); err != nil {
			return err
		}
	}
	return nil
}

func whole(low, high int64, set func(*options, int64)) func(*options, string) error {
	return func(o *options, text string) error {
		n, err := parseWhole(text, low, high)
		if err == nil {
			set(o, n)
		}
		return err
	}
}

func wholeSeconds(low, high int, field func(*options) *int) func(*options, string) error {
	return func(o *options, text string) (err error) {
		*field(o), err = parseSeconds(text, low, high)
		return err
	}
}

func duration(low, high time.Duration, field func(*options) *time.Duration) func(*options, string) error {
	return func(o *options, text string) (err error) {
		*field(o), err = parseDuration(text, low, high)
		return err
	}
}

func name(known []string, field func(*options) *string) func(*options, string) error {
	return func(o *options, text string) error {
		if !slices.Contains(known, text) {
			return fmt.Errorf("there is no %q%s: %s", text, nearest(text, known), strings.Join(known, ", "))
		}
		*field(o) = text
		return nil
	}
}

func flagged(field func(*options) *bool) func(*options, string) error {
	return func(o *options, text string) error {
		*field(o) = true
		if text != "true" {
			return fmt.Errorf("it takes no value")
		}
		return nil
	}
}
