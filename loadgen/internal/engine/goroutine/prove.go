package goroutine

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// A proving is the phase in which every connection that is open is asked for one echo.
type proving struct {
	held
	proved engine.Proved
	heard  int64 // when the newest echo came, ns
	isOver bool  // nobody else is asked
	next   int   // connection
	asked  int
	flying int // echoes
	most   int // of them
}

// Prove implements engine.Engine. An echo that does not come within the timeout has failed; its connection stays open. Once
// none has come for a whole timeout nobody else is asked: all others have failed too.
func (e *Routines) Prove(until int64) engine.Proved {
	ctx, cancel := e.before(until)
	defer cancel()
	p := &proving{held: held{e}, heard: engine.Monotonic(), most: e.cfg.UnderWay(engine.ProvesAtOnce)}
	e.done.Store(0)
	e.mu.Lock()
	e.phase, e.end = p, 0
	p.schedule()
	e.mu.Unlock()
	e.pace(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.abandon()
	for ; p.next < len(e.connections); p.next++ {
		if e.isOpen(p.next) {
			p.asked++
		}
	}
	p.proved.Failed = p.asked - p.proved.Verified
	return p.proved
}

// schedule lets the next connection be asked, if there is one and room for its echo.
func (p *proving) schedule() {
	p.e.due = 0
	if p.isOver || p.next == len(p.e.connections) || p.flying >= p.most {
		p.e.due = pacing.Never
	}
}

func (p *proving) begin(int64) {
	if e := p.e; e.isOpen(p.next) {
		p.asked++
		p.flying++
		if !e.submit(e.connections[p.next], wire.Prove, engine.Monotonic(), 0) {
			p.flying--
		}
	}
	p.next++
	p.schedule()
}

func (p *proving) settled(o engine.Outcome) {
	p.flying--
	p.e.done.Add(1)
	now := engine.Monotonic()
	switch {
	case o == engine.Answered:
		p.proved.Verified++
		p.heard = now
	case now-p.heard >= int64(p.e.cfg.Timeout):
		p.isOver = true
	}
	p.schedule()
	if p.flying == p.most/2 {
		p.e.poke() // others have waited for room
	}
}
