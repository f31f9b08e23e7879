package engines

import (
	"errors"
	"io"
	"math"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"c10k/loadgen/internal/contracts"
	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
	"c10k/loadgen/internal/errs"
)

func TestMain(m *testing.M) { Main(m) }

// each does a test with each engine.
func each(t *testing.T, test func(t *testing.T, kind string)) {
	t.Helper()
	t.Parallel()
	for _, kind := range Kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			test(t, kind)
		})
	}
}

// eachOf does a test with each case of a table and each engine.
func eachOf[C any](t *testing.T, table map[string]C, test func(t *testing.T, kind string, c C)) {
	t.Helper()
	t.Parallel()
	for name, c := range table {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, kind string) { test(t, kind, c) })
		})
	}
}

func start(t *testing.T, cfg Config, kind string) Engine {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	e, err := Make(cfg, kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func armed(t *testing.T, cfg Config, kind string) (Engine, Armed) {
	t.Helper()
	e := start(t, cfg, kind)
	a, err := e.Arm(cfg.Connections, cfg.ArmEnd())
	if err != nil {
		t.Fatal(err)
	}
	return e, a
}

// trial is all that an engine does with a share.
func trial(t *testing.T, cfg Config, kind string) *Trial {
	t.Helper()
	e, _ := armed(t, cfg, kind)
	return Load(t, e)
}

func TestEveryDeclaredWorkloadHasItsCode(t *testing.T) {
	for _, g := range contracts.Generators() {
		names := []string{"no such workload"}
		for name := range contracts.Workloads() {
			names = append(names, name)
		}
		for _, name := range names {
			cfg := Plain(netip.MustParseAddrPort("127.0.0.1:1"))
			cfg.Workload = name
			e, err := Make(cfg, g.Engine)
			if err == nil {
				e.Close()
			}
			var refusal *errs.Error
			isRefused := errors.As(err, &refusal) && refusal.Phase == errs.Spec
			if wanted := slices.Contains(g.LacksWorkloads, name) || name == names[0]; isRefused != wanted {
				t.Errorf("%s, %s: %v", g.Engine, name, err)
			}
		}
	}
}

func TestHonestServer(t *testing.T) {
	eachOf(t, map[string]func(*Config){
		"plain":       func(*Config) {},
		"mostly idle": func(c *Config) { c.Connections, c.Active = 50, 3 },
		"pipelined":   func(c *Config) { c.Active, c.Rate, c.Pipeline = 2, 2000, 16 },
		"smallest":    func(c *Config) { c.PayloadBytes = 32 },
		"odd size":    func(c *Config) { c.PayloadBytes = 77 },
		"largest":     func(c *Config) { c.PayloadBytes, c.Rate, c.Pipeline = 1<<20, 40, 3 },
		"warm-up":     func(c *Config) { c.Warmup = 1 },
		"none":        func(c *Config) { c.Connections, c.Active, c.Rate = 0, 0, 0 },
		"no visitor":  func(c *Config) { c.Workload, c.Connections, c.Active, c.Rate = Churn, 0, 0, 0 },
		"holds only":  func(c *Config) { c.Active, c.Rate = 0, 0 },
		"closed idle": func(c *Config) { c.Workload, c.Active, c.Rate = Closed, 0, 0 },
		"rate 0":      func(c *Config) { c.Rate = 0 },
		"paced ramp":  func(c *Config) { c.ConnectRate = 200 },
		"capacity":    func(c *Config) { c.Workload = Capacity },
		"limit":       func(c *Config) { c.Workload = Limit },
	}, func(t *testing.T, kind string, change func(*Config)) {
		cfg := Plain(netip.AddrPort{})
		change(&cfg)
		cfg.Targets[0] = Serve(t, cfg.PayloadBytes, Always(Echo))
		e, a := armed(t, cfg, kind)
		if a.Verified != cfg.Connections || a.Connected != cfg.Connections || len(a.Failed) != 0 {
			t.Fatalf("armed %+v", a)
		}
		if p := e.Prove(cfg.ArmEnd()); p != (Proved{Verified: cfg.Connections, Failed: 0}) {
			t.Errorf("proved %+v", p)
		}
		r := Load(t, e)
		n := int64(cfg.Rate)
		if want := (Counts{Planned: n, Sent: n, Answered: n}); Planned(r.Done.Load) != want || r.Done.Warmup.Planned != n*int64(cfg.Warmup) {
			t.Errorf("%+v, want %+v", r.Done, want)
		}
		if len(r.Intervals) != cfg.Warmup+cfg.Duration || r.Done.Surplus != 0 || r.Done.Integrity != (Integrity{}) || r.Done.Lost != 0 ||
			len(r.Done.Errors) != 0 {
			t.Errorf("%d intervals, %+v", len(r.Intervals), r.Done)
		}
		if p := e.Prove(cfg.ArmEnd()); p != (Proved{Verified: cfg.Connections, Failed: 0}) {
			t.Errorf("proved at the end %+v", p)
		}
	})
}

// Both engines plan the same requests for the same intervals.
func TestEnginesPlanAlike(t *testing.T) {
	t.Parallel()
	var trials []*Trial
	for _, kind := range Kinds {
		cfg := Plain(Serve(t, 64, Always(Echo)))
		cfg.Arrival, cfg.Warmup = "poisson", 1
		trials = append(trials, trial(t, cfg, kind))
	}
	for k, a := range trials[0].Intervals {
		if b := trials[1].Intervals[k]; a.K != b.K || Planned(a.Counts) != Planned(b.Counts) || a.Counts.Answered < 300 {
			t.Errorf("interval %d %+v, interval %d %+v", a.K, a.Counts, b.K, b.Counts)
		}
	}
}

// A server that takes its time is never measured as faster than it was.
func TestServiceTakesAsLongAsTheServer(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		cfg := Plain(Serve(t, 64, AfterFirst(Freeze)))
		cfg.Rate = 100
		d := trial(t, cfg, kind).Done
		if h := d.Service.Quantile(0); h < int64(Freezing)*99/100 || h > int64(Patience) || d.Load.Answered != 100 {
			t.Errorf("measured %v, the server takes %v; %+v", time.Duration(h), Freezing, d.Load)
		}
	})
}

