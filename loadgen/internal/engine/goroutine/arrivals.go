package goroutine

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// An arrivals plans the requests of an open loop: their times come from the pacer alone, whatever the server does.
type arrivals struct {
	held
	turn int // the connection of the next request
}

func newArrivals(e *Routines) phase {
	a := &arrivals{held: held{e}}
	a.schedule()
	return a
}

// schedule asks the pacer for the next time.
func (a *arrivals) schedule() {
	e := a.e
	e.due = pacing.Never
	if next := e.pacer.Next(); e.cfg.Active > 0 && next < e.end-e.at {
		e.due = e.at + next
	}
}

func (a *arrivals) begin(intended int64) {
	e, i := a.e, a.turn
	a.schedule()
	a.turn = (i + 1) % e.cfg.Active
	slot := e.accounts.Ledger.Plan(intended)
	switch {
	case !e.isOpen(i):
		e.accounts.Ledger.Unsent(slot, engine.Failed, false)
	case e.looked-intended >= int64(e.cfg.Timeout): // its time is over, and sending it would make the others later still
		e.accounts.Ledger.Unsent(slot, engine.TimedOut, e.connections[i].freeSince(intended))
	case !e.submit(e.connections[i], wire.Load, intended, slot):
		e.connections[i].drop(slot)
	}
}
