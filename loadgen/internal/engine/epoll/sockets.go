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
