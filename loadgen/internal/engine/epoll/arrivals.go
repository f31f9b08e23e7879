package epoll

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/wire"
)

// An arrivals plans the requests of an open loop: their times come from the pacer alone, whatever the server does.
type arrivals struct {
	held
	turn int // the connection of the next request
}

func newArrivals(l *Loop) phase {
	a := &arrivals{held: held{l}}
	a.l.schedule(a.l.cfg.Active > 0)
	return a
}

// pump plans what is due, but not so much that replies would have to wait for long.
func (a *arrivals) pump() {
	for range engine.WorkPerTurn {
		if a.l.looked = engine.Monotonic(); a.l.due > a.l.looked {
			return
		}
		intended := a.l.due
		a.l.schedule(a.l.cfg.Active > 0)
		a.plan(intended)
	}
}

// plan gives one request to the active connection whose turn it is; a busy one keeps it until it can be sent.
func (a *arrivals) plan(intended int64) {
	l := a.l
	i := int32(a.turn)
	if a.turn++; a.turn == l.cfg.Active {
		a.turn = 0
	}
	slot := l.accounts.Ledger.Plan(intended)
	if l.connections[i].state != established {
		l.accounts.Ledger.Unsent(slot, engine.Failed, false)
		return
	}
	if l.looked-intended >= int64(l.cfg.Timeout) { // its time is over, and sending it would make the others later still
		l.accounts.Ledger.Unsent(slot, engine.TimedOut, l.freeSince(&l.connections[i], intended))
		return
	}
	if !l.submit(i, wire.Load, intended, slot) {
		l.drop(i, slot)
	}
}
