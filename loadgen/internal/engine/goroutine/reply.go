package goroutine

import (
	"bytes"
	"net"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/wire"

	"golang.org/x/sys/unix"
)

// read takes in replies until there are no more.
func (c *connection) read() {
	reply := make([]byte, c.e.cfg.PayloadBytes)
	c.reply = reply
	for {
		n, err := c.conn.Read(reply[c.have:])
		if err != nil {
			c.lose(errs.Read, err)
			return
		}
		now := engine.Monotonic()
		if r, want := c.arrived(reply, n, now); c.have == 0 {
			c.concluded(r, classify(reply, want, c.e.filler, r == nil), now)
		}
	}
}

// arrived adds n bytes to the reply; have is 0 if it is whole. Then want is the record that it should be, and r its request,
// or nil if there is none. What nobody asked for is forgotten as soon as somebody asks, so that it does not shift the replies.
func (c *connection) arrived(reply []byte, n int, now int64) (r *request, want wire.Header) {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	if len(c.wire) == 0 {
		c.e.accounts.Surplus += int64(n)
		c.stray = true
	} else if c.stray {
		copy(reply, reply[c.have:c.have+n])
		c.have, c.stray = 0, false
	}
	if c.have += n; c.have < len(reply) {
		c.heard = now
		return nil, wire.Header{}
	}
	c.have = 0
	if c.stray {
		c.stray = false
		return nil, c.header(wire.Load, c.sequence, 0)
	}
	r = c.wire[0]
	return r, c.header(r.flags, r.sequence, r.intended)
}

// concluded accounts for a whole reply.
func (c *connection) concluded(r *request, verdict engine.Integrity, now int64) {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	if r == nil {
		c.e.unasked(verdict)
		return
	}
	if c.lost { // meanwhile, and so is the request
		return
	}
	c.wire = c.wire[1:]
	c.ready.Signal()
	c.e.conclude(r, verdict, now)
	c.e.phase.replied(c, r.flags)
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
func (c *connection) begun() bool { return c != nil && !c.lost && c.have > 0 && !c.stray }

// rest is the state of that reply.
func (c *connection) rest() engine.Rest {
	return engine.Rest{Intended: c.wire[0].intended, Heard: c.heard, Wrong: c.differs(c.wire[0], c.reply[:c.have])}
}

// differs tells whether a part of the reply to a request is not what was sent.
func (c *connection) differs(r *request, part []byte) bool {
	record := c.record()
	wire.Encode(record, c.header(r.flags, r.sequence, r.intended))
	return !bytes.Equal(part, record[:len(part)])
}

// unread is how many bytes wait to be received; 0 where that cannot be known.
func unread(conn *net.TCPConn) (n int) {
	raw, err := conn.SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	}
	return n
}
