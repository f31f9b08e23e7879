package goroutine

import (
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
	"c10k/loadgen/internal/wire"

	"golang.org/x/sys/unix"
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

// An engine that gets a CPU only now and then is never away for long, but six replies that each lay there for a tenth of the
// timeout kept those behind them for more than half of it. Six that the server sent so late did not.
func TestWhoKeptARequestWithManyShortAbsences(t *testing.T) {
	for _, away := range []bool{true, false} {
		cfg := Plain(netip.MustParseAddrPort("127.0.0.1:1"))
		e := start(t, cfg)
		e.phase = newArrivals(e)
		e.accounts.Ledger = NewLedger(&cfg, 0, func(Interval) {})
		c, tenth := e.newConnection(0), int64(cfg.Timeout)/10
		for range 8 {
			e.submit(c, wire.Load, 0, e.accounts.Ledger.Plan(0))
		}
		for range 6 {
			r := c.next()
			c.writing = false
			if away {
				e.away = tenth
			}
			c.reply = append(c.expected(r), make([]byte, wire.BeginBytes)...)
			c.heed(len(c.expected(r)), r.sent+tenth)
		}
		r := c.next()
		c.writing, e.away = false, 0
		if late := c.waiting[0].late(); late != away {
			t.Errorf("away %v: late %v, with %v unseen behind %v", away, late, c.unseen, r.sent)
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

// What the peer said before it reset the connection is read, though a write meets the reset first.
func TestReplyBeforeTheReset(t *testing.T) {
	cfg := Plain(Serve(t, 64, func(_, record int) Deed {
		if record == 0 {
			return Echo
		}
		return ResetIt
	}))
	cfg.Pipeline = 3
	e := start(t, cfg)
	e.phase = newArrivals(e)
	e.at = Monotonic()
	ledger := NewLedger(&cfg, e.at, func(Interval) {})
	e.accounts.Ledger = ledger
	c := e.newConnection(0)
	var err error
	if c.conn, err = e.dialers.Dial(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	ask := func() { e.submit(c, wire.Load, e.at, ledger.Plan(e.at)) }
	var writing sync.WaitGroup
	writing.Go(c.write)
	e.mu.Lock()
	ask()
	ask()
	e.mu.Unlock()
	for isOpen(t, c.conn) {
		runtime.Gosched()
	}
	e.mu.Lock()
	ask()
	e.mu.Unlock()
	writing.Wait()
	c.reply = make([]byte, 64+wire.BeginBytes)
	c.read()
	ledger.Finish()
	rows := e.accounts.Errors.Rows()
	if got := Planned(ledger.Window); got != (Counts{Planned: 3, Sent: 3, Answered: 1, Failed: 2}) || len(rows) != 1 || rows[0].Phase != "write" {
		t.Errorf("%+v, %+v", got, rows)
	}
}

// The rest of a reply that lies unread when the load is over is part of it: only its reader was late.
func TestARestThatIsNotReadIsNotCut(t *testing.T) {
	cfg := Plain(Serve(t, 64, Always(Echo)))
	e := start(t, cfg)
	e.phase = newArrivals(e)
	c := e.newConnection(0)
	e.connections[0] = c
	var err error
	if c.conn, err = e.dialers.Dial(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	long := Monotonic() - 3*int64(cfg.Timeout)
	e.accounts.Ledger = NewLedger(&cfg, long, func(Interval) {})
	e.submit(c, wire.Load, long, e.accounts.Ledger.Plan(long))
	var both sync.WaitGroup
	both.Go(c.write)
	c.reply = make([]byte, 64+wire.BeginBytes)
	if _, err := io.ReadFull(c.conn, c.reply[:40]); err != nil {
		t.Fatal(err)
	}
	c.heed(40, long)
	e.mu.Lock()
	e.expire(Monotonic())
	e.mu.Unlock()
	for unread(c.conn) < 24 {
		runtime.Gosched()
	}
	time.AfterFunc(50*time.Millisecond, func() { both.Go(c.read) }) // however late that is
	e.linger()
	e.mu.Lock()
	e.cutShort()
	if g := e.accounts.Integrity; g != (Integrity{Late: 1}) {
		t.Errorf("%+v", g)
	}
	e.mu.Unlock()
	e.hangUp()
	both.Wait()
}

// isOpen tells whether the kernel has not met the end of a connection.
func isOpen(t *testing.T, conn *net.TCPConn) bool {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var info *unix.TCPInfo
	_ = raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) })
	if err != nil {
		t.Fatal(err)
	}
	return info.State != unix.BPF_TCP_CLOSE
}
