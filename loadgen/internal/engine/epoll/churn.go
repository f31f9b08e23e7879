package epoll

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"

	"golang.org/x/sys/unix"
)

// A churn keeps a number of requests in flight, each on a connection of its own: connect, echo, close.
type churn struct {
	held
	ready, resting engine.Ring // connections whose turn it is, and those that could not connect
	started        int         // connections that had their first turn
	left           int64       // requests
}

func newChurn(l *Loop) phase {
	n := len(l.connections)
	k := &churn{held: held{l}, ready: engine.NewRing(n), resting: engine.NewRing(n)}
	k.left, l.end = l.accounts.Ledger.Quota(&l.cfg)
	k.schedule()
	return k
}

// schedule finds out when the next request is due; after the end there is none. First turns follow the connect rate: all at
// once they would only test the accept queue.
func (k *churn) schedule() {
	l := k.l
	l.due = min(k.ready.Due(), k.resting.Due())
	if k.started < len(l.connections) {
		l.due = min(l.due, l.cfg.DialDue(l.at, k.started))
	}
	if l.due >= l.end {
		l.due = pacing.Never
	}
}

// pump begins the requests whose turn it is, but not so many that replies would have to wait for long.
func (k *churn) pump() {
	l := k.l
	for range engine.WorkPerTurn {
		now := engine.Monotonic()
		if l.due > now {
			return
		}
		if now >= l.end {
			l.due = pacing.Never
			return
		}
		var i int32
		switch l.due {
		case k.ready.Due():
			i = k.ready.Pop().Connection
		case k.resting.Due():
			i = k.resting.Pop().Connection
		default:
			i = int32(k.started)
			k.started++
		}
		// Its place in the slab is sure: there is room for more requests than connections.
		l.submit(i, wire.Load, now, l.accounts.Ledger.Plan(now))
		if k.left--; k.left == 0 { // a quota ends the window with its last request
			l.accounts.Ledger.EndHere()
			l.end = 0
		}
		l.dial(i)
		k.schedule()
	}
}

// stood records a handshake of the window, and asks.
func (k *churn) stood(i int32, c *connection) {
	c.state = established
	l := k.l
	if r := c.waiting.head; r != nothing && l.accounts.Ledger.InWindow(l.requests.all[r].slot) {
		l.accounts.Connect.Record(l.watch.now - c.begun)
	}
	l.flush(i, c)
}

// replied hangs up, whether the reply was right or wrong: the client closes first.
func (k *churn) replied(i int32, c *connection, _ uint8, _ engine.Outcome, _ bool) { k.hangUp(i, c) }

// gaveUp closes the connection of a request that was settled without a reply.
func (k *churn) gaveUp(i int32, c *connection, o engine.Outcome, _ bool) {
	if o == engine.TimedOut {
		doing := errs.Read
		if c.state == connecting {
			doing = errs.Connect
		}
		k.l.accounts.Errors.Add(doing, errs.Timeout, 0, k.l.cfg.Number(int(i)))
		if c.received > 0 {
			k.l.accounts.Broken(c.wrong)
		}
	}
	k.hangUp(i, c)
}

// hangUp closes a connection and gives it its next turn.
func (k *churn) hangUp(i int32, c *connection) {
	k.l.disconnect(i, c)
	k.ready.Push(engine.Turn{Connection: i, Due: k.l.watch.now})
	k.schedule()
}

// lost gives a connection its next turn, after a rest if it could not be made.
func (k *churn) lost(i int32, _ state, phase errs.Phase, _ errs.Cause, _ unix.Errno) {
	now := engine.Monotonic()
	if phase == errs.Connect {
		k.resting.Push(engine.Turn{Connection: i, Due: now + engine.Reconnect})
	} else {
		k.ready.Push(engine.Turn{Connection: i, Due: now})
	}
	k.schedule()
}

// over leaves no connection, and none of them was lost.
func (k *churn) over(d *engine.Done) {
	d.Lost = 0
	for i := range k.l.connections {
		if c := &k.l.connections[i]; c.state != closed {
			k.l.disconnect(int32(i), c)
		}
	}
}
