package engine

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"c10k/loadgen/internal/errs"

	"golang.org/x/sys/unix"
)

// dialersFor makes one for each source. The port is left to connect, which may share it between destinations.
func dialersFor(sources []netip.Addr) []net.Dialer {
	if len(sources) == 0 {
		return []net.Dialer{{KeepAlive: -1}}
	}
	dialers := make([]net.Dialer, len(sources))
	for i, source := range sources {
		dialers[i] = net.Dialer{KeepAlive: -1, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0)),
			Control: func(_, _ string, c syscall.RawConn) error {
				var failure error
				err := c.Control(func(fd uintptr) {
					failure = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
				})
				return errors.Join(err, failure)
			}}
	}
	return dialers
}

func (r *Routines) dial(ctx context.Context, i int) (*net.TCPConn, error) {
	target := r.targets[i/len(r.dialers)%len(r.targets)]
	conn, err := r.dialers[i%len(r.dialers)].DialContext(ctx, "tcp", target)
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// Handshakes that fail for a passing reason are tried again, after a rest that doubles up to its limit.
const (
	dialRetries = 3
	firstRest   = 100 * time.Millisecond
	longestRest = 2 * time.Second
)

// connectPatiently makes a connection while arming and counts the attempts.
func (r *Routines) connectPatiently(ctx context.Context, i int) (*net.TCPConn, error) {
	deadline, _ := ctx.Deadline()
	rest := firstRest
	for retry := 0; ; retry++ {
		conn, took, err := r.shake(ctx, i)
		if err == nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.armed.Connected++
			r.connect.Record(took)
			switch {
			case took >= 7*second:
				r.armed.SYNRetries[2]++
			case took >= 3*second:
				r.armed.SYNRetries[1]++
			case took >= second:
				r.armed.SYNRetries[0]++
			}
			_ = conn.SetLinger(0) // without it teardown leaves TIME_WAIT, no more
			return conn, nil
		}
		cause, errno := causeOf(err)
		passing := cause == errs.Refused || cause == errs.Reset || (cause == errs.Timeout && errno != 0)
		if !passing || retry == dialRetries || time.Until(deadline) <= rest {
			return nil, err
		}
		if r.sleep(ctx, r.clock.Now()+int64(rest), nil); ctx.Err() != nil {
			return nil, err
		}
		rest = min(2*rest, longestRest)
		r.mu.Lock()
		r.armed.Retries++
		r.mu.Unlock()
	}
}

// shake does one handshake, when there is room for it, and says how many ns it took.
func (r *Routines) shake(ctx context.Context, i int) (*net.TCPConn, int64, error) {
	select {
	case r.shaking <- struct{}{}:
		defer func() { <-r.shaking }()
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	begun := r.clock.Now()
	conn, err := r.dial(ctx, i)
	return conn, r.clock.Now() - begun, err
}

// openLink connects, verifies, and leaves two goroutines behind.
func (r *Routines) openLink(ctx context.Context, i int) {
	c := &link{r: r, index: i, ready: sync.Cond{L: &r.mu}}
	phase := errs.Connect
	var err error
	if c.conn, err = r.connectPatiently(ctx, i); err == nil {
		phase = errs.Verify
		err = c.verify(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		cause, errno := causeOf(err)
		r.tally.Add(phase, cause, errno, c.number())
		r.armFailed.Add(phase, cause, errno, c.number())
		if c.conn != nil {
			_ = c.conn.Close()
		}
		return
	}
	r.links[i] = c
	r.armed.Verified++
	r.open++
	r.running.Go(c.read)
	r.running.Go(c.write)
}

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

// timeIsUp tells whether it was us who gave up.
func timeIsUp(err error) bool {
	var errno unix.Errno
	var failure net.Error
	return !errors.As(err, &errno) && (errors.Is(err, context.Canceled) || errors.As(err, &failure) && failure.Timeout())
}
