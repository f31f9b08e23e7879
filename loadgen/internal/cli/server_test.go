package cli

import (
	"io"
	"net"
	"net/netip"
	"os"
	"testing"

	"c10k/loadgen/internal/engine/enginetest"
	"c10k/loadgen/internal/processes"
)

// TestMain lets the test's own binary be a process of a group, as the real program is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == processes.Command {
		os.Exit(processes.Serve(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// serve starts a server that answers each connection with one function; it ends with the test.
func serve(t *testing.T, attend func(net.Conn)) netip.AddrPort {
	t.Helper()
	return enginetest.Listen(t, func(c *net.TCPConn, _ int) { attend(c) })
}

// dead is an address where nobody listens.
func dead(t *testing.T) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return netip.MustParseAddrPort(listener.Addr().String())
}

func echo(c net.Conn) { _, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c}) }

// after echoes n records of the default size and then does something with each.
func after(n int, then func(record []byte) bool) func(net.Conn) {
	return func(c net.Conn) {
		record := make([]byte, 64)
		for i := 0; ; i++ {
			if _, err := io.ReadFull(c, record); err != nil || (i >= n && !then(record)) {
				return
			}
			if _, err := c.Write(record); err != nil {
				return
			}
		}
	}
}

func alter(c net.Conn) { after(1, func(record []byte) bool { record[40] ^= 4; return true })(c) }

func leave(c net.Conn) { after(1, func([]byte) bool { return false })(c) }

func mute(c net.Conn) { after(1, func([]byte) bool { swallow(c); return false })(c) }

func banner(c net.Conn) { _, _ = c.Write([]byte("220 hello\r\n")); swallow(c) }

func swallow(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
