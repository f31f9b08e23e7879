package goroutine

import (
	"context"
	"time"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/hist"
	"c10k/loadgen/internal/pacing"
)

// enter makes p the phase.
func (e *Routines) enter(p phase) {
	e.mu.Lock()
	e.phase = p
	e.mu.Unlock()
}

// pace begins what is due and gives up what timed out, until all is settled after the end, or ctx has ended.
func (e *Routines) pace(ctx context.Context, p phase) {
	e.loopLag, e.maxGap = hist.New(), 0
	for until := engine.Monotonic(); ctx.Err() == nil; {
		e.mu.Lock()
		now := engine.Monotonic()
		e.loopLag.Record(now - until)
		e.maxGap = max(e.maxGap, now-until) // woken early, it is not late
		for n := 0; n < engine.WorkPerTurn && p.due() <= now; n++ {
			p.begin(p.due())
		}
		e.expire(now)
		due, end := p.due(), p.end()
		until = min(due, e.nextExpires(now))
		if ledger := e.accounts.Ledger; ledger != nil {
			if ledger.Advance(min(now, due)); now < end {
				until = min(until, ledger.Boundary(), end)
			}
		}
		e.draining = now >= end && due == pacing.Never
		over := e.draining && e.unsettled == 0
		e.mu.Unlock()
		if over {
			return
		}
		e.sleep(ctx, until, e.wake)
	}
}

// sleep waits until a time of the clock, until ctx ends, or until wake says so, where there is one.
func (e *Routines) sleep(ctx context.Context, until int64, wake <-chan struct{}) {
	left := until - engine.Monotonic()
	if left <= 0 {
		return
	}
	timer := time.NewTimer(time.Duration(left))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
}

var _ engine.Engine = (*Routines)(nil)

// Run implements engine.Engine.
func (e *Routines) Run(at int64, emit func(engine.Interval)) (engine.Done, error) {
	if err := engine.InTime(at, engine.Monotonic()); err != nil {
		return engine.Done{}, err
	}
	settled := make(chan engine.Interval, 16)
	work := e.work(e, at, func(i engine.Interval) { settled <- i })
	go func() {
		defer close(settled)
		e.load(work)
	}()
	for i := range settled {
		emit(i)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	d := e.accounts.Done(e.loopLag, e.maxGap)
	work.over(&d)
	return d, nil
}

// load offers a workload and returns when every request is settled.
func (e *Routines) load(work workload) {
	e.enter(work)
	work.run()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.accounts.Ledger.Finish()
	e.abandon()
}
