package epoll

import (
	"net/netip"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"

	"golang.org/x/sys/unix"
)

// A sockets knows where connections come from and lead to.
type sockets struct {
	targets []sockaddr
	sources []sockaddr
	lingers bool // closing is part of the workload: it says goodbye with FIN, and leaves TIME_WAIT behind
}

func newSockets(cfg *engine.Config) sockets {
	s := sockets{lingers: !cfg.Traits().ConnectsAhead}
	for _, target := range cfg.Targets {
		s.targets = append(s.targets, sockaddrOf(target))
	}
	for _, source := range cfg.Sources {
		s.sources = append(s.sources, sockaddrOf(netip.AddrPortFrom(source, 0)))
	}
	return s
}

// dial begins the handshake of connection i. Its descriptor is left in c even where a later step fails.
func (s *sockets) dial(i int32, c *connection, ep int) (errs.Cause, unix.Errno) {
	target := &s.targets[int(i)/max(1, len(s.sources))%len(s.targets)]
	fd, errno := openSocket(target.family)
	if errno != 0 {
		return errs.CauseOf(errno), errno
	}
	c.fd = fd
	if errno := setInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); errno != 0 {
		return errs.CauseOf(errno), errno
	}
	if !s.lingers {
		_ = resetOnClose(fd) // without it teardown leaves TIME_WAIT, no more
	}
	if len(s.sources) > 0 {
		if errno := bindSource(fd, &s.sources[int(i)%len(s.sources)]); errno != 0 {
			return errs.Source, errno
		}
	}
	if errno := connect(fd, target); errno != 0 && errno != unix.EINPROGRESS {
		return errs.CauseOf(errno), errno
	}
	errno = watchSocket(ep, unix.EPOLL_CTL_ADD, fd, interest, i, c.generation)
	return errs.CauseOf(errno), errno
}

// dial begins a handshake.
func (l *Loop) dial(i int32) {
	c := &l.connections[i]
	c.state = connecting
	c.begun = engine.Monotonic()
	l.shaking++
	if cause, errno := l.sockets.dial(i, c, l.watch.ep); errno != 0 {
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
		l.accounts.Torn(c.wrong)
	}
	l.accounts.Errors.Add(phase, cause, errno, l.cfg.Number(int(i)))
	was := c.state
	l.discard(i, c, errs.Blame(phase, cause) == errs.ByHost)
	l.phase.lost(i, was, phase, cause, errno)
}

// disconnect closes the socket; what was still asked of it has failed.
func (l *Loop) disconnect(i int32, c *connection) { l.discard(i, c, false) }

// discard disconnects; own: for what this host lacks.
func (l *Loop) discard(i int32, c *connection, own bool) {
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
			switch r := &l.requests.all[n]; {
			case r.settled:
			case r.sent == 0:
				l.unsent(n, engine.Failed, own)
			default:
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
