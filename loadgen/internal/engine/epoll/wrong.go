package epoll

import (
	"bytes"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/wire"
)

// What is done here is off the path of a request: it is about replies that are known to be wrong.

// next is where in b another record begins, before the reply that is being read is whole; -1: nowhere.
func (l *Loop) next(c *connection, b []byte) int {
	skip, left := 0, len(l.expected)-int(c.received)
	if c.received == 0 {
		skip = 1 // a record in its place is the reply, right or wrong
	}
	if at := wire.Begins(b[skip:min(len(b), left+wire.BeginBytes)], len(l.expected)); at >= 0 && at+skip < left {
		return at + skip
	}
	return -1
}

// cut gives up the reply that is being read, for behind so many bytes of b another record begins. Where that is the right one,
// what came before it is surplus.
func (l *Loop) cut(i int32, c *connection, b []byte, at int) {
	n := c.wire.head
	r := &l.requests.all[n]
	right := !c.wrong && bytes.Equal(b[:at], l.expected[c.received:int(c.received)+at])
	wire.Rewrite(l.expected, l.header(r), r.sum)
	own := wire.Continues(l.expected, b[at:])
	l.forget(i, c)
	before := int(c.received) + at
	c.received = 0
	if own {
		l.accounts.Surplus += int64(before)
		return
	}
	l.accounts.Torn(!right)
	early := c.unsent > 0 && n == c.wire.tail // nobody can tell what the server would make of the rest
	c.wire.pop(&l.requests)
	c.onWire--
	flags := r.flags
	switch {
	case r.settled:
	case r.sent == 0:
		l.unsent(n, engine.Mismatched, false)
	default:
		l.settle(n, engine.Mismatched)
	}
	l.requests.release(n)
	l.phase.replied(i, c, flags, engine.Mismatched, early)
}

// differs adds a piece to a reply that is not what was sent. What came of it before was right.
func (l *Loop) differs(i int32, c *connection, r *request, b []byte) {
	if !c.wrong {
		c.wrong = true
		wire.Rewrite(l.expected, l.header(r), r.sum)
		l.reader(i).Add(l.expected[:c.received])
		if c.state == verifying {
			l.accounts.Met(l.expected[:c.received], b)
		}
	}
	l.reader(i).Add(b)
}

// unasked accounts for bytes that came while no request waited, and for the whole records in them.
func (l *Loop) unasked(i int32, c *connection, b []byte) {
	if !l.traits.Verifies {
		return // nothing is checked
	}
	l.accounts.Surplus += int64(len(b))
	for len(b) > 0 {
		c.stray = true
		r := l.reader(i)
		n := min(len(b), len(l.expected)-r.Len())
		r.Add(b[:n])
		b = b[n:]
		if r.Len() < len(l.expected) {
			return
		}
		if _, err := r.Decode(); err == nil {
			l.classify(i, c, c.sequence)
		}
		l.forget(i, c)
	}
}

// classify names the fault of a whole wrong reply, where the record of that sequence was expected.
func (l *Loop) classify(i int32, c *connection, sequence uint32) {
	h, err := l.reader(i).Decode()
	l.accounts.Integrity.Blame(h, err, wire.Header{Run: l.cfg.Run, Connection: l.cfg.Number(int(i)), Sequence: sequence}, c.stray)
	l.forget(i, c)
}

// reader is that of a connection, made when first asked for.
func (l *Loop) reader(i int32) *wire.Reader {
	r := l.strange[i]
	if r == nil {
		r = &wire.Reader{}
		l.strange[i] = r
	}
	return r
}

// forget drops what was gathered of a connection, if anything was.
func (l *Loop) forget(i int32, c *connection) {
	if c.wrong || c.stray {
		delete(l.strange, i)
		c.wrong, c.stray = false, false
	}
}
