package goroutine

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// A cycle keeps a number of requests outstanding on every active connection: the next is due the think time after a reply.
// All think for the same time, so those that think are in the order of their turns. The first requests are spread over one think
// time, or all would for ever ask at once.
type cycle struct {
	held
	started  int // requests begun without a reply before them
	most     int // outstanding
	thinking engine.Ring
}

func newCycle(e *Routines) phase {
	most := min(e.cfg.Active*e.cfg.Pipeline, engine.MaxRequests)
	y := &cycle{held: held{e}, most: most, thinking: engine.NewRing(most)}
	y.schedule()
	return y
}

// schedule finds out when the next request is due; after the end there is none.
func (y *cycle) schedule() {
	y.e.due = y.thinking.Due()
	if y.started < y.most {
		y.e.due = y.e.at + int64(float64(y.e.cfg.ThinkTime)*float64(y.started)/float64(y.most))
	}
	if y.e.due >= y.e.end {
		y.e.due = pacing.Never
	}
}

func (y *cycle) begin(intended int64) {
	var i int
	if y.started < y.most {
		i = y.started % y.e.cfg.Active
		y.started++
	} else {
		i = int(y.thinking.Pop().Connection)
	}
	y.schedule()
	y.plan(i, intended)
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
	if due := now + int64(y.e.cfg.ThinkTime); due >= y.e.end {
		return
	} else if due == now {
		y.plan(c.index, now)
	} else if y.thinking.Push(engine.Turn{Connection: int32(c.index), Due: due}); y.thinking.Len() == 1 {
		y.schedule()
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
		e.connections[i].drop(slot)
	}
}
