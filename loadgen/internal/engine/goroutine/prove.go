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
	e.enter(p)
	e.pace(ctx, p)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.abandon()
	p.proved.Failed = p.asked - p.proved.Verified
	return p.proved
}

func (p *proving) end() int64 { return 0 }

func (p *proving) due() int64 {
	for p.next < len(p.e.connections) && !p.e.isOpen(p.next) {
		p.next++
	}
	if p.next == len(p.e.connections) || p.flying >= engine.ProvesAtOnce {
		return pacing.Never
	}
	return 0
}

func (p *proving) begin(int64) {
	p.asked++
	p.flying++
	if !p.e.submit(p.e.connections[p.next], wire.Prove, engine.Monotonic(), 0) {
		p.flying--
	}
	p.next++
}

func (p *proving) settled(_ *request, o engine.Outcome, _ int64) {
	p.flying--
	if o == engine.Answered {
		p.proved.Verified++
	}
	if p.flying == engine.ProvesAtOnce/2 {
		p.e.poke() // others have waited for room
	}
}
