package hostile

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"c10k/loadgen/internal/contracts"
	"c10k/loadgen/internal/engine/enginetest"
	"c10k/loadgen/internal/report"
	"c10k/loadgen/internal/wire"
)

// A server answers each connection with one function, and knows how many are open.
type server struct {
	address netip.AddrPort
	open    atomic.Int64
}

func serve(t *testing.T, attend func(*net.TCPConn)) *server {
	t.Helper()
	s := &server{}
	s.address = enginetest.Listen(t, func(c *net.TCPConn, _ int) {
		s.open.Add(1)
		attend(c)
		_ = c.Close()
		s.open.Add(-1)
	})
	return s
}

func echo(c *net.TCPConn) { _, _ = io.Copy(c, c) }

// until waits for something that must come soon.
func until(t *testing.T, what string, come func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !come(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 10 s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func start(t *testing.T, kind string, n int, s *server) *Crowd {
	t.Helper()
	c := Start(Config{Kind: kind, Connections: n, Targets: []netip.AddrPort{s.address}, PayloadBytes: 32, Run: 7, Seed: 3})
	t.Cleanup(c.cancel)
	return c
}

// stop stops a crowd and checks that it leaves the server nothing.
func stop(t *testing.T, c *Crowd, s *server) report.Hostile {
	t.Helper()
	h := c.Stop()
	until(t, c.cfg.Kind+": every connection is closed", func() bool { return s.open.Load() == 0 })
	if again := c.Stop(); again != h {
		t.Errorf("%s: %+v became %+v after Stop", c.cfg.Kind, h, again)
	}
	return h
}

func TestEachKindAgainstAGoodServer(t *testing.T) {
	echoes := map[string]int64{"byte_writer": 1, "half_close": 2, "storm": 4} // rounds to wait for
	for _, kind := range contracts.Named("hostile").Words {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := serve(t, echo)
			c := start(t, kind, 4, s)
			until(t, "connections", func() bool { return c.opened.Load() >= 4 })
			switch kind {
			case "reset":
				until(t, "another round", func() bool { return c.opened.Load() >= 8 && c.bytesOut.Load() >= 4*16 })
			case "slow_read":
				until(t, "a slow byte", func() bool { return c.bytesIn.Load() >= 4 })
			default:
				until(t, "echoes", func() bool { return c.whole.Load() >= echoes[kind] })
			}
			h := stop(t, c, s)
			if h.Kind != kind || h.Connections != 4 || h.Wrong != 0 || h.Refused != 0 || h.Reset != 0 || h.Whole < echoes[kind] {
				t.Errorf("%+v", h)
			}
			if (kind == "mute") != (h.BytesOut == 0) {
				t.Errorf("%d bytes out", h.BytesOut)
			}
			if kind == "slow_read" && h.BytesOut < 100*h.BytesIn {
				t.Errorf("%d bytes out, %d in", h.BytesOut, h.BytesIn)
			}
		})
	}
}

// Large records do not fit between the two: whoever wrote all before it read would wait for ever.
func TestHalfCloseOfLargeRecords(t *testing.T) {
	t.Parallel()
	s := serve(t, echo)
	c := Start(Config{Kind: "half_close", Connections: 1, Targets: []netip.AddrPort{s.address}, PayloadBytes: 1 << 20})
	until(t, "a round", func() bool { return c.whole.Load() >= 1 })
	if h := stop(t, c, s); h.Wrong != 0 || h.BytesIn < 16<<20 {
		t.Errorf("%+v", h)
	}
}

func TestServersThatDoWrong(t *testing.T) {
	read := func(c *net.TCPConn) []byte {
		record := make([]byte, 32)
		_, _ = io.ReadFull(c, record)
		return record
	}
	resetAtHalfClose := func(c *net.TCPConn) {
		_, _ = io.Copy(io.Discard, c)
		_ = c.SetLinger(0)
	}
	shortAtHalfClose := func(c *net.TCPConn) {
		if all, _ := io.ReadAll(c); len(all) > 0 { // none where the client was stopped as soon as it stood
			_, _ = c.Write(all[:len(all)-1])
		}
	}
	longAtHalfClose := func(c *net.TCPConn) {
		all, _ := io.ReadAll(c)
		_, _ = c.Write(append(all, 0))
	}
	wrongByte := func(c *net.TCPConn) {
		record := read(c)
		record[13] ^= 1
		_, _ = c.Write(record)
		_, _ = io.Copy(io.Discard, c) // so that closing is not a reset
	}
	resetAtOnce := func(c *net.TCPConn) { _ = c.SetLinger(0) }
	for _, x := range []struct {
		name, kind string
		attend     func(*net.TCPConn)
		wrong      bool // else reset
	}{
		{"reset at half-close", "half_close", resetAtHalfClose, false},
		{"a byte missing", "half_close", shortAtHalfClose, true},
		{"a byte too many", "half_close", longAtHalfClose, true},
		{"a wrong byte, byte_writer", "byte_writer", wrongByte, true},
		{"a wrong byte, storm", "storm", wrongByte, true},
		{"reset at once, mute", "mute", resetAtOnce, false},
		{"reset at once, slow_read", "slow_read", resetAtOnce, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, x.attend)
			c := start(t, x.kind, 2, s)
			until(t, "it is noticed", func() bool { return c.wrong.Load()+c.reset.Load() > 0 })
			if h := stop(t, c, s); (h.Wrong > 0) != x.wrong || (h.Reset > 0) == x.wrong || h.Whole > 0 {
				t.Errorf("%+v", h)
			}
		})
	}
}

