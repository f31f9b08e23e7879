package epoll

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/wire"
)

// behind is how late, in ns, this loop gave the last place away where a newcomer that was due by then has none because of it.
// Below it lies what a punctual loop needs for those that are due together.
const behind = 1_000_000

// A newcomers is an open loop of visits: their times come from the pacer alone, whatever the server does. So many can be under
// way at once as there are places; one that finds none is dropped.
type newcomers struct {
	visits
	free  []int32 // places
	taken int64   // ns, when one was taken last
}

func newNewcomers(l *Loop) phase {
	m := &newcomers{free: make([]int32, len(l.connections))}
	m.visits = visits{held{l}, m.leave}
	for i := range m.free {
		m.free[i] = int32(len(m.free) - 1 - i)
	}
	m.l.schedule(len(m.l.connections) > 0)
	return m
}

// pump begins the visits that are due, but not so many that replies would have to wait for long.
func (m *newcomers) pump() {
	for range engine.WorkPerTurn {
		if m.l.looked = engine.Monotonic(); m.l.due > m.l.looked {
			return
		}
		intended := m.l.due
		if len(m.free) == 0 && m.l.caughtUp < max(intended, m.taken) {
			return // one may have left, and this loop has not seen it
		}
		m.l.schedule(len(m.l.connections) > 0)
		m.come(intended)
	}
}

func (m *newcomers) come(intended int64) {
	l, last := m.l, len(m.free)-1
	slot := l.accounts.Ledger.Plan(intended)
	switch {
	case last < 0: // the server has not come to the others; or this loop let these wait first
		l.accounts.Ledger.Unsent(slot, engine.Dropped, m.taken-intended > behind)
	case l.looked-intended >= int64(l.cfg.Timeout): // its time is over, and making it would make the others later still
		l.accounts.Ledger.Unsent(slot, engine.TimedOut, true)
	default:
		i := m.free[last]
		m.free = m.free[:last]
		// Its place in the slab is sure: there is room for more requests than connections.
		l.submit(i, wire.Load, intended, slot)
		l.accounts.Ledger.Began(slot, l.looked)
		l.dial(i)
		m.taken = engine.Monotonic()
	}
}

// begun is when it began to connect: what kept it from then on was the server.
func (m *newcomers) begun(c *connection, _ int64) int64 { return c.begun }

// leave takes a place back.
func (m *newcomers) leave(i int32, _ int64, _ bool) { m.free = append(m.free, i) }
