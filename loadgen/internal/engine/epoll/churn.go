package epoll

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// A churn keeps a number of requests in flight, each on a connection of its own: connect, echo, close.
type churn struct {
	visits
	ready, resting engine.Ring // connections whose turn it is, and those that could not connect
	started        int         // connections that had their first turn
	left           int64       // requests
}

func newChurn(l *Loop) phase {
	n := len(l.connections)
	k := &churn{ready: engine.NewRing(n), resting: engine.NewRing(n)}
	k.visits = visits{held{l}, k.next}
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

// next gives a connection that is closed its next turn, after a rest if it could not be made.
func (k *churn) next(i int32, now int64, reached bool) {
	if reached {
		k.ready.Push(engine.Turn{Connection: i, Due: now})
	} else {
		k.resting.Push(engine.Turn{Connection: i, Due: now + engine.Reconnect})
	}
	k.schedule()
}
