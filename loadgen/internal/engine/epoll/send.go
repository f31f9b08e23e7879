package epoll

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/wire"

	"golang.org/x/sys/unix"
)

// submit plans one record on a connection and sends it if it may be sent; false: there was no room.
func (l *Loop) submit(i int32, flags uint8, intended int64, slot uint16) bool {
	if !l.enqueue(i, flags, intended, slot) {
		return false
	}
	if c := &l.connections[i]; !c.stuck && (c.state == established || c.state == verifying) {
		l.flush(i, c)
	}
	return true
}

// enqueue plans one record on a connection; false: there was no room.
func (l *Loop) enqueue(i int32, flags uint8, intended int64, slot uint16) bool {
	n := l.requests.take()
	if n == nothing {
		return false
	}
	r := &l.requests.all[n]
	r.intended, r.flags, r.slot, r.owner = intended, flags, slot, i
	r.tardy = l.looked-intended > int64(l.cfg.Timeout)/2
	r.unseen = l.connections[i].unseen
	l.connections[i].waiting.push(&l.requests, n)
	return true
}

// flush writes what the connection may have on the wire, until its socket is full.
func (l *Loop) flush(i int32, c *connection) {
	for {
		if c.unsent == 0 {
			if c.waiting.head == nothing || int(c.onWire) >= l.cfg.Pipeline {
				break
			}
			l.start(c)
		} else { // the buffer has served others since
			r := &l.requests.all[c.wire.tail]
			wire.Rewrite(l.out, l.header(r), r.sum)
		}
		now := engine.Monotonic()
		n, errno := writeSome(c.fd, l.out[len(l.out)-int(c.unsent):])
		if errno == unix.EINTR {
			continue
		}
		if errno == unix.EAGAIN {
			c.stuck = true
			return
		}
		if errno != 0 {
			l.broken(i, c, errno)
			return
		}
		if r := &l.requests.all[c.wire.tail]; r.sent == 0 {
			r.sent = now
			// One that timed out meanwhile is written all the same, to keep step, but counts as never sent.
			if r.flags == wire.Load && !r.settled {
				l.accounts.Ledger.Sent(r.slot, r.intended, l.phase.begun(c, now), now)
			}
		}
		c.unsent -= int32(n)
	}
	c.stuck = false
}

// broken loses a connection that cannot be written to, after reading what its peer had said before.
func (l *Loop) broken(i int32, c *connection, errno unix.Errno) {
	generation := c.generation
	c.stuck = true // nothing is written meanwhile
	for c.generation == generation {
		n, failure := readSome(c.fd, l.in)
		if failure == unix.EINTR {
			continue
		}
		if n <= 0 || failure != 0 {
			l.lose(i, during(c, errs.Write), errs.CauseOf(errno), errno)
			return
		}
		l.watch.now = engine.Monotonic()
		l.consume(i, c, l.in[:n])
	}
}

// start moves the first waiting request to the wire, gives it its sequence and encodes it.
func (l *Loop) start(c *connection) {
	n := c.waiting.pop(&l.requests)
	c.wire.push(&l.requests, n)
	r := &l.requests.all[n]
	r.onWire = true
	r.sequence = c.sequence
	c.sequence++
	c.onWire++
	c.unsent = int32(len(l.out))
	r.sum = wire.Encode(l.out, l.header(r))
}
