package goroutine

import (
	"context"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// A proving is the phase in which every connection that is open is asked for one echo.
type proving struct {
	held
	proved engine.Proved
	next   int // connection
	asked  int
	flying int // echoes
}

// Prove implements engine.Engine. An echo that does not come within the timeout has failed; its connection stays open.
func (e *Routines) Prove() engine.Proved {
	ctx, cancel := context.WithTimeout(e.alive, e.cfg.ArmTimeout)
	defer cancel()
	p := &proving{held: held{e}}
	e.mu.Lock()
	e.phase, e.end = p, 0
	p.schedule()
	e.mu.Unlock()
	e.pace(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.abandon()
	p.proved.Failed = p.asked - p.proved.Verified
	return p.proved
}

// schedule lets the next connection be asked, if there is one and room for its echo.
func (p *proving) schedule() {
	p.e.due = 0
	if p.next == len(p.e.connections) || p.flying >= engine.ProvesAtOnce {
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
	p.schedule()
	if o == engine.Answered {
		p.proved.Verified++
	}
	if p.flying == engine.ProvesAtOnce/2 {
		p.e.poke() // others have waited for room
	}
}
