package engine

import (
	"time"

	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// Arm implements Engine. Handshakes follow the connect rate, at most connectsAtOnce at a time, and each connection is
// verified as soon as it stands, while others still connect. The workload churn holds none: it tries one.
func (l *Loop) Arm(total int) (Armed, error) {
	l.begin()
	total = min(total, len(l.connections))
	if l.cfg.Workload == Churn {
		total = min(1, total)
	}
	l.arming = total
	start := l.now
	deadline := start + int64(l.cfg.ArmTimeout)
	for dialled := 0; l.arming > 0 && l.now < deadline && !l.stopped.Load(); {
		next := int64(pacing.Never)
		for turn := 0; dialled < total && l.shaking < connectsAtOnce; turn++ {
			next = l.dialDue(start, dialled)
			if turn == workPerTurn || next > l.clock.Now() {
				break
			}
			l.dial(int32(dialled))
			dialled++
			next = pacing.Never
		}
		if l.arming > 0 {
			l.poll(min(deadline, next))
		}
	}
	l.giveUpArming(total)
	if l.cfg.Workload == Churn && total > 0 {
		l.disconnect(&l.connections[0])
		l.open = 0
		l.connect.Reset() // it is to hold the connects of the window
	}
	return Armed{Connected: l.connected, Verified: l.verified, Failed: l.armFailed.Keys()}, nil
}

// dialDue is when connection i of a paced ramp may begin, in ns.
func (l *Loop) dialDue(start int64, i int) int64 {
	if l.cfg.ConnectRate == 0 {
		return start
	}
	return start + int64(float64(i)/l.cfg.ConnectRate*float64(time.Second))
}

// giveUpArming closes what is not verified in time, so that a connection is open exactly if it was verified.
func (l *Loop) giveUpArming(total int) {
	for i := range l.connections[:total] {
		switch l.connections[i].state {
		case connecting:
			l.lose(int32(i), errs.Connect, errs.Timeout, 0)
		case verifying:
			l.lose(int32(i), errs.Verify, errs.Timeout, 0)
		}
	}
	for range l.arming { // never begun
		l.armFailed.Add(errs.Connect, errs.Timeout, 0, l.cfg.FirstConnection+uint32(total-1))
	}
	l.arming = 0
}

// Prove implements Engine. An echo that does not come within the timeout has failed; its connection stays open.
func (l *Loop) Prove() Proved {
	l.begin()
	for l.poll(0) > 0 { // what was closed since is known before anything is asked
	}
	l.proved, l.proving = Proved{}, 0
	deadline := l.now + int64(l.cfg.ArmTimeout)
	asked := 0
	for next := 0; ; {
		for turn := 0; turn < workPerTurn && next < len(l.connections) && l.proving < provesAtOnce; next++ {
			if l.connections[next].state != established {
				continue
			}
			turn++
			asked++
			l.proving++
			if !l.submit(int32(next), wire.Prove, l.clock.Now(), 0) {
				l.proving--
			}
		}
		l.expire(l.clock.Now())
		if (next == len(l.connections) && l.proving == 0) || l.now >= deadline || l.stopped.Load() {
			break
		}
		until := min(deadline, l.oldestExpires())
		if next < len(l.connections) && l.proving < provesAtOnce {
			until = l.now
		}
		l.poll(until)
	}
	l.abandon(l.clock.Now())
	l.proved.Failed = asked - l.proved.Verified
	return l.proved
}
