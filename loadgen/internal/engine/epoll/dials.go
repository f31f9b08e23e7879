package epoll

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/pacing"
)

// A dials knows which connections arming has tried, and which are to be tried again.
type dials struct {
	begun    int   // connections that had their first attempt
	shaking  int   // handshakes in flight
	deadline int64 // ns, of arming
	resting  [engine.MostRetries]engine.Ring
}

// rest lets a connection wait for its retry of that number, from 0. All of a number rest for the same time, so they are in
// order. There are so many connections in all.
func (d *dials) rest(i int32, retry uint8, due int64, connections int) {
	ring := &d.resting[retry]
	if ring.Room() == 0 {
		*ring = engine.NewRing(connections)
	}
	ring.Push(engine.Turn{Connection: i, Due: due})
}

// rested is when the next connection may be tried again, in ns, and the queue that it is in.
func (d *dials) rested() (int64, *engine.Ring) {
	due, first := pacing.Never, &d.resting[0]
	for k := range d.resting {
		if r := &d.resting[k]; r.Due() < due {
			due, first = r.Due(), r
		}
	}
	return due, first
}

// over lets no connection wait any more.
func (d *dials) over() {
	for k := range d.resting {
		d.resting[k].Clear()
	}
}
