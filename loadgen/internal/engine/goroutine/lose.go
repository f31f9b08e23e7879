package goroutine

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
)

// lose accounts for a connection that is no more, and for all that was asked of it.
func (c *connection) lose(phase errs.Phase, err error) {
	a := &c.e.accounts
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	if c.lost {
		return
	}
	if c.have > 0 && !c.stray {
		a.Integrity.Truncated++
	}
	cause, errno := causeOf(err)
	a.Errors.Add(phase, cause, errno, c.e.cfg.Number(c.index))
	a.Open--
	c.end()
}

// end closes the connection; what was still asked of it has failed.
func (c *connection) end() {
	if c.lost {
		return
	}
	c.lost = true
	_ = c.conn.Close()
	for _, queue := range [][]*request{c.wire, c.waiting} {
		for _, r := range queue {
			if !r.settled {
				c.e.settle(r, engine.Failed, 0)
			}
		}
	}
	c.wire, c.waiting = nil, nil
	c.ready.Broadcast()
}

// hangUp closes every connection and waits until its goroutines have ended.
func (e *Routines) hangUp() {
	e.mu.Lock()
	for _, c := range e.connections {
		if c != nil {
			c.end()
		}
	}
	e.mu.Unlock()
	e.running.Wait()
}

// Close implements engine.Engine.
func (e *Routines) Close() {
	e.stop()
	e.hangUp()
}
