package epoll

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// A cycle keeps a number of requests outstanding on every active connection: the next is due the think time after a reply.
// All think for the same time, so those that think are in the order of their turns. The first requests are spread over one
// think time, or all would for ever ask at once.
type cycle struct {
	held
	think    int64 // ns
	started  int   // requests begun without a reply before them
	most     int   // outstanding
	thinking engine.Ring
}

func newCycle(l *Loop) phase {
	most := min(l.cfg.Active*l.cfg.Pipeline, engine.MaxRequests)
	y := &cycle{held: held{l}, think: int64(l.cfg.ThinkTime), most: most, thinking: engine.NewRing(most)}
	y.schedule()
	return y
}

// schedule finds out when the next request is due; after the end there is none.
func (y *cycle) schedule() {
	due := y.thinking.Due()
	if y.started < y.most {
		due = y.l.at + int64(float64(y.think)*float64(y.started)/float64(y.most))
	}
	if due >= y.l.end {
		due = pacing.Never
	}
	y.l.due = due
}

// pump begins what is due, but not so much that replies would have to wait for long.
func (y *cycle) pump() {
	l := y.l
	for range engine.WorkPerTurn {
		intended := l.due
		if l.looked = engine.Monotonic(); intended > l.looked {
			return
		}
		var i int32
		if y.started < y.most {
			i = int32(y.started % l.cfg.Active)
			y.started++
		} else {
			i = y.thinking.Pop().Connection
		}
		y.schedule()
		y.plan(i, intended)
		if c := &l.connections[i]; !c.stuck && c.state == established {
			l.flush(i, c)
		}
	}
}

func (y *cycle) replied(i int32, _ *connection, flags uint8, _ engine.Outcome, early bool) {
	switch {
	case early:
		y.l.lose(i, errs.Read, errs.Mismatched, 0)
	case flags == wire.Load:
		y.next(i)
	}
}

// gaveUp lets another request follow that no reply will precede; else it follows the reply.
func (y *cycle) gaveUp(i int32, _ *connection, _ engine.Outcome, onWire bool) {
	if !onWire {
		y.next(i)
	}
}

// next follows a reply: at once, unless it must think or others have their turn before it. The caller sends it.
func (y *cycle) next(i int32) {
	due := y.l.watch.now + y.think
	switch {
	case due >= y.l.end:
	case y.think == 0 && y.started == y.most && y.thinking.Len() == 0:
		y.plan(i, due)
	default:
		y.thinking.Push(engine.Turn{Connection: i, Due: due})
		y.schedule()
	}
}

// plan gives a request to a connection. A lost one is asked no more.
func (y *cycle) plan(i int32, intended int64) {
	l := y.l
	if l.connections[i].state != established {
		return
	}
	slot := l.accounts.Ledger.Plan(intended)
	if !l.enqueue(i, wire.Load, intended, slot) {
		l.drop(i, slot)
	}
}
