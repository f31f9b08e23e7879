package goroutine

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// An arrivals plans the requests of an open loop: their times come from the pacer alone, whatever the server does.
type arrivals struct {
	held
	at   int64 // ns, start
	turn int   // the connection of the next request
}

func newArrivals(e *Routines, at int64, emit func(engine.Interval)) workload {
	e.accounts.Ledger, e.end = engine.NewLedger(&e.cfg, at, emit), e.cfg.End(at)
	a := &arrivals{held: held{e}, at: at}
	a.schedule()
	return a
}

func (a *arrivals) run() { a.e.pace(a.e.alive) }

// schedule asks the pacer for the next time.
func (a *arrivals) schedule() {
	a.e.due = pacing.Never
	if next := a.e.pacer.Next(); a.e.cfg.Active > 0 && next < a.e.end-a.at {
		a.e.due = a.at + next
	}
}

func (a *arrivals) begin(intended int64) {
	e, i := a.e, a.turn
	a.schedule()
	a.turn = (i + 1) % e.cfg.Active
	slot := e.accounts.Ledger.Plan(intended)
	switch {
	case !e.isOpen(i):
		e.accounts.Ledger.Settle(slot, engine.Failed)
	case !e.submit(e.connections[i], wire.Load, intended, slot):
		e.accounts.Ledger.Settle(slot, engine.Dropped)
	}
}
