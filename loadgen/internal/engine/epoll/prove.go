package epoll

import (
	"c10k/loadgen/internal/engine"
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
func (l *Loop) Prove() engine.Proved {
	p := &proving{held: held{l}}
	l.begin(p)
	for l.poll(0) > 0 { // what was closed since is known before anything is asked
	}
	deadline := l.watch.now + int64(l.cfg.ArmTimeout)
	for {
		p.ask()
		l.expire(l.watch.clock.Now())
		all := p.next == len(l.connections)
		if (all && p.flying == 0) || l.watch.now >= deadline || l.stopped.Load() {
			break
		}
		until := min(deadline, l.oldestExpires())
		if !all && p.flying < engine.ProvesAtOnce {
			until = l.watch.now
		}
		l.poll(until)
	}
	l.abandon(l.watch.clock.Now())
	p.proved.Failed = p.asked - p.proved.Verified
	return p.proved
}

// ask asks some connections, but not so many that replies would have to wait for long.
func (p *proving) ask() {
	l := p.l
	for turn := 0; turn < engine.WorkPerTurn && p.next < len(l.connections) && p.flying < engine.ProvesAtOnce; p.next++ {
		if l.connections[p.next].state != established {
			continue
		}
		turn++
		p.asked++
		p.flying++
		if !l.submit(int32(p.next), wire.Prove, l.watch.clock.Now(), 0) {
			p.flying--
		}
	}
}

func (p *proving) settled(_ *request, o engine.Outcome) {
	p.flying--
	if o == engine.Answered {
		p.proved.Verified++
	}
}
