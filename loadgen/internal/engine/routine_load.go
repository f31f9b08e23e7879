package engine

import (
	"context"
	"math"
	"time"

	"c10k/loadgen/internal/hist"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// A schedule says when the next query is due, and begins it. Its methods are called with the lock held.
type schedule interface {
	due() int64 // ns; pacing.Never: nothing is
	begin(intended int64)
	end() int64 // ns, from when on nothing is begun any more
}

// pace begins what is due and gives up what timed out, until all is settled after the end, or ctx has ended.
func (r *Routines) pace(ctx context.Context, s schedule) {
	r.loopLag, r.maxGap = hist.New(), 0
	for until := r.clock.Now(); ctx.Err() == nil; {
		r.mu.Lock()
		now := r.clock.Now()
		r.loopLag.Record(now - until)
		r.maxGap = max(r.maxGap, now-until) // woken early, it is not late
		for n := 0; n < workPerTurn && s.due() <= now; n++ {
			s.begin(s.due())
		}
		r.expire(now)
		due, end := s.due(), s.end()
		until = min(due, r.nextExpires(now))
		if r.ledger != nil {
			if r.ledger.advance(min(now, due)); now < end {
				until = min(until, r.ledger.boundary(), end)
			}
		}
		r.draining = now >= end && due == pacing.Never
		over := r.draining && r.unsettled == 0
		r.mu.Unlock()
		if over {
			return
		}
		r.sleep(ctx, until, r.wake)
	}
}

// sleep waits until a time of the clock, until ctx ends, or until wake says so, where there is one.
func (r *Routines) sleep(ctx context.Context, until int64, wake <-chan struct{}) {
	left := until - r.clock.Now()
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

// poke makes the pacer look again.
func (r *Routines) poke() {
	select {
	case r.wake <- struct{}{}:
	default: // it will
	}
}

// ask plans a record on a connection; false: there was no room.
func (r *Routines) ask(c *link, flags uint8, intended int64, slot uint16) bool {
	if r.unsettled >= r.most {
		return false
	}
	q := &query{link: c, flags: flags, intended: intended, slot: slot}
	r.unsettled++
	r.timeline = append(r.timeline, q)
	c.waiting = append(c.waiting, q)
	c.ready.Signal()
	return true
}

func (r *Routines) isOpen(i int) bool { return r.links[i] != nil && !r.links[i].lost }

// countSent notes a request that is about to be written. One that has to wait for a full socket counts from here, too.
func (r *Routines) countSent(q *query) {
	r.ledger.sent(q.slot, q.intended, q.sent)
}

// conclude settles what was replied to, unless it timed out before.
func (r *Routines) conclude(q *query, verdict Integrity, now int64) {
	r.integrity = r.integrity.Plus(verdict)
	wrong := verdict != (Integrity{})
	switch {
	case !q.settled && wrong:
		r.settle(q, mismatched, now)
	case !q.settled:
		r.settle(q, answered, now)
	case wrong:
		r.surplus += int64(len(r.filler)) // counted as timed out already, but nobody asked for this
	case q.flags == wire.Load:
		r.integrity.Late++
	}
}

// unasked accounts for a whole reply that nobody waited for, and that is surplus already.
func (r *Routines) unasked(verdict Integrity) {
	verdict.Corrupt = 0 // it need not have been meant as a record
	r.integrity = r.integrity.Plus(verdict)
}

// settle decides the outcome of a query, once.
func (r *Routines) settle(q *query, o outcome, now int64) {
	q.settled = true
	r.unsettled--
	switch q.flags {
	case wire.Load:
		if o == answered && now-q.intended >= int64(r.cfg.Timeout) { // nobody has looked since it timed out
			o = timedOut
			r.integrity.Late++
		} else if o == answered {
			r.ledger.answered(q.slot, now-q.intended, now-q.sent)
		}
		r.ledger.settle(q.slot, o)
	case wire.Prove:
		r.proving--
		if o == answered {
			r.proved.Verified++
		}
		if r.proving == provesAtOnce/2 {
			r.poke() // others have waited for room
		}
	}
	if r.draining && r.unsettled == 0 {
		r.poke()
	}
}

// expire settles what was not answered within the timeout.
func (r *Routines) expire(now int64) {
	r.retire(timedOut, now-int64(r.cfg.Timeout))
}

// abandon settles all that is left, because the phase ends.
func (r *Routines) abandon() {
	r.expire(r.clock.Now())
	r.retire(censored, math.MaxInt64)
}

// retire settles without a reply what was meant for no later than limit. What is on the wire stays there, for its reply may
// still come; what is not leaves its connection, where it is the first because it is the oldest of all.
func (r *Routines) retire(o outcome, limit int64) {
	for len(r.timeline) > 0 {
		q := r.timeline[0]
		if !q.settled {
			if q.intended > limit {
				return
			}
			r.settle(q, o, 0)
			if !q.onWire {
				q.link.waiting = q.link.waiting[1:]
				r.rounds.follow(q.link) // no reply will come that another could follow
			}
		}
		r.timeline[0] = nil
		r.timeline = r.timeline[1:]
	}
}

// nextExpires is when the pacer must look for timeouts again: no query that is still to come can expire earlier.
func (r *Routines) nextExpires(now int64) int64 {
	if len(r.timeline) > 0 {
		now = r.timeline[0].intended
	}
	return now + int64(r.cfg.Timeout)
}
