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

// A deed is what the scripted server does with one record.
type Deed int

const (
	Echo Deed = iota
	Corrupt
	Truncate
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
	Earlier  // the one before once more
	Late
	Flip // and above: the bit of that number
)

// lateness is longer than any timeout of a test that asks for it.
const Lateness = 600 * time.Millisecond

// A script decides by the number of the connection, in the order of accepting, and its record, from 0.
type Script func(connection, record int) Deed

// freezing is how long a frozen reply takes.
const Freezing = 600 * time.Millisecond

// A hostile server echoes records of one size as its script says.
type hostile struct {
	listener net.Listener
	size     int
	script   Script
	mu       sync.Mutex
	accepted int
	open     []net.Conn
}

func Serve(t *testing.T, size int, s Script) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{listener: listener, size: size, script: s}
	go h.accept()
	t.Cleanup(func() {
		_ = listener.Close()
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, c := range h.open {
			_ = c.Close()
		}
	})
	return netip.MustParseAddrPort(listener.Addr().String())
}

func (h *hostile) accept() {
	for {
		c, err := h.listener.Accept()
		if err != nil {
			return
		}
		h.mu.Lock()
		number := h.accepted
		h.accepted++
		h.open = append(h.open, c)
		h.mu.Unlock()
		go h.attend(c.(*net.TCPConn), number)
	}
}

func (h *hostile) attend(c *net.TCPConn, number int) {
	defer func() { _ = c.Close() }()
	var held, before []byte
	for i := 0; ; i++ {
		record := make([]byte, h.size)
		if _, err := io.ReadFull(c, record); err != nil {
			return
		}
		d := h.script(number, i)
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
func perform(c *net.TCPConn, record []byte, d Deed) bool {
	reply := record
	switch d {
	case Corrupt:
		reply[len(reply)*2/3] ^= 0x10
	case Truncate:
		reply = reply[:len(reply)-1]
	case Duplicate:
		reply = append(append([]byte{}, reply...), reply...)
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
	case HalfThenClose:
		_, _ = c.Write(reply[:len(reply)/2])
		return false
	case Cross:
		reply = rewritten(reply, func(h *wire.Header) { h.Connection++ })
	case Foreign:
		reply = rewritten(reply, func(h *wire.Header) { h.Run++ })
	case Forge:
		reply = rewritten(reply, func(h *wire.Header) { h.Intended++ })
	case Late:
		time.Sleep(Lateness)
	case HalfThenReset:
		_, _ = c.Write(reply[:len(reply)/2])
		_ = c.SetLinger(0)
		return false
	case ResetIt:
		_ = c.SetLinger(0)
		return false
	}
	if d >= Flip {
		reply[(d-Flip)/8] ^= 1 << ((d - Flip) % 8)
	}
	_, err := c.Write(reply)
	return err == nil
}

func Always(d Deed) Script { return func(int, int) Deed { return d } }

// afterFirst lets the arming pass and then does d.
func AfterFirst(d Deed) Script {
	return func(_, record int) Deed {
		if record == 0 {
			return Echo
		}
		return d
	}
}

// ServeOn is Serve on a listener; it returns when that is closed.
func ServeOn(listener net.Listener, size int, s Script) {
	(&hostile{listener: listener, size: size, script: s}).accept()
}
