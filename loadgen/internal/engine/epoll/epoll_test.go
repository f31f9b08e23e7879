package epoll

import (
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"
	"unsafe"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
)

func TestMain(m *testing.M) { Main(m) }

func start(t *testing.T, cfg Config) *Loop {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func arm(t *testing.T, l *Loop) Armed {
	t.Helper()
	a, err := l.Arm(l.cfg.Connections)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// load offers a load and checks what must hold whatever happened.
func load(t *testing.T, l *Loop) *Trial {
	t.Helper()
	r := Load(t, l)
	if l.requests.oldest != nothing {
		t.Error("a request is left unsettled")
	}
	strange := 0
	for i := range l.connections {
		if c := &l.connections[i]; c.wrong || c.stray {
			strange++
		}
	}
	if strange != len(l.strange) {
		t.Errorf("%d wrong replies are begun, %d remembered", strange, len(l.strange))
	}
	return r
}

// connectOnly connects without a verified echo, for servers that give none.
func connectOnly(t *testing.T, l *Loop) *connection {
	t.Helper()
	l.traits.Verifies = false
	if a := arm(t, l); a.Connected != l.cfg.Connections || a.Verified != 0 {
		t.Fatalf("armed %+v", a)
	}
	return &l.connections[0]
}

func TestStateIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(connection{}); size > 64 {
		t.Errorf("a connection takes %d bytes", size)
	}
	if size := unsafe.Sizeof(request{}); size > 64 {
		t.Errorf("a request takes %d bytes", size)
	}
}

func TestHonestServer(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"plain":       func(*Config) {},
		"mostly idle": func(c *Config) { c.Connections, c.Active = 50, 3 },
		"pipelined":   func(c *Config) { c.Active, c.Rate, c.Pipeline = 2, 2000, 16 },
		"smallest":    func(c *Config) { c.PayloadBytes = 32 },
		"odd size":    func(c *Config) { c.PayloadBytes = 77 },
		"largest":     func(c *Config) { c.PayloadBytes, c.Rate, c.Pipeline = 1<<20, 40, 3 },
		"warm-up":     func(c *Config) { c.Warmup = 1 },
		"none":        func(c *Config) { c.Connections, c.Active, c.Rate = 0, 0, 0 },
		"holds only":  func(c *Config) { c.Active, c.Rate = 0, 0 },
		"rate 0":      func(c *Config) { c.Rate = 0 },
		"paced ramp":  func(c *Config) { c.ConnectRate = 200 },
		"source": func(c *Config) {
			c.Sources = []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Plain(netip.AddrPort{})
			change(&cfg)
			cfg.Targets[0] = Serve(t, cfg.PayloadBytes, Always(Echo))
			l := start(t, cfg)
			if a := arm(t, l); a.Verified != cfg.Connections || a.Connected != cfg.Connections || len(a.Failed) != 0 {
				t.Fatalf("armed %+v", a)
			}
			if p := l.Prove(); p != (Proved{Verified: cfg.Connections, Failed: 0}) {
				t.Errorf("proved %+v", p)
			}
			r := load(t, l)
			want := Counts{Planned: int64(cfg.Rate), Sent: int64(cfg.Rate), Answered: int64(cfg.Rate)}
			if r.Done.Load != want {
				t.Errorf("window %+v, want %+v", r.Done.Load, want)
			}
			if len(r.Intervals) != cfg.Warmup+cfg.Duration || r.Done.Surplus != 0 || r.Done.Lost != 0 || len(r.Done.Errors) != 0 {
				t.Errorf("%d intervals, %+v", len(r.Intervals), r.Done)
			}
			if p := l.Prove(); p != (Proved{Verified: cfg.Connections, Failed: 0}) {
				t.Errorf("proved at the end %+v", p)
			}
		})
	}
}

// Each deed, done to every record of the window, must show as exactly what it is.
func TestHostileDeeds(t *testing.T) {
	t.Parallel()
	const n = 500 // planned
	for name, c := range map[string]struct {
		script  Script
		timeout time.Duration
		check   func(*Done) bool
	}{
		"corrupt": {AfterFirst(Corrupt), Patience, func(d *Done) bool { return d.Load.Mismatched == n && d.Surplus == 0 && d.Lost == 0 }},
		"trickle": {AfterFirst(Trickle), Patience, func(d *Done) bool { return d.Load.Answered == n }},
		"freeze": {AfterFirst(Freeze), 2 * time.Second, func(d *Done) bool {
			return d.Load.Answered >= 20 && d.Load.Answered+d.Load.TimedOut == n && d.Lost == 0
		}},
		"ignore":   {AfterFirst(Ignore), 2 * time.Second, func(d *Done) bool { return d.Load.TimedOut == n && d.Load.Sent == 20 && d.Lost == 0 }},
		"truncate": {AfterFirst(Truncate), 2 * time.Second, func(d *Done) bool { return d.Load.TimedOut == n && d.Load.Sent == 20 }},
		"close":    {AfterFirst(CloseIt), Patience, func(d *Done) bool { return d.Load.Failed == n && d.Lost == 20 && d.Errors[0].Cause == "peer-closed" }},
		"reset":    {AfterFirst(ResetIt), Patience, func(d *Done) bool { return d.Load.Failed == n && d.Lost == 20 && d.Errors[0].Cause == "reset" }},
		"half":     {AfterFirst(HalfThenReset), Patience, func(d *Done) bool { return d.Load.Failed == n && d.Lost == 20 }},
		"duplicate": {AfterFirst(Duplicate), Patience, func(d *Done) bool {
			return d.Surplus+d.Load.Mismatched > 0 && d.Load.Answered+d.Load.Mismatched == n
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Plain(Serve(t, 64, c.script))
			cfg.Timeout = c.timeout
			l := start(t, cfg)
			if a := arm(t, l); a.Verified != 20 {
				t.Fatalf("armed %+v", a)
			}
			if r := load(t, l); !c.check(&r.Done) || r.Done.Load.Planned != n {
				t.Errorf("%+v", r.Done)
			}
		})
	}
}

