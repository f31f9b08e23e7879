package goroutine

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// An arrivals plans the requests of an open loop: their times come from the pacer alone, whatever the server does.
type arrivals struct {
	held
	at, until int64 // ns
	when      int64 // ns, the next
	turn      int   // its connection
}

var _ = register(newArrivals, engine.Open, engine.Ramp, engine.Capacity)

func newArrivals(e *Routines, at int64, emit func(engine.Interval)) workload {
	e.accounts.Ledger = engine.NewLedger(&e.cfg, at, emit)
	a := &arrivals{held: held{e}, at: at, until: e.cfg.End(at)}
	a.schedule()
	return a
}

func (a *arrivals) run() { a.e.pace(a.e.alive, a) }

func (a *arrivals) due() int64 { return a.when }
func (a *arrivals) end() int64 { return a.until }

// schedule asks the pacer for the next time.
func (a *arrivals) schedule() {
	a.when = pacing.Never
	if next := a.e.pacer.Next(); a.e.cfg.Active > 0 && next < a.until-a.at {
		a.when = a.at + next
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
