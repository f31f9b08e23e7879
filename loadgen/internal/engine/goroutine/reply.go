package goroutine

import (
	"bytes"
	"net"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/wire"

	"golang.org/x/sys/unix"
)

// read takes in replies until there are no more.
func (c *connection) read() {
	for {
		n, err := c.conn.Read(c.reply[c.have:])
		if err != nil {
			c.lose(err)
			return
		}
		c.heed(n, engine.Monotonic())
	}
}

// heed accounts for n bytes that came, and judges every reply that they make whole, in one piece: whoever else looks at the
// connection finds no whole reply that is not yet accounted for.
func (c *connection) heed(n int, now int64) {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	if c.lost { // meanwhile, and so are its requests
		return
	}
	size := c.e.cfg.PayloadBytes
	for c.came(n, now); c.have >= size; {
		r, want := c.first()
		verdict := classify(c.reply[:size], want, c.e.filler, r == nil)
		next := size
		if r != nil && verdict != (engine.Integrity{}) {
			if at := wire.Begins(c.reply[1:c.have], size) + 1; at > 0 && at < size {
				next = at
			}
		}
		c.concluded(r, verdict, next, now)
	}
}

// came adds n bytes to the reply. What nobody asked for is forgotten as soon as somebody asks, so that it does not shift the
// replies.
func (c *connection) came(n int, now int64) {
	if len(c.wire) == 0 {
		c.e.accounts.Surplus += int64(n)
		c.stray = true
	} else if c.stray {
		copy(c.reply, c.reply[c.have:c.have+n])
		c.have, c.stray = 0, false
	}
	c.have += n
	c.heard = now
}

// first is the request to which the whole reply belongs, or nil if there is none, and the record that it should be.
func (c *connection) first() (*request, wire.Header) {
	if c.stray || len(c.wire) == 0 {
		return nil, c.header(wire.Load, c.sequence, 0)
	}
	r := c.wire[0]
	return r, c.header(r.flags, r.sequence, r.intended)
}

// concluded accounts for a whole reply, or for what of it came before the next record begins, and keeps what is behind that.
func (c *connection) concluded(r *request, verdict engine.Integrity, next int, now int64) {
	e := c.e
	part, rest := c.reply[:next], c.reply[next:c.have]
	switch {
	case r == nil:
		e.unasked(verdict)
	case next < len(e.filler) && wire.Continues(c.expected(r), rest): // what stands before it is surplus
		e.accounts.Surplus += int64(next)
	default:
		if next < len(e.filler) {
			e.accounts.Torn(c.differs(r, part))
			if !r.settled {
				e.settle(r, engine.Mismatched, now)
			}
		} else {
			e.conclude(r, verdict, now)
		}
		c.unseen += max(0, min(e.away, now-r.sent))
		c.wire = c.wire[1:]
		c.ready.Signal()
		e.phase.replied(c, r.flags)
	}
	c.have = copy(c.reply, rest)
	if r == nil {
		c.stray = c.have > 0
	} else if len(c.wire) == 0 && c.have > 0 { // nobody waits for what is behind
		e.accounts.Surplus += int64(c.have)
		c.stray = true
	}
}

// classify names the fault of a whole reply where the record want was expected: one class is 1, or none if every byte
// is right. Filler is a record of the same size with the filler that all records of the trial share.
func classify(reply []byte, want wire.Header, filler []byte, unasked bool) (verdict engine.Integrity) {
	got, err := wire.Decode(reply)
	if err != nil || got != want || !bytes.Equal(reply[wire.HeaderBytes:], filler[wire.HeaderBytes:]) {
		verdict.Blame(got, err, want, unasked)
	}
	return verdict
}

// begun tells whether a part of a reply that somebody waits for has come.
func (c *connection) begun() bool {
	return c != nil && !c.lost && !c.stray && c.have > 0 && c.have < len(c.e.filler)
}

// rest is the state of that reply.
func (c *connection) rest() engine.Rest {
	return engine.Rest{Intended: c.wire[0].intended, Heard: c.heard, Wrong: c.differs(c.wire[0], c.reply[:c.have])}
}

// expected is the record that a request sent.
func (c *connection) expected(r *request) []byte {
	record := c.record()
	wire.Encode(record, c.header(r.flags, r.sequence, r.intended))
	return record
}

// differs tells whether a part of the reply to a request is not what was sent.
func (c *connection) differs(r *request, part []byte) bool {
	return !bytes.Equal(part, c.expected(r)[:len(part)])
}

// unread is how many bytes wait to be received; 0 where that cannot be known.
func unread(conn *net.TCPConn) (n int) {
	raw, err := conn.SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	}
	return n
}