// A server that freezes delays also those who came after: their time counts from when they were meant.
func TestResponseCountsFromTheIntendedTime(t *testing.T) {
	cfg := Plain(Serve(t, 64, func(_, record int) Deed {
		if record == 1 {
			return Freeze
		}
		return Echo
	}))
	cfg.Connections, cfg.Active, cfg.Rate = 1, 1, 100
	l := start(t, cfg)
	arm(t, l)
	r := load(t, l)
	// 60 of 100 were meant while it was frozen, so the median of the slowest 60 waited half of it, though it was served at once.
	response := r.Intervals[0].Response
	if q := Quantile(t, response, 0.7); q < int64(Freezing)/3 || q > int64(Freezing)*2/3 || r.Done.Load.Answered != 100 {
		t.Errorf("70%% took up to %v of %v, %+v", time.Duration(q), Freezing, r.Done.Load)
	}
	if s := Quantile(t, r.Done.Service, 0.7); s > int64(Freezing)/3 {
		t.Errorf("served in %v", time.Duration(s))
	}
}

func TestLimitedServerLeavesTheRest(t *testing.T) {
	cfg := Plain(Serve(t, 64, func(connection, _ int) Deed {
		if connection >= 15 {
			return CloseIt
		}
		return Echo
	}))
	l := start(t, cfg)
	if a := arm(t, l); a.Verified != 15 || a.Connected != 20 || a.Failed["verify/peer-closed"]+a.Failed["verify/reset"] != 5 {
		t.Fatalf("armed %+v", a)
	}
	if p := l.Prove(); p != (Proved{Verified: 15, Failed: 0}) {
		t.Errorf("proved %+v", p)
	}
}

func TestArmingFails(t *testing.T) {
	refusing := Serve(t, 64, Always(Echo))
	closedPort := netip.AddrPortFrom(refusing.Addr(), 1)
	for name, c := range map[string]struct {
		target netip.AddrPort
		key    string
		change func(*Config)
	}{
		"refused":   {closedPort, "connect/refused", func(*Config) {}},
		"corrupted": {Serve(t, 64, Always(Corrupt)), "verify/mismatched", func(*Config) {}},
		"silent":    {Serve(t, 64, Always(Ignore)), "verify/timeout", func(c *Config) { c.ArmTimeout = 2 * time.Second }},
		"too slow":  {refusing, "connect/timeout", func(c *Config) { c.ArmTimeout, c.ConnectRate = 200*time.Millisecond, 0.001 }},
		"no source": {refusing, "connect/source", func(c *Config) { c.Sources = []netip.Addr{netip.MustParseAddr("192.0.2.1")} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Plain(c.target)
			c.change(&cfg)
			l := start(t, cfg)
			a := arm(t, l)
			if int64(a.Verified)+a.Failed[c.key] != 20 || a.Failed[c.key] == 0 {
				t.Errorf("armed %+v", a)
			}
			if p := l.Prove(); p.Verified != a.Verified || p.Failed != 0 {
				t.Errorf("proved %+v", p)
			}
		})
	}
}

func TestProveCountsTheSilent(t *testing.T) {
	t.Parallel()
	l := start(t, Plain(Serve(t, 64, func(connection, record int) Deed {
		if record > 0 && connection%4 == 0 {
			return Ignore
		}
		return Echo
	})))
	arm(t, l)
	if p := l.Prove(); p != (Proved{Verified: 15, Failed: 5}) {
		t.Errorf("proved %+v", p)
	}
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	cfg := Plain(Serve(t, 64, AfterFirst(Ignore)))
	cfg.Timeout = time.Second
	l := start(t, cfg)
	arm(t, l)
	l.requests.all = l.requests.all[:100]
	r := load(t, l)
	if d := r.Done.Load; d.Dropped == 0 || d.TimedOut == 0 || d.Dropped+d.TimedOut != 500 {
		t.Errorf("%+v", d)
	}
}

func TestLateStartIsRefused(t *testing.T) {
	l := start(t, Plain(Serve(t, 64, Always(Echo))))
	arm(t, l)
	if _, err := l.Run(Monotonic()-1, func(Interval) {}); err == nil {
		t.Error("a start in the past was accepted")
	}
}

func TestStop(t *testing.T) {
	for name, c := range map[string]struct {
		deed  Deed
		after time.Duration
	}{
		"before the start": {Echo, 0},
		"while it runs":    {Echo, 800 * time.Millisecond},
		"while it drains":  {Ignore, 1700 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Plain(Serve(t, 64, AfterFirst(c.deed)))
			if c.deed == Echo {
				cfg.Duration = 60 // so that nothing but Stop ends it soon
			}
			l := start(t, cfg)
			arm(t, l)
			time.AfterFunc(c.after, l.Stop)
			begun := time.Now()
			r := load(t, l)
			if took := time.Since(begun); took > Patience/2 {
				t.Errorf("stopped after %v", took)
			}
			if c.deed == Ignore && r.Done.Load.Censored != r.Done.Load.Planned {
				t.Errorf("%+v", r.Done.Load)
			}
		})
	}
}

func TestStopFromManyThreads(t *testing.T) {
	l := start(t, Plain(Serve(t, 64, Always(Ignore))))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(l.Stop)
	}
	arm(t, l)
	wg.Wait()
}