// A refused connect is counted and tried again, and a server that comes later is met.
func TestRefusedAndRetried(t *testing.T) {
	t.Parallel()
	// Bound, it keeps its port from everybody else; until it listens, the kernel refuses who connects.
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(socket) }()
	if err := unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	bound, err := unix.Getsockname(socket)
	if err != nil {
		t.Fatal(err)
	}
	port := uint16(bound.(*unix.SockaddrInet4).Port)
	c := Start(Config{Kind: "mute", Connections: 1, PayloadBytes: 64, Targets: []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)}})
	until(t, "a second attempt", func() bool { return c.refused.Load() >= 2 })
	if err := unix.Listen(socket, 1); err != nil {
		t.Fatal(err)
	}
	until(t, "it connects", func() bool { return c.opened.Load() == 1 })
	c.Stop()
}

// Not parallel, for it counts what the process has open.
func TestNothingIsLeftOfMany(t *testing.T) {
	for _, kind := range contracts.Named("hostile").Words {
		s := serve(t, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) }) // never answers: all are in the middle of something
		routines, descriptors := runtime.NumGoroutine(), enginetest.Descriptors(t)
		c := start(t, kind, 200, s)
		until(t, kind, func() bool { return c.opened.Load() >= 200 })
		stop(t, c, s)
		until(t, kind+": goroutines end", func() bool { return runtime.NumGoroutine() <= routines })
		until(t, kind+": descriptors are closed", func() bool { return enginetest.Descriptors(t) <= descriptors })
	}
}

func TestSourcesAndTargetsInTurn(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	met := map[string]int{} // connections by target and source
	var targets []netip.AddrPort
	for i := range 2 {
		targets = append(targets, serve(t, func(c *net.TCPConn) {
			mu.Lock()
			met[fmt.Sprintf("%d %s", i, c.RemoteAddr().(*net.TCPAddr).IP)]++
			mu.Unlock()
			echo(c)
		}).address)
	}
	c := Start(Config{Kind: "mute", Connections: 8, PayloadBytes: 32, Targets: targets,
		Sources: []netip.Addr{netip.MustParseAddr("127.0.0.11"), netip.MustParseAddr("127.1.0.11")}})
	until(t, "two of each source", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return maps.Equal(met, map[string]int{"0 127.0.0.11": 2, "1 127.0.0.11": 2, "0 127.1.0.11": 2, "1 127.1.0.11": 2})
	})
	c.Stop()
}

// The records are real ones, each its own.
func TestRecordsAreReal(t *testing.T) {
	t.Parallel()
	records := make(chan []byte, 2)
	s := serve(t, func(c *net.TCPConn) {
		for {
			record := make([]byte, 48)
			if _, err := io.ReadFull(c, record); err != nil {
				return
			}
			select {
			case records <- record:
			default:
			}
		}
	})
	c := Start(Config{Kind: "half_close", Connections: 1, Targets: []netip.AddrPort{s.address}, PayloadBytes: 48, Run: 9, Seed: 5})
	defer c.Stop()
	for i := range uint32(2) {
		record := <-records
		h, err := wire.Decode(record)
		if err != nil || h.Run != 9 || h.Connection != FirstConnection || h.Sequence != i || h.Flags != wire.Load || h.Intended == 0 {
			t.Errorf("record %d: %+v, %v", i, h, err)
		}
		if !bytes.Equal(record[32:], wire.NewBuffer(48, 5)[32:]) {
			t.Errorf("record %d has a filler of its own", i)
		}
	}
}

func TestEveryDeclaredKindHasItsCode(t *testing.T) {
	if mine, declared := slices.Sorted(maps.Keys(kinds)), slices.Sorted(slices.Values(contracts.Named("hostile").Words)); !slices.Equal(mine, declared) {
		t.Errorf("%v, declared are %v", mine, declared)
	}
}
