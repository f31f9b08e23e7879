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
	start, first := l.now, l.dialled
	l.arming = max(0, total-first)
	l.deadline = start + int64(l.cfg.ArmTimeout)
	for l.arming > 0 && l.now < l.deadline && !l.stopped.Load() {
		next := l.dialSome(start, first, total)
		if l.arming > 0 {
			l.poll(min(l.deadline, next))
		}
	}
	l.giveUpArming(total)
	if l.cfg.Workload == Churn && total > 0 {
		l.disconnect(0, &l.connections[0])
		l.open = 0
		l.connect.Reset() // it is to hold the connects of the window
	}
	return Armed{Connected: l.connected, Verified: l.verified, Failed: l.armFailed.Keys(), Retries: l.retries, SYNRetries: l.syns}, nil
}

// dialSome begins the handshakes that are due, but not so many that replies would have to wait for long. It returns when
// the next is due, in ns.
func (l *Loop) dialSome(start int64, first, total int) int64 {
	for range workPerTurn {
		if l.shaking >= connectsAtOnce {
			return pacing.Never
		}
		fresh := pacing.Never
		if l.dialled < total {
			fresh = l.dialDue(start, l.dialled-first)
		}
		again, queue := l.rested()
		if due := min(fresh, again); due > l.clock.Now() {
			return due
		}
		if fresh < again {
			l.dial(int32(l.dialled))
			l.dialled++
			continue
		}
		l.retries++
		l.dial(queue.pop().connection)
	}
	return l.now
}

// dialDue is when handshake i of a paced ramp may begin, in ns.
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
		case connecting, resting:
			l.lose(int32(i), errs.Connect, errs.Timeout, 0)
		case verifying:
			l.lose(int32(i), errs.Verify, errs.Timeout, 0)
		}
	}
	for ; l.dialled < total; l.dialled++ { // never begun
		l.armFailed.Add(errs.Connect, errs.Timeout, 0, l.cfg.FirstConnection+uint32(l.dialled))
	}
	for k := range l.resting {
		l.resting[k].count = 0
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
