package epoll

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// A proving is the phase in which every connection that is open is asked for one echo.
type proving struct {
	held
	proved   engine.Proved
	deadline int64 // ns
	heard    int64 // when the newest echo came, ns
	isOver   bool  // nobody else is asked
	next     int   // connection
	asked    int
	flying   int // echoes
	most     int // of them
}

// Prove implements engine.Engine. An echo that does not come within the timeout has failed; its connection stays open. Once
// none has come for a whole timeout nobody else is asked: all others have failed too.
func (l *Loop) Prove(until int64) engine.Proved {
	p := &proving{held: held{l}, most: l.cfg.UnderWay(engine.ProvesAtOnce)}
	l.begin(p)
	l.catchUp() // what was closed since is known before anything is asked
	p.heard = engine.Monotonic()
	p.deadline, l.end = until, 0
	l.offer()
	l.abandon(engine.Monotonic())
	for ; p.next < len(l.connections); p.next++ {
		if l.connections[p.next].state == established {
			p.asked++
		}
	}
	p.proved.Failed = p.asked - p.proved.Verified
	return p.proved
}

// pump asks some connections, but not so many that replies would have to wait for long.
func (p *proving) pump() {
	l := p.l
	if l.watch.now >= p.deadline {
		p.isOver = true
		l.abandon(l.watch.now)
	}
	for turn := 0; !p.isOver && turn < engine.WorkPerTurn && p.next < len(l.connections) && p.flying < p.most; p.next++ {
		if l.connections[p.next].state != established {
			continue
		}
		turn++
		p.asked++
		p.flying++
		if !l.submit(int32(p.next), wire.Prove, engine.Monotonic(), 0) {
			p.flying--
		}
	}
	switch {
	case !p.isOver && p.next < len(l.connections) && p.flying < p.most:
		l.due = l.watch.now
	case p.flying > 0:
		l.due = p.deadline
	default:
		l.due = pacing.Never
	}
}

func (p *proving) settled(o engine.Outcome) {
	p.flying--
	p.l.done.Add(1)
	p.l.due = p.l.watch.now // there is room to ask another, or nothing left to wait for
	switch {
	case o == engine.Answered:
		p.proved.Verified++
		p.heard = p.l.watch.now
	case p.l.watch.now-p.heard >= int64(p.l.cfg.Timeout):
		p.isOver = true
	}
}
