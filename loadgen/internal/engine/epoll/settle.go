package epoll

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// settle decides the outcome of a request, once.
func (l *Loop) settle(i int32, o engine.Outcome) {
	l.requests.unlink(i)
	r, w := &l.requests.all[i], &l.watch
	if r.flags != wire.Load {
		l.phase.settled(o)
		return
	}
	if o == engine.Answered && w.now < r.sent { // sent since the last wait, and answered already
		w.now = engine.Monotonic()
	}
	l.accounts.Settle(r.slot, o, r.intended, r.sent, w.now)
}

// unsent settles a request of which nothing was written, and whose doing that was.
func (l *Loop) unsent(i int32, o engine.Outcome, late bool) {
	l.requests.unlink(i)
	if r := &l.requests.all[i]; r.flags == wire.Load {
		l.accounts.Ledger.Unsent(r.slot, o, late)
	} else {
		l.phase.settled(o)
	}
}

// drop settles a request of the load for which there was no room.
func (l *Loop) drop(i int32, slot uint16) {
	c := &l.connections[i]
	busy := c.state != established || c.stuck || int(c.onWire) >= l.cfg.Pipeline
	l.accounts.Ledger.Unsent(slot, engine.Dropped, !busy)
}

// late tells whether this loop, rather than the server, kept a request from leaving: it planned it late and its connection was
// not busy by then, or for most of the timeout it was away while replies on the connection may have lain there: those that it
// has read since, or one that it has not seen yet.
func (l *Loop) late(r *request, c *connection) bool {
	most := int64(l.cfg.Timeout) / 2
	switch {
	case r.tardy && l.freeSince(c, r.intended):
		return true
	case int64(c.unseen-r.unseen)*1000 > most:
		return true
	}
	return l.watch.away() > most && l.idle(c)
}

// freeSince tells whether a connection was free at that time: what is on its wire, if anything is, was sent later.
func (l *Loop) freeSince(c *connection, t int64) bool {
	return c.wire.head == nothing || l.requests.all[c.wire.head].sent > t
}

// idle tells whether the kernel knows that a busy connection is busy no more: the reply is there, or the socket can be written.
func (l *Loop) idle(c *connection) bool {
	if c.stuck || c.state == connecting {
		return isWritable(c.fd)
	}
	return c.wire.head != nothing && unread(c.fd) >= len(l.expected)-int(c.received)
}

// expire settles what was not answered within the timeout.
func (l *Loop) expire(now int64) {
	timeout := int64(l.cfg.Timeout)
	for i := l.requests.oldest; i != nothing && l.requests.all[i].intended+timeout <= now; i = l.requests.oldest {
		l.retire(i, engine.TimedOut)
	}
}

// abandon settles all that is left, because the phase ends early.
func (l *Loop) abandon(now int64) {
	l.expire(now)
	for l.requests.oldest != nothing {
		l.retire(l.requests.oldest, engine.Censored)
	}
}

// retire settles the oldest request without a reply. What is on the wire stays in its connection's list, for its reply may
// still come; what is not leaves it, and is the first there because it is the oldest of all.
func (l *Loop) retire(i int32, o engine.Outcome) {
	r := &l.requests.all[i]
	at, c, onWire := r.owner, &l.connections[r.owner], r.onWire
	if r.sent == 0 {
		l.unsent(i, o, l.late(r, c))
	} else {
		l.settle(i, o)
	}
	r.ended = o == engine.Censored
	if !onWire {
		c.waiting.pop(&l.requests)
		l.requests.release(i)
	}
	l.phase.gaveUp(at, c, o, onWire)
}

// oldestExpires is when the next request times out, in ns.
func (l *Loop) oldestExpires() int64 {
	if l.requests.oldest == nothing {
		return pacing.Never
	}
	return l.requests.all[l.requests.oldest].intended + int64(l.cfg.Timeout)
}
