package engine

import (
	"math"
	"time"

	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// backoff is how long a connection that could not be made waits for its next turn: a host without ports, or a server
// that refuses, must not make the loop spin.
const backoff = int64(50 * time.Millisecond)

// A ring is a bounded queue of connections.
type ring struct {
	items       []turn
	head, count int
}

type turn struct {
	connection int32
	due        int64 // ns
}

func (r *ring) push(t turn) {
	r.items[(r.head+r.count)%len(r.items)] = t
	r.count++
}

func (r *ring) pop() turn {
	t := r.items[r.head]
	r.head = (r.head + 1) % len(r.items)
	r.count--
	return t
}

// due is when the first may go, in ns.
func (r *ring) due() int64 {
	if r.count == 0 {
		return pacing.Never
	}
	return r.items[r.head].due
}

// A churn keeps a number of requests in flight, each on a connection of its own: connect, echo, close.
type churn struct {
	ready, resting ring  // connections whose turn it is, and those that back off
	started        int   // connections that had their first turn
	begun          int64 // requests
	quota          int64
	end            int64 // ns
}

// newChurn readies it.
func newChurn(l *Loop, at int64, emit func(Interval)) *churn {
	n := len(l.connections)
	k := &churn{ready: ring{items: make([]turn, n)}, resting: ring{items: make([]turn, n)}, quota: l.cfg.Requests, end: pacing.Never}
	warmup, limit := 0, math.MaxInt
	if k.quota < 0 {
		warmup, limit = l.cfg.Warmup, l.cfg.Warmup+l.cfg.Duration
		k.quota, k.end = math.MaxInt64, at+int64(limit)*second
	}
	l.ledger = newLedger(at, warmup, limit, l.spread(), emit)
	return k
}

// run begins requests until the quota or the end is reached, then waits for the last.
func (k *churn) run(l *Loop) {
	l.churn = k
	defer func() { l.churn = nil }()
	for !l.stopped.Load() {
		now := l.clock.Now()
		l.expire(now)
		over := now >= k.end || k.begun >= k.quota
		if k.begun < k.quota { // a quota ends the window with its last request
			l.ledger.advance(min(now, k.end))
		}
		if over && l.slab.oldest == nothing {
			break
		}
		if !over {
			now = k.work(l)
		}
		l.poll(k.until(l, now))
	}
	l.ledger.finish()
	l.abandon(l.clock.Now())
	l.hangUpAll()
}

// work begins the requests whose turn it is, but not so many that replies would have to wait for long.
func (k *churn) work(l *Loop) int64 {
	now := l.clock.Now()
	for range workPerTurn {
		var next turn
		switch {
		case k.begun >= k.quota || now >= k.end:
			return now
		case k.firstDue(l) <= now:
			next = turn{connection: int32(k.started)}
			k.started++
		case k.ready.due() <= now:
			next = k.ready.pop()
		case k.resting.due() <= now:
			next = k.resting.pop()
		default:
			return now
		}
		k.begun++
		// Its place in the slab is sure: there is room for more requests than connections.
		l.submit(next.connection, wire.Load, now, l.ledger.plan(now))
		l.dial(next.connection)
		now = l.clock.Now()
	}
	return now
}

// firstDue is when the next connection has its first turn, in ns. These follow the connect rate: all at once they would
// only test the accept queue.
func (k *churn) firstDue(l *Loop) int64 {
	if k.started == len(l.connections) {
		return pacing.Never
	}
	return l.dialDue(l.ledger.at, k.started)
}

// until is when the loop must look again, in ns.
func (k *churn) until(l *Loop, now int64) int64 {
	t := l.oldestExpires()
	switch over := k.begun >= k.quota || now >= k.end; {
	case over && l.slab.oldest == nothing:
		return now // the last one failed at once
	case !over:
		t = min(t, k.firstDue(l), k.ready.due(), k.resting.due(), l.ledger.boundary(), k.end)
	}
	return t
}

// connected records a handshake of the window.
func (k *churn) connected(l *Loop, c *connection) {
	if r := c.waiting.head; r != nothing && l.ledger.inWindow(l.slab.requests[r].slot) {
		l.connect.Record(l.now - c.begun)
	}
}

// again gives a connection its next turn, at once or after some rest.
func (k *churn) again(i int32, rest bool, now int64) {
	if rest {
		k.resting.push(turn{i, now + backoff})
		return
	}
	k.ready.push(turn{i, now})
}

// hangUp ends a request that was answered, for better or worse: the client closes first.
func (l *Loop) hangUp(i int32, c *connection) {
	l.disconnect(i, c)
	l.churn.again(i, false, l.now)
}

// giveUp closes the connection of a request that was settled without a reply.
func (l *Loop) giveUp(i int32, c *connection, o outcome) {
	if o == timedOut {
		l.tally.Add(l.waitedFor(c), errs.Timeout, 0, l.cfg.FirstConnection+uint32(i))
	}
	l.disconnect(i, c)
	l.churn.again(i, false, l.now)
}

// waitedFor is what a connection was doing when it ran out of time.
func (l *Loop) waitedFor(c *connection) errs.Phase {
	if c.state == connecting {
		return errs.Connect
	}
	return errs.Read
}

func (l *Loop) hangUpAll() {
	for i := range l.connections {
		if c := &l.connections[i]; c.state != closed {
			l.disconnect(int32(i), c)
		}
	}
}
