package engine

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
type deed int

const (
	echo deed = iota
	corrupt
	truncate
	duplicate
	trickle
	freeze
	ignore
	closeIt
	resetIt
	halfThenReset
	halfThenClose
	holdBack // until the next one has been answered
	cross    // another connection's record
	foreign  // one of another run
	forge    // its own, but of another time
	earlier  // the one before once more
	late
	flip // and above: the bit of that number
)

// lateness is longer than any timeout of a test that asks for it.
const lateness = 600 * time.Millisecond

// A script decides by the number of the connection, in the order of accepting, and its record, from 0.
type script func(connection, record int) deed

// freezing is how long a frozen reply takes.
const freezing = 600 * time.Millisecond

// A hostile server echoes records of one size as its script says.
type hostile struct {
	listener net.Listener
	size     int
	script   script
	mu       sync.Mutex
	accepted int
	open     []net.Conn
}

func serve(t *testing.T, size int, s script) netip.AddrPort {
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
		if d == holdBack {
			held = record
			continue
		}
		if d == earlier {
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
func perform(c *net.TCPConn, record []byte, d deed) bool {
	reply := record
	switch d {
	case corrupt:
		reply[len(reply)*2/3] ^= 0x10
	case truncate:
		reply = reply[:len(reply)-1]
	case duplicate:
		reply = append(append([]byte{}, reply...), reply...)
	case trickle:
		for i := range reply[:wire.HeaderBytes] {
			if _, err := c.Write(reply[i : i+1]); err != nil {
				return false
			}
		}
		reply = reply[wire.HeaderBytes:]
	case freeze:
		time.Sleep(freezing)
	case ignore:
		return true
	case closeIt:
		return false
	case halfThenClose:
		_, _ = c.Write(reply[:len(reply)/2])
		return false
	case cross:
		reply = rewritten(reply, func(h *wire.Header) { h.Connection++ })
	case foreign:
		reply = rewritten(reply, func(h *wire.Header) { h.Run++ })
	case forge:
		reply = rewritten(reply, func(h *wire.Header) { h.Intended++ })
	case late:
		time.Sleep(lateness)
	case halfThenReset:
		_, _ = c.Write(reply[:len(reply)/2])
		_ = c.SetLinger(0)
		return false
	case resetIt:
		_ = c.SetLinger(0)
		return false
	}
	if d >= flip {
		reply[(d-flip)/8] ^= 1 << ((d - flip) % 8)
	}
	_, err := c.Write(reply)
	return err == nil
}

func always(d deed) script { return func(int, int) deed { return d } }

// afterFirst lets the arming pass and then does d.
func afterFirst(d deed) script {
	return func(_, record int) deed {
		if record == 0 {
			return echo
		}
		return d
	}
}
