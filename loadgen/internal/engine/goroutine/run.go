package goroutine

import (
	"context"
	"time"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/hist"
	"c10k/loadgen/internal/pacing"
)

// pace lets the phase begin what is due and gives up what timed out, until all is settled after its end, or ctx has ended.
func (e *Routines) pace(ctx context.Context) {
	e.loopLag, e.maxGap = hist.New(), 0
	for until := engine.Monotonic(); ctx.Err() == nil; {
		e.mu.Lock()
		now := engine.Monotonic()
		e.looked, e.away = now, now-until
		e.loopLag.Record(now - until)
		e.maxGap = max(e.maxGap, now-until) // woken early, it is not late
		for n := 0; n < engine.WorkPerTurn && e.due <= now; n++ {
			e.phase.begin(e.due)
		}
		e.expire(now)
		e.accounts.Ledger.Look(now, e.due)
		until = min(e.due, e.nextExpires(now))
		if now < e.end {
			until = min(until, e.accounts.Ledger.Boundary(), e.end)
		}
		e.draining = now >= e.end && e.due == pacing.Never
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

const readersTurn = int64(10 * time.Millisecond) // for those whose connections have something to read

// linger waits a while in which replies may go on of which only a part has come.
func (e *Routines) linger() {
	for most := engine.Monotonic() + engine.Linger; e.alive.Err() == nil; {
		until := int64(0)
		e.mu.Lock()
		now := engine.Monotonic()
		for _, c := range e.connections {
			if !c.begun() {
				continue
			}
			until = max(until, e.accounts.Undecided(c.rest(), now))
			if unread(c.conn) > 0 { // its reader, not its peer, is late
				until = max(until, now+readersTurn)
			}
		}
		e.mu.Unlock()
		if until = min(until, most); until <= now {
			return
		}
		e.sleep(e.alive, until, nil)
	}
}

// cutShort accounts for those that did not become whole.
func (e *Routines) cutShort() {
	now := engine.Monotonic()
	for _, c := range e.connections {
		if c.begun() {
			e.accounts.CutShort(c.rest(), now, e.alive.Err() != nil)
		}
	}
}

var _ engine.Engine = (*Routines)(nil)

// Run implements engine.Engine.
func (e *Routines) Run(at int64, emit func(engine.Interval)) (engine.Done, error) {
	if err := engine.InTime(at, engine.Monotonic()); err != nil {
		return engine.Done{}, err
	}
	settled := make(chan engine.Interval, 16)
	e.mu.Lock()
	e.accounts.Ledger = engine.NewLedger(&e.cfg, at, func(i engine.Interval) { settled <- i })
	e.at, e.due, e.end = at, pacing.Never, e.cfg.End(at)
	work := e.work(e)
	e.phase = work
	e.mu.Unlock()
	var d engine.Done
	go func() {
		defer close(settled)
		work.run()
		e.linger()
		// Until all is summed up, what is given up now must not count as answered late. Nothing follows it.
		e.mu.Lock()
		defer e.mu.Unlock()
		e.end = 0
		e.accounts.Ledger.Finish()
		e.abandon()
		e.cutShort()
		d = e.accounts.Done(e.loopLag, e.maxGap)
		work.over(&d)
	}()
	for i := range settled {
		emit(i)
	}
	return d, nil
}
