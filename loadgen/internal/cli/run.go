// Package cli is `loadgen run`: the generator on its own, for a person at a terminal or a script.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"c10k/loadgen/internal/budget"
	"c10k/loadgen/internal/contracts"
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/hist"
	"c10k/loadgen/internal/hlog"
	"c10k/loadgen/internal/load"
	"c10k/loadgen/internal/report"
	"c10k/loadgen/internal/selfreport"
)

// lead is the time between the decision to begin and the first request: enough for a busy machine to be ready in it.
const lead = 200 * time.Millisecond

// A World is what a run has around it.
type World struct {
	Stdout, Stderr io.Writer
	Terminal       bool             // whether Stderr is one
	Signals        <-chan os.Signal // of interruption

	resolve resolver
}

// Run carries out the words behind `loadgen run` and returns the exit code.
func Run(args []string, w World) int {
	if w.resolve == nil {
		w.resolve = lookUp
	}
	o, err := parseArgs(args, w.resolve)
	if errors.Is(err, flag.ErrHelp) {
		Help(w.Stdout)
		return exitOK
	}
	if err != nil {
		_, _ = fmt.Fprintf(w.Stderr, "loadgen run: %v\n", err)
		return exitRefused
	}
	r := &run{options: o, result: &outcome{Version: 1, Config: o, Intervals: []json.RawMessage{}, Steps: []step{}, response: hist.New()}}
	if r.limits, r.result.failure = budget.Read(); r.result.failure == nil {
		share := o.share()
		var weighed budget.Report
		weighed, r.result.failure = budget.Check(share.Need(r.limits), r.limits)
		r.result.Budget = &weighed
	}
	if r.result.failure == nil && !o.dryRun && !r.attempt(w) {
		return exitInterrupted // at once
	}
	r.result.measure()
	r.result.judge()
	return r.finish(w)
}

// finish prints what was found and returns the exit code.
func (r *run) finish(w World) int {
	var err error
	switch {
	case r.options.json:
		encoder := json.NewEncoder(w.Stdout)
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(r.result)
	case r.options.dryRun:
		err = r.result.writeBudget(r.limits.Range, w.Stdout)
	case r.result.failure == nil || r.result.Armed != nil: // what was found before it failed is worth seeing
		err = r.result.write(w.Stdout)
	}
	if r.result.failure != nil {
		_, _ = fmt.Fprintf(w.Stderr, "loadgen run: %v\n", errs.From(r.result.failure))
	}
	if err != nil {
		_, _ = fmt.Fprintf(w.Stderr, "loadgen run: the report cannot be written: %v.\n", err)
		return exitInternal
	}
	return r.result.Exit
}

// share is the whole load, as this host carries it out.
func (o *options) share() load.Share {
	share := load.Of(&o.Load, engine.Config{Run: o.RunNumber, Targets: o.Targets, Sources: o.Sources}, o.engine)
	share.Processes, share.CPUs = o.processes, o.CPUs
	return share
}

// A run is one attempt. The engine has a thread of its own; the interrupt comes from another.
type run struct {
	options *options
	limits  budget.Limits
	result  *outcome
	live    *live
	ctx     context.Context // ended by an interrupt
}

// attempt loads the target and fills result in. It answers false if the user would not wait for the end.
func (r *run) attempt(w World) bool {
	out := w.Stderr
	if r.options.quiet {
		out = nil
	}
	r.live = newLive(out, w.Terminal)
	defer r.live.close()
	var interrupt context.CancelFunc
	r.ctx, interrupt = context.WithCancel(context.Background())
	defer interrupt()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with this function, and its affinity with it
		r.result.failure = r.carryOut()
		r.result.interrupted = r.isInterrupted()
	}()
	for {
		select {
		case <-done:
			return true
		case <-w.Signals:
			if r.isInterrupted() {
				return false
			}
			r.live.say("Interrupted: what is under way is settled and reported. Once more ends at once.")
			interrupt()
		}
	}
}

func (r *run) isInterrupted() bool { return r.ctx.Err() != nil }

// carryOut is the whole of it, in the order in which it happens.
func (r *run) carryOut() error {
	var log *hlog.Log
	if path := r.options.hlog; path != "" {
		var err error
		if log, err = hlog.Create(path, "loadgen run"); err != nil {
			return errs.New(errs.Spec, "hlog", fmt.Sprintf("The log of --hlog cannot be written: %v.", err), "Name a file that you may write.")
		}
		defer log.Close()
	}
	if err := selfreport.Pin(r.options.CPUs); err != nil {
		return err
	}
	l, err := load.New(r.ctx, r.options.share(), r.limits)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := r.arm(l); err != nil {
		return err
	}
	if r.result.standing() == r.result.asked && !r.isInterrupted() {
		if err := r.load(l, log); err != nil {
			return err
		}
	}
	if r.options.Traits().Holds && !r.isInterrupted() {
		r.live.now("proving that every connection still answers")
		if p := l.Prove(l.ArmEnd()); !r.isInterrupted() {
			r.result.Held = &p.Verified
		}
	}
	return log.Err()
}

// arm opens the connections, in the steps of a ramp or in one.
func (r *run) arm(l *load.Load) error {
	o, steps := r.options, 1
	if o.Workload == engine.Ramp {
		steps = o.Steps
	}
	r.result.asked = o.Connections
	if !o.Traits().ConnectsAhead {
		r.result.asked = min(o.Connections, r.result.Budget.Processes) // each process tries one
	}
	all := time.Now()
	for i, total := range contracts.Stairs(o.Connections, steps) {
		if r.isInterrupted() {
			break
		}
		r.live.now("connecting to %s", plural(int64(total), "connection"))
		begun := time.Now()
		a, err := l.Arm(total, l.ArmEnd())
		if err != nil {
			return err
		}
		r.result.Armed = &armed{report.OfArmed(a), time.Since(all).Seconds()}
		if o.Workload != engine.Ramp {
			continue
		}
		took := time.Since(begun).Seconds()
		r.result.Steps = append(r.result.Steps, step{total, a.Connected, a.Verified, took})
		r.live.say("step %d of %d: %s of %s verified within %s", i+1, steps, grouped(int64(a.Verified)), plural(int64(total), "connection"), span(int64(took*1e9)))
		if a.Verified < total {
			break
		}
	}
	if r.result.Armed == nil { // interrupted before the first
		r.result.Armed = &armed{Armed: report.OfArmed(engine.Armed{})}
	}
	return nil
}

// load offers the load, beside hostile clients if there are any.
func (r *run) load(l *load.Load, log *hlog.Log) error {
	r.live.now("%s", map[bool]string{true: "calibrating", false: "loading"}[!r.options.Traits().Verifies])
	selfreport.Quiet()
	done, err := l.Run(engine.Monotonic()+int64(lead), log, func(i report.Interval) {
		r.result.take(i)
		r.live.now("%s", map[bool]string{true: "warm-up", false: "window"}[i.Phase == "warmup"])
		r.live.settled(i)
	})
	if err == nil {
		r.result.Done = &done
	}
	return err
}
