// Package enginetest has what the tests of both engines share: servers that answer as a script says, and the accounts that must
// balance whatever a server does.
package enginetest

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"c10k/loadgen/internal/wire"
)

// Listen attends to every connection of a new listener.
func Listen(t testing.TB, attend func(c *net.TCPConn, number int)) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	Attend(t, listener, attend)
	return netip.MustParseAddrPort(listener.Addr().String())
}

// Attend attends to every connection of a listener, numbered in the order of accepting. A connection is closed when that is
// done, or when the test is over.
func Attend(t testing.TB, listener net.Listener, attend func(c *net.TCPConn, number int)) {
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	var accepting, attending sync.WaitGroup
	accepting.Go(func() {
		for number := 0; ; number++ {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			attending.Go(func() {
				attend(c.(*net.TCPConn), number)
				_ = c.Close()
				mu.Lock()
				delete(open, c)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		accepting.Wait()
		mu.Lock()
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		attending.Wait()
	})
}

// Swallow reads all and answers nothing.
func Swallow(c *net.TCPConn, _ int) { _, _ = io.Copy(io.Discard, c) }

// Hold reads nothing until the test is over.
func Hold(t testing.TB) func(c *net.TCPConn, number int) {
	return func(*net.TCPConn, int) { <-t.Context().Done() }
}

// A Deed is what the scripted server does with one record.
type Deed int

const (
	Echo Deed = iota
	Corrupt
	Truncate // all but the last byte, and the connection stays
	Garble   // some bytes that are no record, and the connection stays
	Stray    // some bytes, and then the record
	Duplicate
	Trickle
	Freeze
	Ignore
	CloseIt
	ResetIt
	HalfThenReset
	HalfThenClose
	HoldBack // until the next one has been answered
	Cross    // another connection's record
	Foreign  // one of another run
	Forge    // its own, but of another time
	Refill   // its own, but with another filler
	Earlier  // the one before once more
	Flip     // and above: the bit of that number
)

// Freezing is how long a frozen reply takes.
const Freezing = 600 * time.Millisecond

// A Script decides by the number of the connection, in the order of accepting, and its record, from 0.
type Script func(connection, record int) Deed

// Always does d.
func Always(d Deed) Script { return func(int, int) Deed { return d } }

// AfterFirst lets the arming pass and then does d.
func AfterFirst(d Deed) Script {
	return func(_, record int) Deed {
		if record == 0 {
			return Echo
		}
		return d
	}
}

// Serve answers the records of one size on every connection as a script says.
func Serve(t testing.TB, size int, s Script) netip.AddrPort {
	t.Helper()
	return Listen(t, Scripted(size, s))
}

// Scripted attends to a connection as a script says.
func Scripted(size int, s Script) func(c *net.TCPConn, number int) {
	return func(c *net.TCPConn, number int) {
		var held, before []byte
		for i := 0; ; i++ {
			record := make([]byte, size)
			if _, err := io.ReadFull(c, record); err != nil {
				return
			}
			d := s(number, i)
			if d == HoldBack {
				held = record
				continue
			}
			if d == Earlier {
				record, before = before, record
			} else {
				before = bytes.Clone(record)
			}
			if !perform(c, append(record, held...), d) {
				return
			}
			held = nil
		}
	}
}

// rewritten is a record that is sound, but another.
func rewritten(record []byte, change func(*wire.Header)) []byte {
	h, err := wire.Decode(record)
	if err != nil {
		panic(err)
	}
	change(&h)
	wire.Encode(record, h)
	return record
}

// perform does the deed and tells whether the connection goes on.
func perform(c *net.TCPConn, reply []byte, d Deed) bool {
	switch d {
	case Corrupt:
		reply[len(reply)*2/3] ^= 0x10
	case Truncate:
		reply = reply[:len(reply)-1]
	case Garble:
		reply = []byte("220 hello\r\n")
	case Stray:
		reply = append([]byte("strange"), reply...)
	case Duplicate:
		reply = append(reply, reply...)
	case Trickle:
		for i := range reply[:wire.HeaderBytes] {
			if _, err := c.Write(reply[i : i+1]); err != nil {
				return false
			}
		}
		reply = reply[wire.HeaderBytes:]
	case Freeze:
		time.Sleep(Freezing)
	case Ignore:
		return true
	case CloseIt:
		return false
	case HalfThenClose, HalfThenReset:
		_, _ = c.Write(reply[:len(reply)/2])
		if d == HalfThenReset {
			_ = c.SetLinger(0)
		}
		return false
	case ResetIt:
		_ = c.SetLinger(0)
		return false
	case Cross:
		reply = rewritten(reply, func(h *wire.Header) { h.Connection++ })
	case Foreign:
		reply = rewritten(reply, func(h *wire.Header) { h.Run++; h.Connection++ })
	case Forge:
		reply = rewritten(reply, func(h *wire.Header) { h.Intended++ })
	case Refill:
		reply = rewritten(reply, func(*wire.Header) { reply[len(reply)-1]++ })
	}
	if d >= Flip {
		reply[(d-Flip)/8] ^= 1 << ((d - Flip) % 8)
	}
	_, err := c.Write(reply)
	return err == nil
}
