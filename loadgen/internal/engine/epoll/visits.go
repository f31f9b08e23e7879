package epoll

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"

	"golang.org/x/sys/unix"
)

// A visits is what churn and newcomers share: each request has a connection of its own, which is closed after it. Its place in
// the array is free then: next gets its index, the time, and whether the server was reached.
type visits struct {
	held
	next func(i int32, now int64, reached bool)
}

// stood records a handshake of the window, and asks.
func (v *visits) stood(i int32, c *connection) {
	c.state = established
	l := v.l
	if r := c.waiting.head; r != nothing && l.accounts.Ledger.InWindow(l.requests.all[r].slot) {
		l.accounts.Connect.Record(l.watch.now - c.begun)
	}
	l.flush(i, c)
}

// replied hangs up, whether the reply was right or wrong: the client closes first.
func (v *visits) replied(i int32, c *connection, _ uint8, _ engine.Outcome, _ bool) { v.hangUp(i, c) }

// gaveUp closes the connection of a request that was settled without a reply.
func (v *visits) gaveUp(i int32, c *connection, o engine.Outcome, _ bool) {
	if o == engine.TimedOut {
		doing := errs.Read
		if c.state == connecting {
			doing = errs.Connect
		}
		v.l.accounts.Errors.Add(doing, errs.Timeout, 0, v.l.cfg.Number(int(i)))
		if c.received > 0 {
			v.l.accounts.Broken(c.wrong)
		}
	}
	v.hangUp(i, c)
}

func (v *visits) hangUp(i int32, c *connection) {
	v.l.disconnect(i, c)
	v.next(i, v.l.watch.now, true)
}

func (v *visits) lost(i int32, _ state, phase errs.Phase, _ errs.Cause, _ unix.Errno) {
	v.next(i, engine.Monotonic(), phase != errs.Connect)
}

// over leaves no connection, and none of them was lost.
func (v *visits) over(d *engine.Done) {
	d.Lost = 0
	for i := range v.l.connections {
		if c := &v.l.connections[i]; c.state != closed {
			v.l.disconnect(int32(i), c)
		}
	}
}
