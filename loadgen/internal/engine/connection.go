package engine

import (
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/wire"

	"golang.org/x/sys/unix"
)

type state uint8

const (
	closed state = iota
	connecting
	resting // a handshake failed, and is to be tried again
	verifying
	established
)

// A connection is one entry of the flat array. Its size is tested: at most 64 bytes.
type connection struct {
	fd         int32
	generation uint32 // changes when the descriptor is closed
	sequence   uint32 // of its next record
	waiting    list   // planned, not yet begun
	wire       list   // begun, no reply yet; the last may be half written
	begun      int64  // ns, start of the handshake
	unsent     int32  // bytes of the last on the wire still to be written
	received   int32  // bytes of the reply to the first on the wire
	onWire     uint16 // length of wire
	state      state
	stuck      bool // the socket's buffer was full: waits for EPOLLOUT
	wrong      bool // the reply being read differs from what was sent; a Reader has what came of it
	stray      bool // a Reader has what came while no request waited
	retries    uint8
}

// dial begins a handshake. A failure is accounted for like any other loss.
func (l *Loop) dial(i int32) {
	c := &l.connections[i]
	c.state = connecting
	c.begun = l.clock.Now()
	l.shaking++
	target := &l.targets[int(i)/max(1, len(l.sources))%len(l.targets)]
	fd, errno := openSocket(target.family)
	if errno != 0 {
		l.lose(i, errs.Connect, errs.CauseOf(errno), errno)
		return
	}
	c.fd = fd
	if errno := setInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); errno != 0 {
		l.lose(i, errs.Connect, errs.CauseOf(errno), errno)
		return
	}
	if l.cfg.Workload != Churn {
		_ = resetOnClose(fd) // without it teardown leaves TIME_WAIT, no more
	}
	if len(l.sources) > 0 {
		if errno := bindSource(fd, &l.sources[int(i)%len(l.sources)]); errno != 0 {
			l.lose(i, errs.Connect, errs.Source, errno)
			return
		}
	}
	if errno := connect(fd, target); errno != 0 && errno != unix.EINPROGRESS {
		l.lose(i, errs.Connect, errs.CauseOf(errno), errno)
		return
	}
	if errno := watch(l.waiter.ep, unix.EPOLL_CTL_ADD, fd, interest, i, c.generation); errno != 0 {
		l.lose(i, errs.Connect, errs.CauseOf(errno), errno)
	}
}

// shaken ends a handshake, well or ill.
func (l *Loop) shaken(i int32, c *connection) {
	if errno := connectResult(c.fd); errno != 0 {
		l.lose(i, errs.Connect, errs.CauseOf(errno), errno)
		return
	}
	l.shaking--
	l.connected++
	if l.churn != nil {
		c.state = established
		l.churn.connected(l, c)
		l.flush(i, c)
		return
	}
	l.stood(i, c)
}

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
	n := l.slab.take()
	if n == nothing {
		return false
	}
	r := &l.slab.requests[n]
	r.intended, r.flags, r.slot, r.connection = intended, flags, slot, i
	l.connections[i].waiting.push(&l.slab, n)
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
			r := &l.slab.requests[c.wire.tail]
			wire.Rewrite(l.out, l.header(r), r.sum)
		}
		now := l.clock.Now()
		n, errno := writeSome(c.fd, l.out[len(l.out)-int(c.unsent):])
		if errno == unix.EINTR {
			continue
		}
		if errno == unix.EAGAIN {
			c.stuck = true
			return
		}
		if errno != 0 {
			l.lose(i, l.phase(c, errs.Write), errs.CauseOf(errno), errno)
			return
		}
		if r := &l.slab.requests[c.wire.tail]; r.sent == 0 {
			r.sent = now
			// One that timed out meanwhile is written all the same, to keep step, but counts as never sent.
			if r.flags == wire.Load && !r.settled {
				l.ledger.sent(r.slot, r.intended, now)
			}
		}
		c.unsent -= int32(n)
	}
	c.stuck = false
}

// start moves the first waiting request to the wire, gives it its sequence and encodes it.
func (l *Loop) start(c *connection) {
	n := c.waiting.pop(&l.slab)
	c.wire.push(&l.slab, n)
	r := &l.slab.requests[n]
	r.onWire = true
	r.sequence = c.sequence
	c.sequence++
	c.onWire++
	c.unsent = int32(len(l.out))
	r.sum = wire.Encode(l.out, l.header(r))
}

func (l *Loop) header(r *request) wire.Header {
	return wire.Header{Flags: r.flags, Run: l.cfg.Run, Connection: l.cfg.FirstConnection + uint32(r.connection),
		Sequence: r.sequence, Intended: uint64(r.intended)}
}

// phase is what a connection was doing: being verified, or else otherwise.
func (l *Loop) phase(c *connection, otherwise errs.Phase) errs.Phase {
	if c.state == verifying {
		return errs.Verify
	}
	return otherwise
}

// lose accounts for a connection that is no more, and for all that was asked of it.
func (l *Loop) lose(i int32, phase errs.Phase, cause errs.Cause, errno unix.Errno) {
	c := &l.connections[i]
	if c.state == connecting && l.churn == nil && l.retry(i, c, cause, errno) {
		return
	}
	if c.received > 0 && (errno != 0 || cause == errs.PeerClosed) {
		l.integrity.Truncated++
	}
	number := l.cfg.FirstConnection + uint32(i)
	l.tally.Add(phase, cause, errno, number)
	was := c.state
	l.disconnect(i, c)
	switch {
	case l.churn != nil:
		l.churn.again(i, phase == errs.Connect, l.clock.Now())
	case was == connecting || was == resting || was == verifying:
		l.armFailed.Add(phase, cause, errno, number)
		l.arming--
	case was == established:
		l.open--
	}
}

// disconnect closes the socket; what was still asked of it has failed.
func (l *Loop) disconnect(i int32, c *connection) {
	if c.state == connecting {
		l.shaking--
	}
	if c.fd >= 0 {
		closeSocket(c.fd)
	}
	l.forget(i, c)
	for _, queue := range []*list{&c.wire, &c.waiting} {
		for queue.head != nothing {
			n := queue.pop(&l.slab)
			if !l.slab.requests[n].settled {
				l.settle(n, failed)
			}
			l.slab.release(n)
		}
	}
	*c = connection{fd: -1, generation: c.generation + 1, sequence: c.sequence, waiting: emptyList, wire: emptyList}
}
