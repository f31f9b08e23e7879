package engine

import (
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// A cycle keeps a number of requests outstanding on every active connection: the next is due the think time after a reply.
// All think for the same time, so those that think are in the order of their turns. The first requests are spread over one
// think time, or all would for ever ask at once.
type cycle struct {
	l        *Loop
	at       int64 // ns, start
	end      int64 // ns
	think    int64 // ns
	started  int   // requests begun without a reply before them
	most     int   // outstanding
	thinking ring
}

func newCycle(l *Loop, at int64, emit func(Interval)) *cycle {
	intervals := l.cfg.Warmup + l.cfg.Duration
	l.ledger = newLedger(at, l.cfg.Warmup, intervals, l.spread(), emit)
	most := min(l.cfg.Active*l.cfg.Pipeline, maxRequests)
	return &cycle{l: l, at: at, end: at + int64(intervals)*second, think: int64(l.cfg.ThinkTime), most: most,
		thinking: ring{items: make([]turn, most)}}
}

// run asks until the end, then waits until the last is settled.
func (y *cycle) run(l *Loop) {
	l.cycle = y
	y.schedule()
	l.offer(y.end, y.pump)
	l.cycle = nil // nothing follows what is given up now
	l.ledger.finish()
	l.abandon(l.clock.Now())
}

// schedule finds out when the next request is due; after the end there is none.
func (y *cycle) schedule() {
	due := y.thinking.due()
	if y.started < y.most {
		due = y.at + int64(float64(y.think)*float64(y.started)/float64(y.most))
	}
	if due >= y.end {
		due = pacing.Never
	}
	y.l.due = due
}

// pump begins what is due, but not so much that replies would have to wait for long.
func (y *cycle) pump() {
	l := y.l
	for range workPerTurn {
		intended := l.due
		if intended > l.clock.Now() {
			return
		}
		var i int32
		if y.started < y.most {
			i = int32(y.started % l.cfg.Active)
			y.started++
		} else {
			i = y.thinking.pop().connection
		}
		y.schedule()
		y.plan(i, intended)
		if c := &l.connections[i]; !c.stuck && c.state == established {
			l.flush(i, c)
		}
	}
}

// next follows a reply: at once, unless it must think or others have their turn before it. The caller sends it.
func (y *cycle) next(i int32) {
	due := y.l.now + y.think
	switch {
	case due >= y.end:
	case y.think == 0 && y.started == y.most && y.thinking.count == 0:
		y.plan(i, due)
	default:
		y.thinking.push(turn{i, due})
		y.schedule()
	}
}

// plan gives a request to a connection. A lost one is asked no more.
func (y *cycle) plan(i int32, intended int64) {
	l := y.l
	if l.connections[i].state != established {
		return
	}
	slot := l.ledger.plan(intended)
	if !l.enqueue(i, wire.Load, intended, slot) {
		l.ledger.settle(slot, dropped)
	}
}
