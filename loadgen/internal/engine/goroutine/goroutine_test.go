package goroutine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
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

// armed arms an engine, offers its load, and checks what must hold whatever happened.
func armed(t *testing.T, e *Routines) *Trial {
	t.Helper()
	if _, err := e.Arm(e.cfg.Connections); err != nil {
		t.Fatal(err)
	}
	return load(t, e)
}

func load(t *testing.T, e *Routines) *Trial {
	t.Helper()
	r := Load(t, e)
	if e.unsettled != 0 || len(e.timeline) != 0 {
		t.Errorf("%d are left unsettled", e.unsettled)
	}
	return r
}

func TestWrongReplies(t *testing.T) {
	t.Parallel()
	altered := func(change func(*wire.Header)) func([]byte) []byte {
		return func(record []byte) []byte {
			h, err := wire.Decode(record)
			if err != nil {
				t.Error(err)
			}
			change(&h)
			wire.Encode(record, h)
			return record
		}
	}
	for name, c := range map[string]struct {
		change func([]byte) []byte
		want   Integrity
	}{
		"corrupt":    {func(b []byte) []byte { b[60] ^= 1; return b }, Integrity{Corrupt: 500}},
		"forged":     {altered(func(h *wire.Header) { h.Intended++ }), Integrity{Corrupt: 500}},
		"duplicated": {altered(func(h *wire.Header) { h.Sequence-- }), Integrity{Duplicated: 500}},
		"reordered":  {altered(func(h *wire.Header) { h.Sequence++ }), Integrity{Reordered: 500}},
		"crossed":    {altered(func(h *wire.Header) { h.Connection++ }), Integrity{Crossed: 500}},
		"foreign":    {altered(func(h *wire.Header) { h.Run++; h.Connection++ }), Integrity{Foreign: 500}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Plain(Answering(t, 64, c.change))
			if d := armed(t, start(t, cfg)).Done; d.Load.Mismatched != 500 || d.Integrity != c.want || d.Surplus != 0 {
				t.Errorf("%+v, %+v", d.Integrity, d.Load)
			}
		})
	}
}

// No bit of a reply may differ unnoticed.
func TestClassifySeesEveryBit(t *testing.T) {
	filler := wire.NewBuffer(64, 71)
	want := wire.Header{Run: 1, Connection: 2, Sequence: 3, Intended: 4}
	reply := bytes.Clone(filler)
	wire.Encode(reply, want)
	if got := classify(reply, want, filler, false); got != (Integrity{}) {
		t.Fatalf("the record itself is %+v", got)
	}
	for bit := range 64 * 8 {
		reply[bit/8] ^= 1 << (bit % 8)
		if got := classify(reply, want, filler, false); got != (Integrity{Corrupt: 1}) {
			t.Errorf("bit %d: %+v", bit, got)
		}
		reply[bit/8] ^= 1 << (bit % 8)
	}
	reply[63]++
	wire.Encode(reply, want) // a checksum that fits
	if got := classify(reply, want, filler, false); got != (Integrity{Corrupt: 1}) {
		t.Errorf("other filler: %+v", got)
	}
}

// What nobody asked for is surplus, and does not spoil what comes after it.
func TestSurplus(t *testing.T) {
	t.Parallel()
	cfg := Plain(ServeEach(t, func(c *net.TCPConn, _ int) {
		record := make([]byte, 64)
		for {
			if _, err := io.ReadFull(c, record); err != nil {
				return
			}
			if _, err := c.Write(append(record, record[:13]...)); err != nil {
				return
			}
		}
	}))
	cfg.Rate = 20 // one of each connection: none goes out before the surplus of the last is in
	r := start(t, cfg)
	if d := armed(t, r).Done; d.Load.Answered != 20 || d.Surplus != 13*40 || d.Integrity != (Integrity{}) {
		t.Errorf("%+v", d)
	}
	if p := r.Prove(); p != (Proved{Verified: 20, Failed: 0}) {
		t.Errorf("proved at the end %+v", p)
	}
}

func TestLateReplies(t *testing.T) {
	t.Parallel()
	cfg := Plain(Answering(t, 64, func(b []byte) []byte { time.Sleep(200 * time.Millisecond); return b }))
	cfg.Rate, cfg.Timeout = 100, 150*time.Millisecond
	d := armed(t, start(t, cfg)).Done
	if d.Load.TimedOut != 100 || d.Integrity.Late == 0 || d.Integrity != (Integrity{Late: d.Integrity.Late}) || d.Surplus != 0 {
		t.Errorf("%+v, %+v", d.Load, d.Integrity)
	}
}

