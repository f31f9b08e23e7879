// Package cli is `loadgen run`: the generator on its own, for a person at a terminal or a script.
package cli

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"c10k/loadgen/internal/budget"
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
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
	o, err := parse(args, w.resolve)
	if errors.Is(err, flag.ErrHelp) {
		Help(w.Stdout)
		return exitOK
	}
	if err != nil {
		_, _ = fmt.Fprintf(w.Stderr, "loadgen run: %v\n", err)
		return exitRefused
	}
	number := newRun()
	result := &outcome{Version: 1, Config: o.config(number), Intervals: []report.Interval{}, Steps: []step{}}
	limits, err := budget.Read()
	if err == nil {
		result.Budget, err = o.budget(limits)
	}
	result.failure = err
	if o.dryRun {
		result.judge()
		result.Verdict = map[bool]string{true: "ok", false: result.Verdict}[result.failure == nil]
		return finish(w, o, result, limits.Range)
	}
	if result.failure == nil && !attempt(w, o, result, number, limits) {
		return exitInterrupted // at once
	}
	if err := result.measure(); err != nil && result.failure == nil {
		result.failure = err
	}
	result.judge()
	return finish(w, o, result, limits.Range)
}

// finish prints what was found and returns the exit code.
func finish(w World, o *options, result *outcome, portRange string) int {
	var err error
	load, manner := o.describe()
	switch {
	case o.json:
		encoder := json.NewEncoder(w.Stdout)
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(result)
	case o.dryRun:
		err = writeBudget(result.Budget, portRange, w.Stdout, load, manner)
	case result.failure == nil || result.Armed != nil: // what was found before it failed is worth seeing
		err = result.write(w.Stdout, load, manner)
	}
	if result.failure != nil {
		_, _ = fmt.Fprintf(w.Stderr, "loadgen run: %v\n", errs.From(result.failure))
	}
	if err != nil {
		_, _ = fmt.Fprintf(w.Stderr, "loadgen run: the report cannot be written: %v.\n", err)
		return exitInternal
	}
	return result.Exit
}

// refusal tells whether an error means that nothing was begun because it could not have been.
func refusal(err error) bool {
	e := errs.From(err)
	return e.Phase == errs.Spec || e.Phase == errs.Budget
}

// A run is one attempt. The engine has a thread of its own; interrupt comes from another.
type run struct {
	options *options
	number  uint32
	limits  budget.Limits
	result  *outcome
	live    *live

	mu          sync.Mutex
	engine      *load.Load
	interrupted bool
}

// attempt loads the target and fills result in. It answers false if the user would not wait for the end.
func attempt(w World, o *options, result *outcome, number uint32, limits budget.Limits) bool {
	out := w.Stderr
	if o.quiet {
		out = nil
	}
	r := &run{options: o, number: number, limits: limits, result: result, live: newLive(out, w.Terminal)}
	defer r.live.close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with this function, and its affinity with it
		result.failure = r.carryOut()
	}()
	for interrupts := 0; ; {
		select {
		case <-done:
			return true
		case <-w.Signals:
			if interrupts++; interrupts == 2 {
				return false
			}
			r.live.say("Interrupted: what is under way is settled and reported. Once more ends at once.")
			r.interrupt()
		}
	}
}

func (r *run) interrupt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.interrupted = true
	if r.engine != nil {
		r.engine.Stop()
	}
}

// carryOut is the whole of it, in the order in which it happens.
func (r *run) carryOut() error {
	log, err := r.options.log()
	if err != nil {
		return err
	}
	defer log.Close()
	if r.options.cpus != nil {
		if err := selfreport.Pin(r.options.cpus); err != nil {
			return err
		}
	}
	e, err := load.New(r.options.share(r.number), r.limits)
	if err != nil {
		return err
	}
	defer e.Close()
	r.mu.Lock()
	r.engine = e
	if r.interrupted {
		e.Stop()
	}
	r.mu.Unlock()
	defer func() { // under the lock, for interrupt may be in it
		r.mu.Lock()
		defer r.mu.Unlock()
		r.engine = nil
		r.result.interrupted = r.interrupted
	}()
	if err := r.arm(e); err != nil {
		return err
	}
	if r.result.standing() == r.result.asked && !r.isInterrupted() {
		if err := r.load(e, log); err != nil {
			return err
		}
	}
	if r.options.Traits().Holds && !r.isInterrupted() {
		r.live.now("proving that every connection still answers")
		if p := e.Prove(); !r.isInterrupted() {
			r.result.Held = &p.Verified
		}
	}
	return log.Err()
}

func (r *run) isInterrupted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.interrupted
}

// arm opens the connections, in the steps of a ramp or in one.
func (r *run) arm(e *load.Load) error {
	o, steps := r.options, 1
	if o.Workload == engine.Ramp {
		steps = o.Steps
	}
	r.result.asked = o.Connections
	if !o.Traits().ConnectsAhead {
		r.result.asked = min(o.Connections, r.result.Budget.Processes) // each process tries one
	}
	all := time.Now()
	for s := 1; s <= steps && !r.isInterrupted(); s++ {
		total := o.Connections * s / steps
		r.live.now("connecting to %s", plural(int64(total), "connection"))
		begun := time.Now()
		a, err := e.Arm(total)
		if err != nil {
			return err
		}
		r.result.Armed = &armed{report.OfArmed(a), time.Since(all).Seconds()}
		if o.Workload != engine.Ramp {
			continue
		}
		took := time.Since(begun).Seconds()
		r.result.Steps = append(r.result.Steps, step{total, a.Connected, a.Verified, took})
		r.live.say("step %d of %d: %s of %s verified within %s", s, steps, grouped(int64(a.Verified)), plural(int64(total), "connection"), span(int64(took*1e9)))
		if a.Verified < total {
			break
		}
	}
	if r.result.Armed == nil { // interrupted before the first
		r.result.Armed = &armed{report.OfArmed(engine.Armed{}), 0}
	}
	return nil
}

// load offers the load, beside hostile clients if there are any.
func (r *run) load(e *load.Load, log *hlog.Log) error {
	r.live.now("%s", map[bool]string{true: "calibrating", false: "loading"}[!r.options.Traits().Verifies])
	settled := make(chan engine.Interval, 256)
	written := make(chan error)
	go func() { written <- r.take(settled, log) }()
	selfreport.Quiet()
	done, err := e.Run(engine.Monotonic()+int64(lead), func(i engine.Interval) { settled <- i })
	close(settled)
	if failed := <-written; err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	r.result.Done = &done
	log.Sum(&done, r.options.Warmup, r.options.Duration)
	return nil
}

// take receives what is settled, away from the engine's thread.
func (r *run) take(settled <-chan engine.Interval, log *hlog.Log) error {
	var first error
	for i := range settled {
		text, err := report.OfInterval(i)
		if err != nil && first == nil {
			first = err
		}
		if err := r.result.take(text, r.options.json); err != nil && first == nil {
			first = err
		}
		r.live.now("%s", map[bool]string{true: "warm-up", false: "window"}[i.Warmup])
		r.live.settled(text)
		log.Add("response", i.K, 1, text.Response)
		i.Recycle()
	}
	return first
}
