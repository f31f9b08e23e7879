package epoll

import (
	"bytes"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/wire"

	"golang.org/x/sys/unix"
)

// readsPerEvent is after how many full buffers of one connection the others have their turn.
const readsPerEvent = 64

// receive reads what has arrived; toEnd: until the peer's end has been read too. A peer that talks without end is left for the
// next wait, or it would keep the loop for itself.
func (l *Loop) receive(i int32, c *connection, toEnd bool) {
	generation := c.generation
	for range readsPerEvent {
		n, errno := readSome(c.fd, l.in)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			return
		case errno != 0:
			l.lose(i, during(c, errs.Read), errs.CauseOf(errno), errno)
			return
		case n == 0:
			l.lose(i, during(c, errs.Read), errs.PeerClosed, 0)
			return
		}
		l.consume(i, c, l.in[:n])
		if (n < len(l.in) && !toEnd) || c.generation != generation {
			return
		}
		l.watch.now = engine.Monotonic() // the rest arrived later than the event
	}
	if errno := watchSocket(l.watch.ep, unix.EPOLL_CTL_MOD, c.fd, interest, i, generation); errno != 0 {
		l.lose(i, during(c, errs.Read), errs.CauseOf(errno), errno)
	}
}

// consume compares what has arrived with what was sent: a reply is right if every byte of it is. Replies have a fixed
// length, so a wrong one does not lose the place of the next.
func (l *Loop) consume(i int32, c *connection, b []byte) {
	generation := c.generation
	for len(b) > 0 {
		if c.wire.head == nothing {
			l.unasked(i, c, b)
			break
		}
		if c.stray {
			l.forget(i, c)
		}
		r := &l.requests.all[c.wire.head]
		if c.received < wire.HeaderBytes {
			wire.Rewrite(l.expected, l.header(r), r.sum)
		}
		n := min(len(b), len(l.expected)-int(c.received))
		if c.wrong || !bytes.Equal(b[:n], l.expected[c.received:int(c.received)+n]) {
			if at := l.next(c, b); at >= 0 {
				l.cut(i, c, b, at)
				if c.generation != generation {
					return
				}
				b = b[at:]
				continue
			}
			l.differs(i, c, r, b[:n])
		}
		c.received += int32(n)
		b = b[n:]
		if int(c.received) < len(l.expected) {
			c.heard = l.watch.now
			return
		}
		l.conclude(i, c)
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

// conclude settles the first request on the wire, whose whole reply has been read.
func (l *Loop) conclude(i int32, c *connection) {
	result := engine.Answered
	early := c.unsent > 0 && c.wire.head == c.wire.tail // nobody can echo what was not yet sent
	n := c.wire.pop(&l.requests)
	r := &l.requests.all[n]
	c.unseen += uint32(max(0, min(l.watch.late, l.watch.now-r.sent)) / 1000) // it may have been sent after that
	if c.wrong || early {
		result, c.wrong = engine.Mismatched, true
		l.classify(i, c, r.sequence)
	}
	c.onWire--
	c.received = 0
	flags := r.flags
	switch {
	case r.ended && result == engine.Answered: // nobody waited any more, and it is not late
	case r.settled:
		l.accounts.Afterwards(result == engine.Mismatched, flags, len(l.expected), l.watch.now)
	case r.sent == 0: // not even its first byte
		l.unsent(n, result, false)
	default:
		l.settle(n, result)
	}
	l.requests.release(n)
	l.phase.replied(i, c, flags, result, early)
}