// A server that takes in nothing must stall nobody but itself.
func TestFullSocket(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	cfg := Plain(ServeEach(t, func(c *net.TCPConn, number int) {
		record := make([]byte, size)
		for i := 0; i == 0 || number > 0; i++ {
			if _, err := io.ReadFull(c, record); err != nil {
				return
			}
			_, _ = c.Write(record)
		}
		time.Sleep(Patience / 2)
	}))
	cfg.Connections, cfg.Active, cfg.Rate, cfg.PayloadBytes, cfg.Pipeline, cfg.Timeout = 2, 2, 40, size, 20, 5*time.Second
	if d := armed(t, start(t, cfg)).Done; d.Load.Answered != 20 || d.Load.TimedOut != 20 || d.Load.Sent == 40 {
		t.Errorf("%+v", d.Load)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script Script
		think  time.Duration
		check  func(Counts) bool
	}{
		"at once":         {Always(Echo), 0, func(c Counts) bool { return c.Planned > 60*2 && c.Answered == c.Planned }},
		"after a thought": {Always(Echo), 100 * time.Millisecond, func(c Counts) bool { return c.Planned <= 60*20 && c.Planned >= 60*2 && c.Answered == c.Planned }},
		"in silence":      {AfterFirst(Ignore), 0, func(c Counts) bool { return c == Counts{Planned: 60, Sent: 60, TimedOut: 60} }},
		"after the end":   {AfterFirst(CloseIt), 0, func(c Counts) bool { return c.Planned == 60 && c.Failed == 60 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Plain(Serve(t, 64, c.script))
			cfg.Workload, cfg.Rate, cfg.Pipeline, cfg.ThinkTime, cfg.Duration, cfg.Timeout = Closed, 0, 3, c.think, 2, 3*time.Second
			if d := armed(t, start(t, cfg)).Done; !c.check(d.Load) || d.Surplus != 0 {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestArmAndProve(t *testing.T) {
	t.Parallel()
	cfg := Plain(Serve(t, 64, func(connection, record int) Deed {
		if connection >= 15 {
			return CloseIt
		}
		if record > 0 && connection%5 == 0 {
			return Ignore
		}
		return Echo
	}))
	cfg.ConnectRate = 1000
	r := start(t, cfg)
	for _, total := range []int{8, 20} {
		if _, err := r.Arm(total); err != nil {
			t.Fatal(err)
		}
	}
	a, _ := r.Arm(20)
	if a.Verified != 15 || a.Connected != 20 || a.Failed["verify/peer-closed"]+a.Failed["verify/reset"] != 5 || a.Retries != 0 {
		t.Errorf("%+v", a)
	}
	if p := r.Prove(); p != (Proved{Verified: 12, Failed: 3}) {
		t.Errorf("%+v", p)
	}
}

func TestFailToArm(t *testing.T) {
	t.Parallel()
	refused := netip.MustParseAddrPort("127.0.0.1:1")
	for name, c := range map[string]struct {
		target  netip.AddrPort
		key     string
		retries int64
		change  func(*Config)
	}{
		"refused":   {refused, "connect/refused", 60, func(*Config) {}},
		"no time":   {refused, "connect/refused", 40, func(c *Config) { c.ArmTimeout = 690 * time.Millisecond }},
		"corrupted": {Serve(t, 64, Always(Corrupt)), "verify/mismatched", 0, func(*Config) {}},
		"silent":    {Serve(t, 64, Always(Ignore)), "verify/timeout", 0, func(c *Config) { c.ArmTimeout = 2 * time.Second }},
		"too slow":  {refused, "connect/timeout", 0, func(c *Config) { c.ArmTimeout, c.ConnectRate = 50*time.Millisecond, 0.001 }},
		"no source": {refused, "connect/source", 0, func(c *Config) { c.Sources = []netip.Addr{netip.MustParseAddr("192.0.2.1")} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Plain(c.target)
			c.change(&cfg)
			a, err := start(t, cfg).Arm(20)
			if err != nil || a.Verified != 0 || a.Failed[c.key] < 19 || a.Retries != c.retries {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
}

// A server that comes up while it is tried is not a failure.
func TestTryAgain(t *testing.T) {
	t.Parallel()
	held, err := net.Listen("tcp", "127.0.0.4:0") // where no other test takes the port meanwhile
	if err != nil {
		t.Fatal(err)
	}
	address := held.Addr().String()
	_ = held.Close()
	cfg := Plain(netip.MustParseAddrPort(address))
	r := start(t, cfg)
	time.AfterFunc(200*time.Millisecond, func() {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = listener.Close() })
		ServeOn(listener, 64, Always(Echo))
	})
	if a, _ := r.Arm(20); a.Verified != 20 || a.Retries < 20 || len(a.Failed) != 0 {
		t.Errorf("%+v", a)
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		workload string
		after    time.Duration
	}{"before the start": {Open, 0}, "open": {Open, 800 * time.Millisecond}, "closed": {Closed, 800 * time.Millisecond}, "churn": {Churn, 800 * time.Millisecond},
		"while it drains": {Open, 1700 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Plain(Serve(t, 64, func(connection, record int) Deed {
				if record > 0 || c.workload == Churn && connection > 0 {
					return Ignore
				}
				return Echo
			}))
			cfg.Workload = c.workload
			r := start(t, cfg)
			if _, err := r.Arm(20); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			time.AfterFunc(c.after, r.Stop)
			d := load(t, r).Done
			if took := time.Since(begun); took > Patience/2 || d.Load.Censored != d.Load.Planned || len(d.Errors) != 0 {
				t.Errorf("after %v: %+v", took, d)
			}
		})
	}
}

// This one is not parallel: it counts what is left of it.
func TestLeaveNothing(t *testing.T) {
	address := Serve(t, 64, Always(Echo))
	for _, workload := range []string{Open, Churn} {
		before, descriptors := runtime.NumGoroutine(), Descriptors(t)
		cfg := Plain(address)
		cfg.Workload, cfg.Requests = workload, 100
		r := start(t, cfg)
		armed(t, r)
		r.Close()
		// The server's ends, one goroutine and one descriptor each, go soon after.
		for begun := time.Now(); runtime.NumGoroutine() > before+2 || Descriptors(t) > descriptors+20; runtime.Gosched() {
			if time.Since(begun) > Patience {
				t.Fatalf("%s: %d goroutines, were %d; %d descriptors, were %d", workload, runtime.NumGoroutine(), before, Descriptors(t), descriptors)
			}
		}
	}
}

func TestRefuseToCalibrate(t *testing.T) {
	cfg := Plain(netip.AddrPort{})
	cfg.Workload = Calibrate
	var e *errs.Error
	if _, err := New(cfg); !errors.As(err, &e) || e.Phase != errs.Spec {
		t.Errorf("%v", err)
	}
	r := start(t, Plain(netip.MustParseAddrPort("127.0.0.1:1")))
	if _, err := r.Run(Monotonic()-1, func(Interval) {}); !errors.As(err, &e) || e.Phase != errs.Start {
		t.Errorf("%v", err)
	}
}

// Whatever a server does, in any order, to any workload, and whenever it is stopped, every request is settled once.
func TestConserve(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			cfg, stop := Erratic(t, seed)
			r := start(t, cfg)
			defer time.AfterFunc(stop, r.Stop).Stop()
			armed(t, r)
		})
	}
}

func TestWithAnHonestServer(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"mostly idle": func(c *Config) { c.Connections, c.Active = 50, 3 },
		"pipelined":   func(c *Config) { c.Active, c.Rate, c.Pipeline = 2, 2000, 16 },
		"odd size":    func(c *Config) { c.PayloadBytes = 77 },
		"largest":     func(c *Config) { c.PayloadBytes, c.Rate, c.Pipeline = 1<<20, 40, 3 },
		"none":        func(c *Config) { c.Connections, c.Active, c.Rate = 0, 0, 0 },
		"no visitor":  func(c *Config) { c.Workload, c.Connections, c.Active, c.Rate = Churn, 0, 0, 0 },
		"holds only":  func(c *Config) { c.Active, c.Rate = 0, 0 },
		"closed idle": func(c *Config) { c.Workload, c.Active, c.Rate = Closed, 0, 0 },
		"capacity":    func(c *Config) { c.Workload = Capacity },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Plain(netip.AddrPort{})
			change(&cfg)
			cfg.Targets[0] = Serve(t, cfg.PayloadBytes, Always(Echo))
			r := start(t, cfg)
			d := armed(t, r)
			if n := int64(cfg.Rate); d.Done.Load != (Counts{Planned: n, Sent: n, Answered: n}) || len(d.Intervals) != 1 || len(d.Done.Errors) != 0 {
				t.Errorf("%d intervals, %+v", len(d.Intervals), d.Done)
			}
			if p := r.Prove(); p != (Proved{Verified: cfg.Connections, Failed: 0}) {
				t.Errorf("proved at the end %+v", p)
			}
		})
	}
}

