package engine

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/wire"
)

// A link is a connection and what is asked of it: waiting to be sent, or on the wire, in the order of the replies.
type link struct {
	r        *Routines
	index    int
	conn     *net.TCPConn
	sequence uint32    // of its next record
	ready    sync.Cond // there may be something to write, or nothing more ever
	waiting  []*query
	wire     []*query
	have     int  // bytes of the reply that is being read
	stray    bool // nobody asked for these
	lost     bool
}

// errMismatched is a whole reply that was not the one expected.
var errMismatched = errors.New("the reply is not the record")

// verify has one record echoed.
func (c *link) verify(ctx context.Context) error {
	q := c.put(&query{link: c, flags: wire.Arm, intended: c.r.clock.Now()})
	reply := make([]byte, c.r.cfg.PayloadBytes)
	n, _, err := c.exchange(ctx, q, c.record(), reply)
	var verdict Integrity
	switch {
	case err == nil:
		if verdict = classify(reply, c.header(q.flags, q.sequence, q.intended), c.r.filler); verdict != (Integrity{}) {
			err = errMismatched
		}
	case n > 0 && !timeIsUp(err):
		verdict.Truncated = 1
	}
	c.r.mu.Lock()
	c.r.integrity = c.r.integrity.Plus(verdict)
	c.r.mu.Unlock()
	return err
}

// exchange writes one record and reads at least one reply; what comes with it is in n. It gives up when ctx ends.
func (c *link) exchange(ctx context.Context, q *query, record, reply []byte) (n int, phase errs.Phase, err error) {
	conn := c.conn // a later one is none of this deadline's business
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() {
			err = ctx.Err()
		}
	}()
	wire.Encode(record, c.header(q.flags, q.sequence, q.intended))
	if _, err := c.conn.Write(record); err != nil {
		return 0, errs.Write, err
	}
	n, err = io.ReadAtLeast(c.conn, reply, len(record))
	return n, errs.Read, err
}

// record is a new buffer for what the connection sends.
func (c *link) record() []byte { return append([]byte{}, c.r.filler...) }

func (c *link) number() uint32 { return c.r.cfg.FirstConnection + uint32(c.index) }

func (c *link) header(flags uint8, sequence uint32, intended int64) wire.Header {
	return wire.Header{Flags: flags, Run: c.r.cfg.Run, Connection: c.number(), Sequence: sequence, Intended: uint64(intended)}
}

// put gives a query its place among the records of the connection; with the lock, where others know the connection.
func (c *link) put(q *query) *query {
	q.onWire, q.sequence, q.sent = true, c.sequence, c.r.clock.Now()
	c.sequence++
	if q.flags == wire.Load {
		c.r.countSent(q)
	}
	return q
}

// write sends what is asked, one after the other. Where the socket is full it is only this goroutine that waits.
func (c *link) write() {
	record := c.record()
	for q := c.next(); q != nil; q = c.next() {
		wire.Encode(record, c.header(q.flags, q.sequence, q.intended))
		if _, err := c.conn.Write(record); err != nil {
			c.lose(errs.Write, err)
			return
		}
	}
}

// next waits for a query that may be sent; nil: the connection is no more.
func (c *link) next() *query {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	for !c.lost && (len(c.waiting) == 0 || len(c.wire) >= c.r.cfg.Pipeline) {
		c.ready.Wait()
	}
	if c.lost {
		return nil
	}
	q := c.waiting[0]
	c.waiting = c.waiting[1:]
	c.wire = append(c.wire, q)
	return c.put(q)
}

// read takes in replies until there are no more.
func (c *link) read() {
	reply := make([]byte, c.r.cfg.PayloadBytes)
	for {
		n, err := c.conn.Read(reply[c.have:])
		if err != nil {
			c.lose(errs.Read, err)
			return
		}
		now := c.r.clock.Now()
		if q, want := c.arrived(reply, n); c.have == 0 {
			verdict := classify(reply, want, c.r.filler)
			c.replied(q, verdict, now)
		}
	}
}

// arrived adds n bytes to the reply; have is 0 if it is whole. Then want is the record that it should be, and q its query, or
// nil if there is none. What nobody asked for is forgotten as soon as somebody asks, so that it does not shift the replies.
func (c *link) arrived(reply []byte, n int) (q *query, want wire.Header) {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	if len(c.wire) == 0 {
		c.r.surplus += int64(n)
		c.stray = true
	} else if c.stray {
		copy(reply, reply[c.have:c.have+n])
		c.have, c.stray = 0, false
	}
	if c.have += n; c.have < len(reply) {
		return nil, wire.Header{}
	}
	c.have = 0
	if c.stray {
		c.stray = false
		return nil, c.header(wire.Load, c.sequence, 0)
	}
	q = c.wire[0]
	return q, c.header(q.flags, q.sequence, q.intended)
}

// replied accounts for a whole reply.
func (c *link) replied(q *query, verdict Integrity, now int64) {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	if q == nil {
		c.r.unasked(verdict)
		return
	}
	if c.lost { // meanwhile, and so is the query
		return
	}
	c.wire = c.wire[1:]
	c.ready.Signal()
	c.r.conclude(q, verdict, now)
	if q.flags == wire.Load {
		c.r.rounds.follow(c)
	}
}

// lose accounts for a connection that is no more, and for all that was asked of it.
func (c *link) lose(phase errs.Phase, err error) {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	if c.lost {
		return
	}
	if c.have > 0 && !c.stray {
		c.r.integrity.Truncated++
	}
	cause, errno := causeOf(err)
	c.r.tally.Add(phase, cause, errno, c.number())
	c.r.open--
	c.end()
}

// end closes the connection; what was still asked of it has failed.
func (c *link) end() {
	if c.lost {
		return
	}
	c.lost = true
	_ = c.conn.Close()
	for _, queue := range [][]*query{c.wire, c.waiting} {
		for _, q := range queue {
			if !q.settled {
				c.r.settle(q, failed, 0)
			}
		}
	}
	c.wire, c.waiting = nil, nil
	c.ready.Broadcast()
}
