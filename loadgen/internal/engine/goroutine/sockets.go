package goroutine

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"

	"golang.org/x/sys/unix"
)

// A sockets knows where connections come from and lead to.
type sockets struct {
	dialers []net.Dialer // one for each source
	targets []string
}

// newSockets leaves the port to connect, which may share it between destinations.
func newSockets(cfg *engine.Config) sockets {
	s := sockets{dialers: []net.Dialer{{KeepAlive: -1}}}
	if len(cfg.Sources) > 0 {
		s.dialers = make([]net.Dialer, len(cfg.Sources))
	}
	for i, source := range cfg.Sources {
		s.dialers[i] = net.Dialer{KeepAlive: -1, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0)), Control: leavePort}
	}
	for _, target := range cfg.Targets {
		s.targets = append(s.targets, target.String())
	}
	return s
}

func leavePort(_, _ string, c syscall.RawConn) error {
	var failure error
	err := c.Control(func(fd uintptr) {
		failure = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	})
	return errors.Join(err, failure)
}

// dial makes connection i.
func (s *sockets) dial(ctx context.Context, i int) (*net.TCPConn, error) {
	target := s.targets[i/len(s.dialers)%len(s.targets)]
	conn, err := s.dialers[i%len(s.dialers)].DialContext(ctx, "tcp", target)
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// errMismatched is a whole reply that was not the one expected.
var errMismatched = errors.New("the reply is not the record")

// causeOf names what an error of package net means.
func causeOf(err error) (errs.Cause, unix.Errno) {
	var errno unix.Errno
	var call *os.SyscallError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errs.PeerClosed, 0
	case errors.Is(err, errMismatched):
		return errs.Mismatched, 0
	case timeIsUp(err):
		return errs.Timeout, 0
	case errors.As(err, &call) && call.Syscall == "bind" && errors.As(err, &errno):
		return errs.Source, errno
	case errors.As(err, &errno):
		return errs.CauseOf(errno), errno
	}
	return errs.Other, 0
}

// timeIsUp tells whether this side gave up.
func timeIsUp(err error) bool {
	var errno unix.Errno
	var failure net.Error
	return !errors.As(err, &errno) && (errors.Is(err, context.Canceled) || errors.As(err, &failure) && failure.Timeout())
}
