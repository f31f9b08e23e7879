package cli

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"c10k/loadgen/internal/contracts"
	"c10k/loadgen/internal/engine"
)

func badUsage(format string, a ...any) error { return fmt.Errorf(format, a...) }

// parseArgs reads the words behind `loadgen run`. flag.ErrHelp means that the user asked for help.
func parseArgs(args []string, resolve resolver) (*options, error) {
	o := newOptions()
	var all []option
	for _, g := range o.groups(resolve) {
		all = append(all, g.options...)
	}
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	var names []string
	// The package flag tells of an error only in its own words, so the first one is kept here.
	var first error
	for _, opt := range all {
		set := func(text string) error {
			o.given[opt.name] = true
			if err := opt.read(text); err != nil && first == nil {
				first = badUsage("%s: %s.", dashed(opt.name), err)
			}
			return nil
		}
		for _, name := range []string{opt.name, opt.also} {
			if name == "" {
				continue
			}
			names = append(names, dashed(name))
			if opt.value == "" {
				flags.BoolFunc(name, opt.meaning, set)
			} else {
				flags.Func(name, opt.meaning, set)
			}
		}
	}
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return nil, err
	case first != nil: // it stands before whatever stopped the parsing
		return nil, first
	case err != nil:
		return nil, unparsed(err, names)
	case flags.NArg() > 0:
		return nil, badUsage("What is %q? Every value follows its flag, such as --target 127.0.0.1:9000 -c 10k.", flags.Arg(0))
	}
	return o, o.check(all)
}

// unparsed says in other words what the package flag could not parse.
func unparsed(err error, names []string) error {
	if unknown, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		return badUsage("There is no flag %s%s. Say `loadgen help run` for those that there are.", dashed(unknown), nearest(dashed(unknown), names))
	}
	if bare, ok := strings.CutPrefix(err.Error(), "flag needs an argument: -"); ok {
		return badUsage("%s needs a value behind it.", dashed(bare))
	}
	return badUsage("%s.", err)
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// check refuses what contradicts itself and fills in what depends on something else.
func (o *options) check(all []option) error {
	if text, err := json.Marshal(o.parameters); err != nil || json.Unmarshal(text, &o.Load) != nil {
		return fmt.Errorf("%v is no load: %w", o.parameters, err)
	}
	for _, opt := range all {
		if o.given[opt.name] && opt.fits != nil && !slices.Contains(opt.fits, o.Workload) {
			return badUsage("--%s has no meaning for the workload %s, only for %s. Leave it out, or choose with --workload.", opt.name, o.Workload,
				strings.Join(opt.fits, ", "))
		}
	}
	if o.Requests != nil {
		if o.given["duration"] || o.Warmup > 0 && o.given["warmup"] {
			return badUsage("--requests ends the run by itself and has no warm-up. Give either it or --duration and --warmup.")
		}
		o.Warmup = 0
	}
	if !o.Traits().Verifies {
		o.Warmup = 0
		if !o.given["duration"] {
			o.Duration = 1
		}
	}
	if o.Active == 0 {
		o.Active = o.Connections
	}
	if !o.given["seed"] {
		o.Seed = uint64(anyNumber())
	}
	for name, g := range contracts.Generators() {
		if g.Engine == o.engine {
			o.Generator = name
		}
	}
	switch {
	case len(o.Targets) == 0:
		return badUsage("Whom to load? Say --target HOST:PORT, such as --target 127.0.0.1:9000.")
	case o.Active > o.Connections:
		return badUsage("--active %s is more than --connections %s.", grouped(int64(o.Active)), grouped(int64(o.Connections)))
	case o.Steps > o.Connections && o.Workload == engine.Ramp:
		return badUsage("--steps %d is more than --connections %d: a step opens at least one.", o.Steps, o.Connections)
	case o.processes > o.Connections:
		return badUsage("--processes %d is more than --connections %d: each holds at least one.", o.processes, o.Connections)
	}
	return o.checkSources()
}

// checkSources refuses sources from which no packet goes to the targets.
func (o *options) checkSources() error {
	for _, source := range o.Sources {
		for _, target := range o.Targets {
			switch {
			case source.Is4() != target.Addr().Is4():
				return badUsage("From the source %s no packet goes to %s: one is IPv4, the other IPv6.", source, target)
			case source.IsLoopback() && !target.Addr().IsLoopback():
				return badUsage("From the source %s no packet goes to %s: it is loopback, which does not leave this machine.", source, target)
			}
		}
	}
	return nil
}