// Connection i comes from source i mod S.
func TestUseTheirSources(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	from := map[netip.Addr]int{}
	cfg := Plain(ServeEach(t, func(c *net.TCPConn, _ int) {
		mu.Lock()
		from[c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()]++
		mu.Unlock()
		_, _ = io.Copy(c, c)
	}))
	one, two := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	cfg.Sources = []netip.Addr{one, two}
	if a, _ := start(t, cfg).Arm(20); a.Verified != 20 {
		t.Errorf("%+v", a)
	}
	mu.Lock()
	defer mu.Unlock()
	if from[one] != 10 || from[two] != 10 {
		t.Errorf("%v", from)
	}
}

// A reply that is read before anybody has looked for timeouts is late all the same, never a latency beyond the timeout.
func TestReplyAtTheTimeout(t *testing.T) {
	for early, want := range []Counts{{Planned: 1, Sent: 1, TimedOut: 1}, {Planned: 1, Sent: 1, Answered: 1}} {
		cfg := Plain(netip.MustParseAddrPort("127.0.0.1:1"))
		e := start(t, cfg)
		e.phase = newArrivals(e, 0, func(Interval) {})
		ledger := e.accounts.Ledger
		r := &request{connection: &connection{e: e}, flags: wire.Load, slot: ledger.Plan(0)}
		e.unsettled++
		r.connection.put(r)
		e.conclude(r, Integrity{}, int64(cfg.Timeout)-int64(early))
		if ledger.Finish(); ledger.Window != want || e.accounts.Integrity != (Integrity{Late: want.TimedOut}) {
			t.Errorf("%+v, %+v", ledger.Window, e.accounts.Integrity)
		}
	}
}
