package goroutine

import (
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/wire"
)

func TestMain(m *testing.M) { Main(m) }

func start(t *testing.T, cfg Config) *Routines {
	t.Helper()
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// A reply that is read before anybody has looked for timeouts is late all the same, never a latency beyond the timeout.
func TestReplyAtTheTimeout(t *testing.T) {
	for early, want := range []Counts{{Planned: 1, Sent: 1, TimedOut: 1}, {Planned: 1, Sent: 1, Answered: 1}} {
		cfg := Plain(netip.MustParseAddrPort("127.0.0.1:1"))
		e := start(t, cfg)
		e.phase = newArrivals(e)
		ledger := NewLedger(&cfg, 0, func(Interval) {})
		e.accounts.Ledger = ledger
		r := &request{connection: &connection{e: e}, flags: wire.Load, slot: ledger.Plan(0)}
		e.unsettled++
		r.connection.put(r)
		e.conclude(r, Integrity{}, int64(cfg.Timeout)-int64(early))
		if ledger.Finish(); ledger.Window != want || e.accounts.Integrity != (Integrity{Late: want.TimedOut}) {
			t.Errorf("%+v, %+v", ledger.Window, e.accounts.Integrity)
		}
	}
}

func TestConservation(t *testing.T) {
	Conserve(t, start, func(t *testing.T, e *Routines) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.unsettled != 0 || len(e.timeline) != 0 {
			t.Errorf("%d are left unsettled, %d in the timeline", e.unsettled, len(e.timeline))
		}
	})
}

// A whole reply that was read before its connection was lost is answered, and nothing that came is called unasked for.
func TestReplyReadBeforeTheLoss(t *testing.T) {
	cfg := Plain(Listen(t, func(c *net.TCPConn, _ int) { _, _ = io.Copy(c, c) }))
	e := start(t, cfg)
	e.phase = newArrivals(e)
	e.at = Monotonic()
	ledger := NewLedger(&cfg, e.at, func(Interval) {})
	e.accounts.Ledger = ledger
	c := e.newConnection(0)
	conn, err := e.dialers.Dial(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	c.conn = conn
	r := &request{connection: c, flags: wire.Load, intended: e.at, slot: ledger.Plan(e.at)}
	e.unsettled++
	c.wire = append(c.wire, c.put(r))
	if _, err := conn.Write(append(c.expected(r), "more"...)); err != nil {
		t.Fatal(err)
	}
	for unread(conn) < cfg.PayloadBytes+len("more") {
		runtime.Gosched()
	}
	// The reader has the reply and waits for the lock, and behind it waits a writer that lost the connection. A waiter that finds the
	// lock taken again makes it go from one to the next, in this order.
	var both sync.WaitGroup
	e.mu.Lock()
	both.Go(c.read)
	for unread(conn) > 0 {
		runtime.Gosched()
	}
	time.Sleep(20 * time.Millisecond)
	both.Go(func() { c.lose(errs.Write, syscall.EPIPE) })
	time.Sleep(20 * time.Millisecond)
	e.mu.Unlock()
	e.mu.Lock()
	time.Sleep(20 * time.Millisecond)
	e.mu.Unlock()
	both.Wait()
	ledger.Finish()
	got := Planned(ledger.Window)
	answered := got == Counts{Planned: 1, Sent: 1, Answered: 1} && e.accounts.Surplus == 4
	// Where the machine let the reader come to the lock last, the connection was lost before.
	lost := got == Counts{Planned: 1, Sent: 1, Failed: 1} && e.accounts.Surplus == 0
	if !answered && !lost || e.accounts.Integrity != (Integrity{}) {
		t.Errorf("%+v, %d surplus, %+v", got, e.accounts.Surplus, e.accounts.Integrity)
	}
}
