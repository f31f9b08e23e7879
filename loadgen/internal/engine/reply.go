package engine

import (
	"bytes"

	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/wire"

	"golang.org/x/sys/unix"
)

// receive reads what has arrived; toEnd: until the peer's end has been read too.
func (l *Loop) receive(i int32, c *connection, toEnd bool) {
	generation := c.generation
	for {
		n, errno := readSome(c.fd, l.in)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			return
		case errno != 0:
			l.lose(i, l.phase(c, errs.Read), errs.CauseOf(errno), errno)
			return
		case n == 0:
			l.lose(i, l.phase(c, errs.Read), errs.PeerClosed, 0)
			return
		}
		l.consume(i, c, l.in[:n])
		if (n < len(l.in) && !toEnd) || c.generation != generation {
			return
		}
		l.now = l.clock.Now() // the rest arrived later than the event
	}
}

// consume compares what has arrived with what was sent: a reply is right if every byte of it is. Replies have a fixed
// length, so a wrong one does not lose the place of the next.
func (l *Loop) consume(i int32, c *connection, b []byte) {
	if l.cfg.Workload == Calibrate {
		return
	}
	generation := c.generation
	for len(b) > 0 {
		if c.wire.head == nothing {
			l.unasked(i, c, b)
			break
		}
		if c.stray {
			l.forget(i, c)
		}
		r := &l.slab.requests[c.wire.head]
		if c.received < wire.HeaderBytes {
			wire.Rewrite(l.expected, l.header(r), r.sum)
		}
		n := min(len(b), len(l.expected)-int(c.received))
		if c.wrong || !bytes.Equal(b[:n], l.expected[c.received:int(c.received)+n]) {
			l.differs(i, c, r, b[:n])
		}
		c.received += int32(n)
		b = b[n:]
		if int(c.received) < len(l.expected) {
			return
		}
		l.replied(i, c)
		if c.generation != generation {
			l.unasked(i, c, b)
			l.forget(i, c)
			return
		}
	}
	if !c.stuck {
		l.flush(i, c)
	}
}

// replied settles the first request on the wire, whose whole reply has been read.
func (l *Loop) replied(i int32, c *connection) {
	result := answered
	early := c.unsent > 0 && c.wire.head == c.wire.tail // nobody can echo what was not yet sent
	n := c.wire.pop(&l.slab)
	r := &l.slab.requests[n]
	if c.wrong || early {
		result, c.wrong = mismatched, true
		l.classify(i, c, r.sequence)
	}
	c.onWire--
	c.received = 0
	switch {
	case !r.settled:
		l.settle(n, result)
	case result == mismatched:
		l.surplus += int64(len(l.expected)) // counted as timed out already, but nobody asked for this
	case r.flags == wire.Load:
		l.integrity.Late++
	}
	l.slab.release(n)
	switch {
	case l.cycle != nil && r.flags == wire.Load && !early:
		l.cycle.next(i)
	case l.churn != nil:
		l.hangUp(i, c)
	case c.state == verifying && result == answered:
		c.state = established
		l.arming--
		l.verified++
		l.open++
	case c.state == verifying:
		l.lose(i, errs.Verify, errs.Mismatched, 0)
	case early:
		l.lose(i, errs.Read, errs.Mismatched, 0)
	}
}
