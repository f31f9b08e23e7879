package goroutine

import (
	"math"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/wire"
)

// settle decides the outcome of a request, once.
func (e *Routines) settle(r *request, o engine.Outcome, now int64) {
	r.settled = true
	e.unsettled--
	if r.flags == wire.Load {
		e.accounts.Settle(r.slot, o, r.intended, r.sent, now)
	} else {
		e.phase.settled(o)
	}
	if e.draining && e.unsettled == 0 {
		e.poke()
	}
}

// conclude settles what was replied to, unless it timed out before.
func (e *Routines) conclude(r *request, verdict engine.Integrity, now int64) {
	e.accounts.Integrity = e.accounts.Integrity.Plus(verdict)
	wrong := verdict != (engine.Integrity{})
	switch {
	case r.settled:
		e.accounts.Afterwards(wrong, r.flags, len(e.filler))
	case wrong:
		e.settle(r, engine.Mismatched, now)
	default:
		e.settle(r, engine.Answered, now)
	}
}

// unasked accounts for a whole reply that nobody waited for, and that is surplus already.
func (e *Routines) unasked(verdict engine.Integrity) {
	verdict.Corrupt = 0 // it need not have been meant as a record
	e.accounts.Integrity = e.accounts.Integrity.Plus(verdict)
}

// expire settles what was not answered within the timeout.
func (e *Routines) expire(now int64) {
	e.retire(engine.TimedOut, now-int64(e.cfg.Timeout))
}

// abandon settles all that is left, because the phase ends.
func (e *Routines) abandon() {
	e.expire(engine.Monotonic())
	e.retire(engine.Censored, math.MaxInt64)
}

// retire settles without a reply what was meant for no later than limit. What is on the wire stays there, for its reply may
// still come; what is not leaves its connection, where it is the first because it is the oldest of all.
func (e *Routines) retire(o engine.Outcome, limit int64) {
	for len(e.timeline) > 0 {
		r := e.timeline[0]
		if !r.settled {
			if r.intended > limit {
				return
			}
			e.settle(r, o, 0)
			if c := r.connection; !r.onWire {
				c.waiting = c.waiting[1:]
				e.phase.gaveUp(c)
			}
		}
		e.timeline[0] = nil
		e.timeline = e.timeline[1:]
	}
}

// nextExpires is when the pacer must look for timeouts again: no request that is still to come can expire earlier.
func (e *Routines) nextExpires(now int64) int64 {
	if len(e.timeline) > 0 {
		now = e.timeline[0].intended
	}
	return now + int64(e.cfg.Timeout)
}

// poke makes the pacer look again.
func (e *Routines) poke() {
	select {
	case e.wake <- struct{}{}:
	default: // it will
	}
}

// lose accounts for a connection that is no more, and for all that was asked of it.
func (c *connection) lose(phase errs.Phase, err error) {
	a := &c.e.accounts
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	if c.lost {
		return
	}
	if c.have > 0 && !c.stray {
		a.Integrity.Truncated++
	}
	cause, errno := causeOf(err)
	a.Errors.Add(phase, cause, errno, c.e.cfg.Number(c.index))
	a.Open--
	c.end()
}

// end closes the connection; what was still asked of it has failed.
func (c *connection) end() {
	if c.lost {
		return
	}
	c.lost = true
	_ = c.conn.Close()
	for _, queue := range [][]*request{c.wire, c.waiting} {
		for _, r := range queue {
			if !r.settled {
				c.e.settle(r, engine.Failed, 0)
			}
		}
	}
	c.wire, c.waiting = nil, nil
	c.ready.Broadcast()
}

// hangUp closes every connection and waits until its goroutines have ended.
func (e *Routines) hangUp() {
	e.mu.Lock()
	for _, c := range e.connections {
		if c != nil {
			c.end()
		}
	}
	e.mu.Unlock()
	e.running.Wait()
}

// Close implements engine.Engine.
func (e *Routines) Close() {
	e.stop()
	e.hangUp()
}