// A server that freezes delays also those who came after: their time counts from when they were meant.
func TestResponseCountsFromTheIntendedTime(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		cfg := Plain(Serve(t, 64, func(_, record int) Deed {
			if record == 1 {
				return Freeze
			}
			return Echo
		}))
		cfg.Connections, cfg.Active, cfg.Rate = 1, 1, 100
		r := trial(t, cfg, kind)
		// 60 of 100 were meant while it was frozen, so the median of the slowest 60 waited half of it, though it was served at once.
		response, d := r.Intervals[0].Response, &r.Done
		if q := response.Quantile(0.7); q < int64(Freezing)/3 || d.Load.Answered != 100 {
			t.Errorf("70%% took up to %v of %v, %+v", time.Duration(q), Freezing, d.Load)
		}
		// However late the machine is, each response is what its request waited, and then the service, to three digits.
		if sum := d.Lag.Mean() + d.Service.Mean(); math.Abs(response.Mean()-sum) > sum*0.002 {
			t.Errorf("a response of %v, a lag of %v, a service of %v", response.Mean(), d.Lag.Mean(), d.Service.Mean())
		}
	})
}

// The loop's lateness and the gaps between its sends are of the load alone, the gaps of its window.
func TestSelfReport(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		cfg := Plain(Serve(t, 64, Always(Echo)))
		cfg.Warmup = 1
		d := trial(t, cfg, kind).Done
		sum := int64(0)
		for _, gap := range d.SendGaps {
			sum += gap
		}
		if len(d.SendGaps) != 499 || sum < int64(500*time.Millisecond) || sum > int64(Patience) {
			t.Errorf("%d gaps, in all %v", len(d.SendGaps), time.Duration(sum))
		}
		if n := d.LoopLag.Count(); n < 10 || d.LoopLag.Max() < d.LoopLag.Quantile(0.5) || d.LoopLag.Max() > int64(d.MaxLoopGap)*101/100+1000 {
			t.Errorf("%d turns, up to %v, longest gap %v", n, time.Duration(d.LoopLag.Max()), d.MaxLoopGap)
		}
	})
}

