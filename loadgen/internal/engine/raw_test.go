package engine

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
)

// A rawConn is one end of a server that knows no records.
type rawConn struct {
	net.Conn
	over chan struct{}
}

// waitForEnd reads nothing until the test is over.
func (c *rawConn) waitForEnd() { <-c.over }

// swallow reads all and answers nothing.
func (c *rawConn) swallow() { _, _ = io.Copy(io.Discard, c.Conn) }

// serveRaw attends to each connection, and closes all when the test is over.
func serveRaw(t *testing.T, attend func(*rawConn)) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	attendAll(t, listener, attend)
	return netip.MustParseAddrPort(listener.Addr().String())
}

func attendAll(t *testing.T, listener net.Listener, attend func(*rawConn)) {
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = c.Close() }()
				attend(&rawConn{c, over})
			})
			wg.Go(func() {
				<-over
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		close(over)
		wg.Wait()
	})
}

// connectOnly connects without a verified echo, for servers that give none.
func connectOnly(t *testing.T, l *Loop) *connection {
	t.Helper()
	workload := l.cfg.Workload
	l.cfg.Workload = Calibrate
	if a := arm(t, l); a.Connected != l.cfg.Connections || a.Verified != 0 {
		t.Fatalf("armed %+v", a)
	}
	l.cfg.Workload = workload
	return &l.connections[0]
}
