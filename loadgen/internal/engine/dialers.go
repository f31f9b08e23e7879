package engine

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Dialers make connections through package net. Connection i has source i mod S and target floor(i/S) mod T.
type Dialers struct {
	sources []net.Dialer // one for each
	targets []string
}

// NewDialers leaves the address to the kernel where there are no sources, and the port to connect, which may share it between
// destinations.
func NewDialers(sources []netip.Addr, targets []netip.AddrPort) Dialers {
	d := Dialers{sources: []net.Dialer{{KeepAlive: -1}}}
	if len(sources) > 0 {
		d.sources = make([]net.Dialer, len(sources))
	}
	for i, source := range sources {
		d.sources[i] = net.Dialer{KeepAlive: -1, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0)), Control: leavePort}
	}
	for _, target := range targets {
		d.targets = append(d.targets, target.String())
	}
	return d
}

func leavePort(_, _ string, c syscall.RawConn) error {
	var failure error
	err := c.Control(func(fd uintptr) {
		failure = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	})
	return errors.Join(err, failure)
}

// Dial makes connection i.
func (d *Dialers) Dial(ctx context.Context, i int) (*net.TCPConn, error) {
	target := d.targets[i/len(d.sources)%len(d.targets)]
	conn, err := d.sources[i%len(d.sources)].DialContext(ctx, "tcp", target)
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}