// Connection i comes from source i mod S.
func TestSources(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		var mu sync.Mutex
		from := map[netip.Addr]int{}
		cfg := Plain(Listen(t, func(c *net.TCPConn, _ int) {
			mu.Lock()
			from[c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()]++
			mu.Unlock()
			_, _ = io.Copy(c, c)
		}))
		one, two := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
		cfg.Sources = []netip.Addr{one, two}
		if d := trial(t, cfg, kind).Done; d.Armed != 20 || d.Load.Answered != 500 {
			t.Errorf("%+v", d)
		}
		mu.Lock()
		defer mu.Unlock()
		if from[one] != 10 || from[two] != 10 {
			t.Errorf("%v", from)
		}
	})
}

func TestLateStartIsRefused(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		e, _ := armed(t, Plain(Serve(t, 64, Always(Echo))), kind)
		var late *errs.Error
		if _, err := e.Run(Monotonic()-1, func(Interval) {}); !errors.As(err, &late) || late.Phase != errs.Start {
			t.Errorf("a start in the past: %v", err)
		}
	})
}

func TestStop(t *testing.T) {
	eachOf(t, map[string]struct {
		workload string
		deed     Deed
		after    time.Duration
	}{
		"before the start": {Open, Echo, 0},
		"answered":         {Open, Echo, 800 * time.Millisecond},
		"open":             {Open, Ignore, 800 * time.Millisecond},
		"closed":           {Closed, Ignore, 800 * time.Millisecond},
		"churn":            {Churn, Ignore, 800 * time.Millisecond},
		"while it drains":  {Open, Ignore, 1700 * time.Millisecond},
	}, func(t *testing.T, kind string, c struct {
		workload string
		deed     Deed
		after    time.Duration
	}) {
		script := AfterFirst(c.deed)
		if c.workload == Churn {
			script = afterFirstConnection(c.deed)
		}
		cfg := Plain(Serve(t, 64, script))
		if cfg.Workload = c.workload; c.deed == Echo {
			cfg.Duration = 60 // so that nothing but Stop ends it soon
		}
		e, _ := armed(t, cfg, kind)
		time.AfterFunc(c.after, e.Stop)
		begun := time.Now()
		d := Load(t, e).Done
		if took := time.Since(begun); took > Patience/2 || len(d.Errors) != 0 || c.deed == Ignore && d.Load.Censored != d.Load.Planned {
			t.Errorf("after %v: %+v", took, d)
		}
		if c.workload != Open && d.Load.Planned != 20 {
			t.Errorf("%+v", d.Load)
		}
	})
}

func TestStopFromManyThreads(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		cfg := Plain(Serve(t, 64, Always(Ignore)))
		e := start(t, cfg, kind)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(e.Stop)
		}
		begun := time.Now()
		if _, err := e.Arm(20, cfg.ArmEnd()); err != nil || time.Since(begun) > cfg.ArmTimeout/2 {
			t.Errorf("armed for %v, %v", time.Since(begun), err)
		}
		wg.Wait()
	})
}

// After Close nothing is left open and nothing runs, whatever was going on. Not parallel: it counts what is left of it.
func TestNothingIsLeft(t *testing.T) {
	for _, g := range contracts.Generators() {
		for workload := range contracts.Workloads() {
			for _, stopped := range []bool{true, false} {
				if !stopped && workload != Churn || slices.Contains(g.LacksWorkloads, workload) {
					continue
				}
				goroutines, open := runtime.NumGoroutine(), Descriptors(t)
				t.Run(g.Engine+" "+workload, func(t *testing.T) {
					cfg := Plain(Serve(t, 64, Always(Echo)))
					if workload == Calibrate {
						cfg.Targets[0] = Listen(t, Swallow)
					}
					cfg.Workload, cfg.Timeout = workload, 100*time.Millisecond
					e, _ := armed(t, cfg, g.Engine)
					if stopped {
						time.AfterFunc(700*time.Millisecond, e.Stop)
					}
					Load(t, e)
				})
				for begun := time.Now(); runtime.NumGoroutine() > goroutines || Descriptors(t) > open; time.Sleep(time.Millisecond) {
					if time.Since(begun) > 5*time.Second {
						t.Fatalf("%s %s: %d goroutines of %d and %d descriptors of %d are left", g.Engine, workload, runtime.NumGoroutine(),
							goroutines, Descriptors(t), open)
					}
				}
			}
		}
	}
}
