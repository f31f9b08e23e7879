package goroutine

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/wire"
)

// submit plans a record on a connection; false: there was no room.
func (e *Routines) submit(c *connection, flags uint8, intended int64, slot uint16) bool {
	if e.unsettled >= e.most {
		return false
	}
	r := &request{connection: c, flags: flags, intended: intended, slot: slot, unseen: c.unseen,
		tardy: e.looked-intended > int64(e.cfg.Timeout)/2}
	e.unsettled++
	e.timeline = append(e.timeline, r)
	c.waiting = append(c.waiting, r)
	c.ready.Signal()
	return true
}

// record is a new buffer for what the connection sends.
func (c *connection) record() []byte { return append([]byte{}, c.e.filler...) }

func (c *connection) number() uint32 { return c.e.cfg.Number(c.index) }

func (c *connection) header(flags uint8, sequence uint32, intended int64) wire.Header {
	return wire.Header{Flags: flags, Run: c.e.cfg.Run, Connection: c.number(), Sequence: sequence, Intended: uint64(intended)}
}

// put gives a request its place among the records of the connection; with the lock, where others know the connection. A
// request that has to wait for a full socket counts as sent from here, too.
func (c *connection) put(r *request) *request {
	r.onWire, r.sequence, r.sent = true, c.sequence, engine.Monotonic()
	c.sequence++
	if r.flags == wire.Load {
		c.e.accounts.Ledger.Sent(r.slot, r.intended, r.sent, r.sent)
	}
	return r
}

// write sends what is asked, one after the other. Where the socket is full it is only this goroutine that waits. Where it cannot be
// written to, the reader loses the connection, once it has read what the peer had said before.
func (c *connection) write() {
	record := c.record()
	for r := c.next(); r != nil; r = c.next() {
		wire.Encode(record, c.header(r.flags, r.sequence, r.intended))
		if _, err := c.conn.Write(record); err != nil {
			c.e.mu.Lock()
			c.broken = err
			c.e.mu.Unlock()
			_ = c.conn.CloseRead() // so that the reader comes to an end in any case
			return
		}
	}
}

// next waits for a request that may be sent; nil: the connection is no more.
func (c *connection) next() *request {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	c.writing = false
	for !c.lost && (len(c.waiting) == 0 || len(c.wire) >= c.e.cfg.Pipeline) {
		c.ready.Wait()
	}
	if c.lost {
		return nil
	}
	r := c.waiting[0]
	c.waiting = c.waiting[1:]
	c.wire = append(c.wire, r)
	c.writing = true
	return c.put(r)
}
