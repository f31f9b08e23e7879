package engine

import (
	"flag"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// TestMain lets more tests run at once than there are processors, for nearly all of their time they wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() == "" {
		_ = flag.Set("test.parallel", "8")
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what must come. Under the race detector, a machine with other work may take seconds for an answer.
const patience = 20 * time.Second

// ahead is how long after its order a load starts, in ns: enough for a machine with other work.
const ahead = 500e6

func config(target netip.AddrPort) Config {
	return Config{Run: 20945436, Targets: []netip.AddrPort{target}, Workload: Open, Connections: 20, FirstConnection: 100, Active: 20,
		Rate: 500, Arrival: "fixed", Requests: -1, Pipeline: 1, PayloadBytes: 64, Duration: 1, Timeout: patience, ArmTimeout: 5 * time.Second, Seed: 71}
}

// A trial is one whole use of an engine.
type trial struct {
	done      Done
	intervals []Interval
}

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

func load(t *testing.T, l *Loop) *trial {
	t.Helper()
	r := &trial{}
	var err error
	if r.done, err = l.Run(Monotonic()+ahead, func(i Interval) { r.intervals = append(r.intervals, i) }); err != nil {
		t.Fatal(err)
	}
	conserved(t, l, r)
	return r
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
			cfg := config(netip.AddrPort{})
			change(&cfg)
			cfg.Targets[0] = serve(t, cfg.PayloadBytes, always(echo))
			l := start(t, cfg)
			if a := arm(t, l); a.Verified != cfg.Connections || a.Connected != cfg.Connections || len(a.Failed) != 0 {
				t.Fatalf("armed %+v", a)
			}
			if p := l.Prove(); p != (Proved{cfg.Connections, 0}) {
				t.Errorf("proved %+v", p)
			}
			r := load(t, l)
			want := Counts{Planned: int64(cfg.Rate), Sent: int64(cfg.Rate), Answered: int64(cfg.Rate)}
			if r.done.Load != want {
				t.Errorf("window %+v, want %+v", r.done.Load, want)
			}
			if len(r.intervals) != cfg.Warmup+cfg.Duration || r.done.Surplus != 0 || r.done.Lost != 0 || len(r.done.Errors) != 0 {
				t.Errorf("%d intervals, %+v", len(r.intervals), r.done)
			}
			if p := l.Prove(); p != (Proved{cfg.Connections, 0}) {
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
		script  script
		timeout time.Duration
		check   func(*Done) bool
	}{
		"corrupt": {afterFirst(corrupt), patience, func(d *Done) bool { return d.Load.Mismatched == n && d.Surplus == 0 && d.Lost == 0 }},
		"trickle": {afterFirst(trickle), patience, func(d *Done) bool { return d.Load.Answered == n }},
		"freeze": {afterFirst(freeze), 2 * time.Second, func(d *Done) bool {
			return d.Load.Answered >= 20 && d.Load.Answered+d.Load.TimedOut == n && d.Lost == 0
		}},
		"ignore":   {afterFirst(ignore), 2 * time.Second, func(d *Done) bool { return d.Load.TimedOut == n && d.Load.Sent == 20 && d.Lost == 0 }},
		"truncate": {afterFirst(truncate), 2 * time.Second, func(d *Done) bool { return d.Load.TimedOut == n && d.Load.Sent == 20 }},
		"close":    {afterFirst(closeIt), patience, func(d *Done) bool { return d.Load.Failed == n && d.Lost == 20 && d.Errors[0].Cause == "peer-closed" }},
		"reset":    {afterFirst(resetIt), patience, func(d *Done) bool { return d.Load.Failed == n && d.Lost == 20 && d.Errors[0].Cause == "reset" }},
		"half":     {afterFirst(halfThenReset), patience, func(d *Done) bool { return d.Load.Failed == n && d.Lost == 20 }},
		"duplicate": {afterFirst(duplicate), patience, func(d *Done) bool {
			return d.Surplus+d.Load.Mismatched > 0 && d.Load.Answered+d.Load.Mismatched == n
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(serve(t, 64, c.script))
			cfg.Timeout = c.timeout
			l := start(t, cfg)
			if a := arm(t, l); a.Verified != 20 {
				t.Fatalf("armed %+v", a)
			}
			if r := load(t, l); !c.check(&r.done) || r.done.Load.Planned != n {
				t.Errorf("%+v", r.done)
			}
		})
	}
}

// A server that freezes delays also those who came after: their time counts from when they were meant.
func TestResponseCountsFromTheIntendedTime(t *testing.T) {
	cfg := config(serve(t, 64, func(_, record int) deed {
		if record == 1 {
			return freeze
		}
		return echo
	}))
	cfg.Connections, cfg.Active, cfg.Rate = 1, 1, 100
	l := start(t, cfg)
	arm(t, l)
	r := load(t, l)
	// 60 of 100 were meant while it was frozen, so the median of the slowest 60 waited half of it, though it was served at once.
	response := r.intervals[0].Response
	if q := response.Quantile(0.7); q < int64(freezing)/3 || q > int64(freezing)*2/3 || r.done.Load.Answered != 100 {
		t.Errorf("70%% took up to %v of %v, %+v", time.Duration(q), freezing, r.done.Load)
	}
	if s := r.done.Service.Quantile(0.7); s > int64(freezing)/3 {
		t.Errorf("served in %v", time.Duration(s))
	}
}

func TestLimitedServerLeavesTheRest(t *testing.T) {
	cfg := config(serve(t, 64, func(connection, _ int) deed {
		if connection >= 15 {
			return closeIt
		}
		return echo
	}))
	l := start(t, cfg)
	if a := arm(t, l); a.Verified != 15 || a.Connected != 20 || a.Failed["verify/peer-closed"]+a.Failed["verify/reset"] != 5 {
		t.Fatalf("armed %+v", a)
	}
	if p := l.Prove(); p != (Proved{15, 0}) {
		t.Errorf("proved %+v", p)
	}
}

func TestArmingFails(t *testing.T) {
	refusing := serve(t, 64, always(echo))
	closedPort := netip.AddrPortFrom(refusing.Addr(), 1)
	for name, c := range map[string]struct {
		target netip.AddrPort
		key    string
		change func(*Config)
	}{
		"refused":   {closedPort, "connect/refused", func(*Config) {}},
		"corrupted": {serve(t, 64, always(corrupt)), "verify/mismatched", func(*Config) {}},
		"silent":    {serve(t, 64, always(ignore)), "verify/timeout", func(c *Config) { c.ArmTimeout = 2 * time.Second }},
		"too slow":  {refusing, "connect/timeout", func(c *Config) { c.ArmTimeout, c.ConnectRate = 200*time.Millisecond, 0.001 }},
		"no source": {refusing, "connect/source", func(c *Config) { c.Sources = []netip.Addr{netip.MustParseAddr("192.0.2.1")} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(c.target)
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
	l := start(t, config(serve(t, 64, func(connection, record int) deed {
		if record > 0 && connection%4 == 0 {
			return ignore
		}
		return echo
	})))
	arm(t, l)
	if p := l.Prove(); p != (Proved{15, 5}) {
		t.Errorf("proved %+v", p)
	}
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	cfg := config(serve(t, 64, afterFirst(ignore)))
	cfg.Timeout = time.Second
	l := start(t, cfg)
	arm(t, l)
	l.slab.requests = l.slab.requests[:100]
	r := load(t, l)
	if d := r.done.Load; d.Dropped == 0 || d.TimedOut == 0 || d.Dropped+d.TimedOut != 500 {
		t.Errorf("%+v", d)
	}
}

func TestLateStartIsRefused(t *testing.T) {
	l := start(t, config(serve(t, 64, always(echo))))
	arm(t, l)
	if _, err := l.Run(Monotonic()-1, func(Interval) {}); err == nil {
		t.Error("a start in the past was accepted")
	}
}

func TestStop(t *testing.T) {
	for name, c := range map[string]struct {
		deed  deed
		after time.Duration
	}{
		"before the start": {echo, 0},
		"while it runs":    {echo, 800 * time.Millisecond},
		"while it drains":  {ignore, 1700 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(serve(t, 64, afterFirst(c.deed)))
			if c.deed == echo {
				cfg.Duration = 60 // so that nothing but Stop ends it soon
			}
			l := start(t, cfg)
			arm(t, l)
			time.AfterFunc(c.after, l.Stop)
			begun := time.Now()
			r := load(t, l)
			if took := time.Since(begun); took > patience/2 {
				t.Errorf("stopped after %v", took)
			}
			if c.deed == ignore && r.done.Load.Censored != r.done.Load.Planned {
				t.Errorf("%+v", r.done.Load)
			}
		})
	}
}

func TestStopFromManyThreads(t *testing.T) {
	l := start(t, config(serve(t, 64, always(ignore))))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(l.Stop)
	}
	arm(t, l)
	wg.Wait()
}
