package enginetest

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
)

// A RawConn is one end of a server that knows no records.
type RawConn struct {
	net.Conn
	over chan struct{}
}

// WaitForEnd reads nothing until the test is over.
func (c *RawConn) WaitForEnd() { <-c.over }

// Swallow reads all and answers nothing.
func (c *RawConn) Swallow() { _, _ = io.Copy(io.Discard, c.Conn) }

// ServeRaw attends to each connection, and closes all when the test is over.
func ServeRaw(t *testing.T, attend func(*RawConn)) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	AttendAll(t, listener, attend)
	return netip.MustParseAddrPort(listener.Addr().String())
}

// AttendAll attends to each connection of a listener.
func AttendAll(t *testing.T, listener net.Listener, attend func(*RawConn)) {
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
				attend(&RawConn{c, over})
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

// ServeEach serves every connection with what the test says.
func ServeEach(t *testing.T, attend func(c *net.TCPConn, number int)) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for number := 0; ; number++ {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				attend(c.(*net.TCPConn), number)
			}()
		}
	}()
	return netip.MustParseAddrPort(listener.Addr().String())
}

// Answering answers the records of a connection, but the first, with what change makes of them.
func Answering(t *testing.T, size int, change func(record []byte) []byte) netip.AddrPort {
	return ServeEach(t, func(c *net.TCPConn, _ int) {
		record := make([]byte, size)
		for i := 0; ; i++ {
			if _, err := io.ReadFull(c, record); err != nil {
				return
			}
			reply := record
			if i > 0 {
				reply = change(record)
			}
			if _, err := c.Write(reply); err != nil {
				return
			}
		}
	})
}
