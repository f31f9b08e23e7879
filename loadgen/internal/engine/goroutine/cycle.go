package goroutine

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// A cycle keeps a number of requests outstanding on every active connection: the next is due the think time after a reply.
// All think for the same time, so those that think are in the order of their turns.
type cycle struct {
	held
	at, until int64 // ns
	started   bool
	thinking  engine.Ring
}

var _ = register(newCycle, engine.Closed)

func newCycle(e *Routines, at int64, emit func(engine.Interval)) workload {
	e.accounts.Ledger = engine.NewLedger(&e.cfg, at, emit)
	return &cycle{held: held{e}, at: at, until: e.cfg.End(at), thinking: engine.NewRing(e.cfg.Active * e.cfg.Pipeline)}
}

func (y *cycle) run() {
	y.e.pace(y.e.alive, y)
	y.e.mu.Lock()
	defer y.e.mu.Unlock()
	y.until = 0 // nothing follows what is given up now
}

func (y *cycle) due() int64 {
	due := y.thinking.Due()
	if !y.started {
		due = y.at
	}
	if due >= y.until {
		return pacing.Never
	}
	return due
}

func (y *cycle) end() int64 { return y.until }

func (y *cycle) begin(intended int64) {
	if y.started {
		y.plan(int(y.thinking.Pop().Connection), intended)
		return
	}
	y.started = true
	for range y.e.cfg.Pipeline {
		for i := range y.e.cfg.Active {
			y.plan(i, intended)
		}
	}
}

func (y *cycle) replied(c *connection, flags uint8) {
	if flags == wire.Load {
		y.next(c)
	}
}

// gaveUp lets another request follow that no reply will precede.
func (y *cycle) gaveUp(c *connection) { y.next(c) }

// next follows a request of a connection that is over.
func (y *cycle) next(c *connection) {
	now := engine.Monotonic()
	if due := now + int64(y.e.cfg.ThinkTime); due >= y.until {
		return
	} else if due == now {
		y.plan(c.index, now)
	} else if y.thinking.Push(engine.Turn{Connection: int32(c.index), Due: due}); y.thinking.Len() == 1 {
		y.e.poke()
	}
}

// plan gives a request to a connection. A lost one is asked no more.
func (y *cycle) plan(i int, intended int64) {
	e := y.e
	if !e.isOpen(i) {
		return
	}
	slot := e.accounts.Ledger.Plan(intended)
	if !e.submit(e.connections[i], wire.Load, intended, slot) {
		e.accounts.Ledger.Settle(slot, engine.Dropped)
	}
}
