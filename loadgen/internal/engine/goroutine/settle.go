package goroutine

import (
	"math"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/wire"
)

// settle decides the outcome of a request, once.
func (e *Routines) settle(r *request, o engine.Outcome, now int64) {
	if r.flags == wire.Load {
		e.accounts.Settle(r.slot, o, r.intended, r.sent, now)
	} else {
		e.phase.settled(o)
	}
	e.over(r)
}

// unsent settles a request of which nothing was written, and whose doing that was.
func (e *Routines) unsent(r *request, o engine.Outcome, late bool) {
	if r.flags == wire.Load {
		e.accounts.Ledger.Unsent(r.slot, o, late)
	} else {
		e.phase.settled(o)
	}
	e.over(r)
}

// over notes that a request is settled.
func (e *Routines) over(r *request) {
	r.settled = true
	e.unsettled--
	if e.draining && e.unsettled == 0 {
		e.poke()
	}
}

// drop settles a request of the load for which there was no room.
func (c *connection) drop(slot uint16) {
	c.e.accounts.Ledger.Unsent(slot, engine.Dropped, !c.busy())
}

// late tells whether this engine, rather than the server, kept a request from leaving: it planned it late and its connection was
// not busy by then, or for most of the timeout it was away while replies on the connection may have lain there: those that it
// has read since, or one that it has not seen yet.
func (r *request) late() bool {
	c, most := r.connection, int64(r.connection.e.cfg.Timeout)/2
	switch {
	case r.tardy && c.freeSince(r.intended), c.unseen-r.unseen > most:
		return true
	case c.e.away <= most:
		return false
	}
	return !c.busy() || !c.writing && unread(c.conn) >= len(c.e.filler)-c.have
}

// freeSince tells whether a connection was free at that time: what is on its wire, if anything is, was sent later.
func (c *connection) freeSince(t int64) bool { return len(c.wire) == 0 || c.wire[0].sent > t }

// busy tells whether a connection may not send another record, as far as its goroutines know.
func (c *connection) busy() bool { return c.writing || len(c.wire) >= c.e.cfg.Pipeline }

// conclude settles what was replied to, unless it timed out before.
func (e *Routines) conclude(r *request, verdict engine.Integrity, now int64) {
	e.accounts.Integrity = e.accounts.Integrity.Plus(verdict)
	wrong := verdict != (engine.Integrity{})
	switch {
	case r.settled:
		e.accounts.Afterwards(wrong, r.flags, len(e.filler), now)
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
			if c := r.connection; r.onWire {
				e.settle(r, o, 0)
			} else {
				e.unsent(r, o, r.late())
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

// lose accounts for a connection from which nothing more can be read, and for all that was asked of it.
func (c *connection) lose(err error) {
	a := &c.e.accounts
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	if c.lost {
		return
	}
	phase := errs.Read
	if c.broken != nil {
		phase, err = errs.Write, c.broken
	}
	if c.have > 0 && !c.stray {
		a.Torn(c.differs(c.wire[0], c.reply[:c.have]))
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
	for _, r := range c.wire {
		if !r.settled {
			c.e.settle(r, engine.Failed, 0)
		}
	}
	for _, r := range c.waiting {
		c.e.unsent(r, engine.Failed, false)
	}
	c.wire, c.waiting = nil, nil
	c.ready.Broadcast()
}

// hangUp closes every connection and waits until its goroutines have ended.
func (e *Routines) hangUp() {
	e.done.Store(0)
	e.mu.Lock()
	for _, c := range e.connections {
		if c != nil {
			c.end()
			e.done.Add(1)
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
