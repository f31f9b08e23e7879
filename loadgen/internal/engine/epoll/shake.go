package epoll

import "c10k/loadgen/internal/errs"

// dial begins a handshake.
func (l *Loop) dial(i int32) {
	c := &l.connections[i]
	c.state = connecting
	c.begun = l.watch.clock.Now()
	l.dials.shaking++
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
	l.dials.shaking--
	l.phase.stood(i, c)
}
