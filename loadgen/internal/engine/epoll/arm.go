package epoll

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"

	"golang.org/x/sys/unix"
)

// An arming is the phase in which connections are made, and each is verified as soon as it stands, while others still connect.
type arming struct {
	held
	start    int64 // ns
	deadline int64 // ns
	first    int   // connection
	total    int
	left     int                             // connections neither verified nor failed
	resting  [engine.MostRetries]engine.Ring // those to be tried again, by the number of the retry
	window   engine.Window
}

// Arm implements engine.Engine. Connections are begun at the connect rate, as far as the window lets them. A burst has no window:
// that too many come at once is what it is for.
func (l *Loop) Arm(total int, until int64) (engine.Armed, error) {
	total = min(total, len(l.connections))
	if !l.traits.ConnectsAhead {
		total = min(1, total)
	}
	a := &arming{held: held{l}, first: l.dialled, total: total, left: max(0, total-l.dialled)}
	a.window = engine.NewWindow(l.cfg.UnderWay(engine.ConnectsAtOnce))
	l.begin(a)
	l.done.Store(int64(l.accounts.Armed.Verified))
	a.start = l.watch.now
	a.deadline = until
	for a.left > 0 && l.watch.now < a.deadline && !l.stopped.Load() {
		next := a.dialSome()
		if a.left > 0 {
			l.poll(min(a.deadline, next))
		}
	}
	a.giveUp()
	if !l.traits.ConnectsAhead && total > 0 {
		l.accounts.HoldsNone()
	}
	return l.accounts.ArmedSoFar(), nil
}

// dialSome begins the handshakes that are due, but not so many that replies would have to wait for long. It returns when
// the next is due, in ns.
func (a *arming) dialSome() int64 {
	l := a.l
	for range engine.WorkPerTurn {
		if a.isFull() {
			return pacing.Never
		}
		fresh := pacing.Never
		if l.dialled < a.total {
			fresh = l.cfg.DialDue(a.start, l.dialled-a.first)
		}
		again, queue := a.rested()
		if due := min(fresh, again); due > engine.Monotonic() {
			return due
		}
		if fresh < again {
			l.dial(int32(l.dialled))
			l.dialled++
			continue
		}
		l.accounts.Armed.Retries++
		l.dial(queue.Pop().Connection)
	}
	return l.watch.now
}

// isFull tells whether as many connections are under way as may be; of a burst, as many handshakes.
func (a *arming) isFull() bool {
	l := a.l
	if l.cfg.ConnectRate == 0 {
		return l.shaking >= l.cfg.UnderWay(engine.ConnectsAtOnce)
	}
	underWay := a.left - (a.total - l.dialled)
	for k := range a.resting {
		underWay -= a.resting[k].Len()
	}
	return underWay >= a.window.Room()
}

func (a *arming) stood(i int32, c *connection) {
	l := a.l
	l.accounts.Connected(l.watch.now - c.begun)
	a.window.Stood(l.watch.now-c.begun, l.watch.now)
	if !l.traits.Verifies {
		c.state = established
		a.left--
		l.accounts.Open++
		l.done.Add(1)
		return
	}
	c.state = verifying
	l.submit(i, wire.Arm, l.watch.now, 0)
}

func (a *arming) unreached(i int32, cause errs.Cause, errno unix.Errno) {
	if !a.retry(i, cause, errno) {
		a.l.lose(i, errs.Connect, cause, errno)
	}
}

// retry lets a handshake that failed be tried again, if that may help and there is time; false: it has failed for good.
func (a *arming) retry(i int32, cause errs.Cause, errno unix.Errno) bool {
	l, c := a.l, &a.l.connections[i]
	retries := c.retries
	due := engine.Monotonic() + engine.FirstBackoff<<retries
	if !engine.Passing(cause, errno) || retries == engine.MostRetries || due >= a.deadline {
		return false
	}
	l.disconnect(i, c)
	c.state, c.retries = resting, retries+1
	ring := &a.resting[retries] // all in it rest for the same time, so they are in order
	if ring.Room() == 0 {
		*ring = engine.NewRing(len(l.connections))
	}
	ring.Push(engine.Turn{Connection: i, Due: due})
	return true
}

// rested is when the next connection may be tried again, in ns, and the queue that it is in.
func (a *arming) rested() (int64, *engine.Ring) {
	due, first := pacing.Never, &a.resting[0]
	for k := range a.resting {
		if r := &a.resting[k]; r.Due() < due {
			due, first = r.Due(), r
		}
	}
	return due, first
}

func (a *arming) replied(i int32, c *connection, flags uint8, o engine.Outcome, early bool) {
	switch {
	case c.state != verifying:
		a.held.replied(i, c, flags, o, early)
	case o == engine.Answered:
		c.state = established
		a.left--
		a.l.accounts.Verified()
		a.l.done.Add(1)
		if !a.l.traits.ConnectsAhead { // as the workload does, and whatever the peer does then
			a.l.disconnect(i, c)
		}
	default:
		a.l.lose(i, errs.Verify, errs.Mismatched, 0)
	}
}

func (a *arming) lost(i int32, was state, phase errs.Phase, cause errs.Cause, errno unix.Errno) {
	switch was {
	case connecting, resting, verifying:
		a.l.accounts.NotArmed.Add(phase, cause, errno, a.l.cfg.Number(int(i)))
		a.left--
	default:
		a.held.lost(i, was, phase, cause, errno)
	}
}

// giveUp closes what is not verified in time, so that a connection is open exactly if it was verified.
func (a *arming) giveUp() {
	l := a.l
	for i := range l.connections[:a.total] {
		switch l.connections[i].state {
		case connecting, resting:
			l.lose(int32(i), errs.Connect, errs.Timeout, 0)
		case verifying:
			cause := errs.Timeout
			if l.connections[i].wrong { // it did answer
				cause = errs.Mismatched
			}
			l.lose(int32(i), errs.Verify, cause, 0)
		}
	}
	for ; l.dialled < a.total; l.dialled++ { // never begun
		l.accounts.NotArmed.Add(errs.Connect, errs.Timeout, 0, l.cfg.Number(l.dialled))
	}
}
