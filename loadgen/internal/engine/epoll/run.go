package epoll

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/pacing"

	"golang.org/x/sys/unix"
)

const eventsPerSend = 16 // replies handled before the loop looks whether a send is due

// poll waits until deadline for events and handles them. It tells how many came.
func (l *Loop) poll(deadline int64) int {
	events := l.watch.await(deadline)
	asked := l.watch.asked
	for i := range events {
		if i%eventsPerSend == 0 && l.due != pacing.Never && l.due <= engine.Monotonic() {
			l.phase.pump()
		}
		e := &events[i]
		if e.Fd < 0 {
			continue // the bell
		}
		if c := &l.connections[e.Fd]; c.generation == uint32(e.Pad) && c.fd >= 0 {
			l.handle(e.Fd, c, e.Events)
		}
	}
	if events != nil && len(events) < eventsPerWait {
		l.caughtUp = asked
	}
	return len(events)
}

// handle does what an event allows. An edge may tell of several things, and comes once.
func (l *Loop) handle(i int32, c *connection, events uint32) {
	generation := c.generation
	if c.state == connecting {
		l.shaken(i, c)
	}
	if events&incoming != 0 && c.generation == generation {
		l.receive(i, c, events&ending != 0)
	}
	if c.stuck && events&unix.EPOLLOUT != 0 && c.generation == generation {
		c.stuck = false
		l.flush(i, c)
	}
}

// offer pumps the phase whenever something is due, until its end has passed and all is settled.
func (l *Loop) offer() {
	for !l.stopped.Load() {
		l.phase.pump()
		now := engine.Monotonic()
		l.expire(now)
		l.accounts.Ledger.Look(now, l.due)
		if now >= l.end && l.due == pacing.Never && l.requests.oldest == nothing {
			return
		}
		until := min(l.due, l.oldestExpires())
		if now < l.end {
			until = min(until, l.accounts.Ledger.Boundary(), l.end)
		}
		l.poll(until)
	}
}

var _ engine.Engine = (*Loop)(nil)

// Run implements engine.Engine.
func (l *Loop) Run(at int64, emit func(engine.Interval)) (engine.Done, error) {
	if err := engine.InTime(at, engine.Monotonic()); err != nil {
		return engine.Done{}, err
	}
	l.ready(at, emit)
	for engine.Monotonic() < at && !l.stopped.Load() {
		l.poll(at)
	}
	l.watch.punctual()
	l.offer()
	l.finish()
	d := l.accounts.Done(l.watch.loopLag, l.watch.maxGap)
	l.phase.over(&d)
	return d, nil
}

// finish settles what is left of a load that is over or was stopped. Nothing follows it.
func (l *Loop) finish() {
	l.end, l.due = 0, pacing.Never
	l.accounts.Ledger.Finish()
	l.abandon(engine.Monotonic())
	l.linger()
}

// linger accounts for the replies of which only a part has come, after a while in which they may go on.
func (l *Loop) linger() {
	for most := engine.Monotonic() + engine.Linger; ; {
		l.catchUp()
		now, until := engine.Monotonic(), int64(0)
		for i := range l.connections {
			if c := &l.connections[i]; c.received > 0 {
				until = max(until, l.accounts.Undecided(l.rest(c), now))
			}
		}
		if until = min(until, most); until <= now || l.stopped.Load() {
			break
		}
		l.poll(until)
	}
	now := engine.Monotonic()
	for i := range l.connections {
		if c := &l.connections[i]; c.received > 0 {
			l.accounts.CutShort(l.rest(c), now, l.stopped.Load())
		}
	}
}

// catchUp handles what has come, of connections that go on talking once: whether they are silent is judged by what was read.
func (l *Loop) catchUp() {
	for n := 0; n <= len(l.connections) && l.poll(0) > 0; n += eventsPerWait {
	}
}

// rest is the state of the reply of which a part has come.
func (l *Loop) rest(c *connection) engine.Rest {
	return engine.Rest{Intended: l.requests.all[c.wire.head].intended, Heard: c.heard, Wrong: c.wrong}
}

// ready makes the workload the phase, for a load that starts at that time.
func (l *Loop) ready(at int64, emit func(engine.Interval)) {
	l.accounts.Ledger = engine.NewLedger(&l.cfg, at, emit)
	l.at, l.end = at, l.cfg.End(at)
	l.begin(nil)
	l.phase = l.work(l)
}
