package epoll

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"

	"golang.org/x/sys/unix"
)

// dial begins a handshake.
func (l *Loop) dial(i int32) {
	c := &l.connections[i]
	c.state = connecting
	c.begun = engine.Monotonic()
	l.shaking++
	if cause, errno := l.sockets.dial(i, c, l.watch.waiter.ep); errno != 0 {
		l.phase.unreached(i, cause, errno)
	}
}

// shaken ends a handshake, well or ill.
func (l *Loop) shaken(i int32, c *connection) {
	if errno := connectResult(c.fd); errno != 0 {
		l.phase.unreached(i, errs.CauseOf(errno), errno)
		return
	}
	l.shaking--
	l.phase.stood(i, c)
}

// lose accounts for a connection that is no more, and for all that was asked of it.
func (l *Loop) lose(i int32, phase errs.Phase, cause errs.Cause, errno unix.Errno) {
	c := &l.connections[i]
	if c.received > 0 && (errno != 0 || cause == errs.PeerClosed) {
		l.accounts.Integrity.Truncated++
	}
	l.accounts.Errors.Add(phase, cause, errno, l.cfg.Number(int(i)))
	was := c.state
	l.disconnect(i, c)
	l.phase.lost(i, was, phase, cause, errno)
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
			n := queue.pop(&l.requests)
			if !l.requests.all[n].settled {
				l.settle(n, engine.Failed)
			}
			l.requests.release(n)
		}
	}
	*c = c.blank()
}

// during is what a connection was doing: being verified, or else otherwise.
func during(c *connection, otherwise errs.Phase) errs.Phase {
	if c.state == verifying {
		return errs.Verify
	}
	return otherwise
}
