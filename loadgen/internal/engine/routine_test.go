package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/wire"
)

// routineServer serves every connection with what the test says.
func routineServer(t *testing.T, attend func(c *net.TCPConn, number int)) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for number := 0; ; number++ {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				attend(c.(*net.TCPConn), number)
			}()
		}
	}()
	return netip.MustParseAddrPort(listener.Addr().String())
}

// routineReplies answers the records of a connection, but the first, with what change makes of them.
func routineReplies(t *testing.T, size int, change func(record []byte) []byte) netip.AddrPort {
	return routineServer(t, func(c *net.TCPConn, _ int) {
		record := make([]byte, size)
		for i := 0; ; i++ {
			if _, err := io.ReadFull(c, record); err != nil {
				return
			}
			reply := record
			if i > 0 {
				reply = change(record)
			}
			if _, err := c.Write(reply); err != nil {
				return
			}
		}
	})
}

func startRoutines(t *testing.T, cfg Config) *Routines {
	t.Helper()
	r, err := NewRoutines(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// routineTrial arms an engine, offers its load, and checks what must hold whatever happened.
func routineTrial(t *testing.T, e Engine, cfg Config) *trial {
	t.Helper()
	if _, err := e.Arm(cfg.Connections); err != nil {
		t.Fatal(err)
	}
	return routineLoad(t, e)
}

func routineLoad(t *testing.T, e Engine) *trial {
	t.Helper()
	r := &trial{}
	var err error
	if r.done, err = e.Run(Monotonic()+ahead, func(i Interval) { r.intervals = append(r.intervals, i) }); err != nil {
		t.Error(err)
		return r
	}
	var warmup, window Counts
	seen := map[int]bool{}
	for _, i := range r.intervals {
		c := i.Counts
		if c.Planned != c.Settled() || c.Sent > c.Planned || c.Answered != i.Response.Count() || c.Answered+c.Mismatched > c.Sent || seen[i.K] {
			t.Errorf("interval %d: %+v, %d latencies", i.K, c, i.Response.Count())
		}
		seen[i.K] = true
		if i.Warmup {
			warmup.Add(&c)
		} else {
			window.Add(&c)
		}
	}
	d := &r.done
	if warmup != d.Warmup || window != d.Load {
		t.Errorf("intervals give %+v and %+v, totals %+v and %+v", warmup, window, d.Warmup, d.Load)
	}
	if d.Lag.Count() != d.Load.Sent || d.Service.Count() != d.Load.Answered || len(d.SendGaps) > MostSendGaps {
		t.Errorf("%d lags of %d sent, %d service times of %d answered", d.Lag.Count(), d.Load.Sent, d.Service.Count(), d.Load.Answered)
	}
	if r, ok := e.(*Routines); ok && (r.unsettled != 0 || len(r.timeline) != 0) {
		t.Errorf("%d are left unsettled", r.unsettled)
	}
	return r
}

// bothTrials does the same trial with each engine at the same time, on servers of their own.
func bothTrials(t *testing.T, cfg Config, server func() netip.AddrPort) (epoll, routines *trial) {
	t.Helper()
	other := cfg
	cfg.Targets, other.Targets = []netip.AddrPort{server()}, []netip.AddrPort{server()}
	r := startRoutines(t, other)
	if _, err := r.Arm(cfg.Connections); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { routines = routineLoad(t, r) })
	epoll = routineTrial(t, start(t, cfg), cfg)
	if running.Wait(); t.Failed() {
		t.FailNow()
	}
	return epoll, routines
}

// Whatever a server does to every record of the window, both engines give the same account of it.
func TestRoutinesAgreeWithTheLoop(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]deed{"echo": echo, "trickle": trickle, "corrupt": corrupt, "truncate": truncate, "ignore": ignore,
		"close": closeIt, "reset": resetIt, "half": halfThenReset} {
		for _, arrival := range []string{"fixed", "poisson"} {
			if arrival == "poisson" && d != echo {
				continue // the times are compared once
			}
			t.Run(name+" "+arrival, func(t *testing.T) {
				t.Parallel()
				cfg := config(netip.AddrPort{})
				cfg.Arrival = arrival
				if name == "echo" && arrival == "fixed" {
					cfg.Warmup = 1
				}
				if d == ignore || d == truncate {
					cfg.Timeout = 2 * time.Second
				}
				a, b := bothTrials(t, cfg, func() netip.AddrPort { return serve(t, 64, afterFirst(d)) })
				if len(a.intervals) != cfg.Warmup+1 || len(b.intervals) != cfg.Warmup+1 {
					t.Fatalf("%d and %d intervals", len(a.intervals), len(b.intervals))
				}
				for k := range a.intervals {
					if x, y := a.intervals[k], b.intervals[k]; x.K != y.K || x.Counts != y.Counts {
						t.Errorf("interval %d %+v, interval %d %+v", x.K, x.Counts, y.K, y.Counts)
					}
				}
				if x, y := a.done, b.done; x.Surplus != y.Surplus || x.Integrity != y.Integrity || x.Armed != y.Armed || x.Lost != y.Lost || len(x.Errors) != len(y.Errors) {
					t.Errorf("%+v\n%+v", x, y)
				}
				for i := range a.done.Errors {
					if x, y := a.done.Errors[i], b.done.Errors[i]; x.Phase != y.Phase || x.Cause != y.Cause || x.Count != y.Count {
						t.Errorf("%+v, %+v", x, y)
					}
				}
			})
		}
	}
}

func TestRoutinesAgreeOnChurn(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]deed{"echo": echo, "corrupt": corrupt, "duplicate": duplicate, "truncate": truncate, "ignore": ignore,
		"close": closeIt, "reset": resetIt, "half": halfThenReset} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := churnConfig(netip.AddrPort{})
			cfg.Connections = 100
			if d == ignore || d == truncate {
				cfg.Timeout = 2 * time.Second
			}
			a, b := bothTrials(t, cfg, func() netip.AddrPort {
				return serve(t, 64, func(connection, _ int) deed {
					if connection == 0 {
						return echo
					}
					return d
				})
			})
			if x, y := a.done, b.done; x.Load != y.Load || y.Load.Planned != 300 || x.Surplus != y.Surplus || x.Integrity != y.Integrity || x.Connect.Count() != y.Connect.Count() || len(x.Errors) != len(y.Errors) {
				t.Errorf("%+v\n%+v", x, y)
			}
		})
	}
}

// A server that takes its time is measured alike, and never as faster than it was.
func TestRoutinesAgreeOnLatency(t *testing.T) {
	t.Parallel()
	const delay = 100 * time.Millisecond
	cfg := config(netip.AddrPort{})
	cfg.Rate = 100
	a, b := bothTrials(t, cfg, func() netip.AddrPort {
		return routineReplies(t, 64, func(record []byte) []byte { time.Sleep(delay); return record })
	})
	for _, r := range []*trial{a, b} {
		if h := r.done.Service.Quantile(0); h < int64(delay)*99/100 || h > int64(2*delay) {
			t.Errorf("measured %v, the server takes %v", time.Duration(h), delay)
		}
	}
	if x, y := a.intervals[0].Counts, b.intervals[0].Counts; x != y || x.Answered != 100 {
		t.Errorf("%+v, %+v", x, y)
	}
}

func TestRoutineWrongReplies(t *testing.T) {
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
			cfg := config(routineReplies(t, 64, c.change))
			if d := routineTrial(t, startRoutines(t, cfg), cfg).done; d.Load.Mismatched != 500 || d.Integrity != c.want || d.Surplus != 0 {
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
	if got := classify(reply, want, filler); got != (Integrity{}) {
		t.Fatalf("the record itself is %+v", got)
	}
	for bit := range 64 * 8 {
		reply[bit/8] ^= 1 << (bit % 8)
		if got := classify(reply, want, filler); got != (Integrity{Corrupt: 1}) {
			t.Errorf("bit %d: %+v", bit, got)
		}
		reply[bit/8] ^= 1 << (bit % 8)
	}
	reply[63]++
	wire.Encode(reply, want) // a checksum that fits
	if got := classify(reply, want, filler); got != (Integrity{Corrupt: 1}) {
		t.Errorf("other filler: %+v", got)
	}
}

// What nobody asked for is surplus, and does not spoil what comes after it.
func TestRoutineSurplus(t *testing.T) {
	t.Parallel()
	cfg := config(routineServer(t, func(c *net.TCPConn, _ int) {
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
	r := startRoutines(t, cfg)
	if d := routineTrial(t, r, cfg).done; d.Load.Answered != 20 || d.Surplus != 13*40 || d.Integrity != (Integrity{}) {
		t.Errorf("%+v", d)
	}
	if p := r.Prove(); p != (Proved{20, 0}) {
		t.Errorf("proved at the end %+v", p)
	}
}

func TestRoutineLateReplies(t *testing.T) {
	t.Parallel()
	cfg := config(routineReplies(t, 64, func(b []byte) []byte { time.Sleep(200 * time.Millisecond); return b }))
	cfg.Rate, cfg.Timeout = 100, 150*time.Millisecond
	d := routineTrial(t, startRoutines(t, cfg), cfg).done
	if d.Load.TimedOut != 100 || d.Integrity.Late == 0 || d.Integrity != (Integrity{Late: d.Integrity.Late}) || d.Surplus != 0 {
		t.Errorf("%+v, %+v", d.Load, d.Integrity)
	}
}

// A server that takes in nothing must stall nobody but itself.
func TestRoutineFullSocket(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	cfg := config(routineServer(t, func(c *net.TCPConn, number int) {
		record := make([]byte, size)
		for i := 0; i == 0 || number > 0; i++ {
			if _, err := io.ReadFull(c, record); err != nil {
				return
			}
			_, _ = c.Write(record)
		}
		time.Sleep(patience / 2)
	}))
	cfg.Connections, cfg.Active, cfg.Rate, cfg.PayloadBytes, cfg.Pipeline, cfg.Timeout = 2, 2, 40, size, 20, 5*time.Second
	if d := routineTrial(t, startRoutines(t, cfg), cfg).done; d.Load.Answered != 20 || d.Load.TimedOut != 20 || d.Load.Sent == 40 {
		t.Errorf("%+v", d.Load)
	}
}

func TestRoutinesClosed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script script
		think  time.Duration
		check  func(Counts) bool
	}{
		"at once":         {always(echo), 0, func(c Counts) bool { return c.Planned > 60*2 && c.Answered == c.Planned }},
		"after a thought": {always(echo), 100 * time.Millisecond, func(c Counts) bool { return c.Planned <= 60*20 && c.Planned >= 60*2 && c.Answered == c.Planned }},
		"in silence":      {afterFirst(ignore), 0, func(c Counts) bool { return c == Counts{Planned: 60, Sent: 60, TimedOut: 60} }},
		"after the end":   {afterFirst(closeIt), 0, func(c Counts) bool { return c.Planned == 60 && c.Failed == 60 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(serve(t, 64, c.script))
			cfg.Workload, cfg.Rate, cfg.Pipeline, cfg.ThinkTime, cfg.Duration, cfg.Timeout = Closed, 0, 3, c.think, 2, 3*time.Second
			if d := routineTrial(t, startRoutines(t, cfg), cfg).done; !c.check(d.Load) || d.Surplus != 0 {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestRoutinesArmAndProve(t *testing.T) {
	t.Parallel()
	cfg := config(serve(t, 64, func(connection, record int) deed {
		if connection >= 15 {
			return closeIt
		}
		if record > 0 && connection%5 == 0 {
			return ignore
		}
		return echo
	}))
	cfg.ConnectRate = 1000
	r := startRoutines(t, cfg)
	for _, total := range []int{8, 20} {
		if _, err := r.Arm(total); err != nil {
			t.Fatal(err)
		}
	}
	a, _ := r.Arm(20)
	if a.Verified != 15 || a.Connected != 20 || a.Failed["verify/peer-closed"]+a.Failed["verify/reset"] != 5 || a.Retries != 0 {
		t.Errorf("%+v", a)
	}
	if p := r.Prove(); p != (Proved{12, 3}) {
		t.Errorf("%+v", p)
	}
}

func TestRoutinesFailToArm(t *testing.T) {
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
		"corrupted": {serve(t, 64, always(corrupt)), "verify/mismatched", 0, func(*Config) {}},
		"silent":    {serve(t, 64, always(ignore)), "verify/timeout", 0, func(c *Config) { c.ArmTimeout = 2 * time.Second }},
		"too slow":  {refused, "connect/timeout", 0, func(c *Config) { c.ArmTimeout, c.ConnectRate = 50*time.Millisecond, 0.001 }},
		"no source": {refused, "connect/source", 0, func(c *Config) { c.Sources = []netip.Addr{netip.MustParseAddr("192.0.2.1")} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(c.target)
			c.change(&cfg)
			a, err := startRoutines(t, cfg).Arm(20)
			if err != nil || a.Verified != 0 || a.Failed[c.key] < 19 || a.Retries != c.retries {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
}

// A server that comes up while it is tried is not a failure.
func TestRoutinesTryAgain(t *testing.T) {
	t.Parallel()
	held, err := net.Listen("tcp", "127.0.0.4:0") // where no other test takes the port meanwhile
	if err != nil {
		t.Fatal(err)
	}
	address := held.Addr().String()
	_ = held.Close()
	cfg := config(netip.MustParseAddrPort(address))
	r := startRoutines(t, cfg)
	time.AfterFunc(200*time.Millisecond, func() {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		h := &hostile{listener: listener, size: 64, script: always(echo)}
		t.Cleanup(func() { _ = listener.Close() })
		h.accept()
	})
	if a, _ := r.Arm(20); a.Verified != 20 || a.Retries < 20 || len(a.Failed) != 0 {
		t.Errorf("%+v", a)
	}
}

func TestRoutinesStop(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		workload string
		after    time.Duration
	}{"before the start": {Open, 0}, "open": {Open, 800 * time.Millisecond}, "closed": {Closed, 800 * time.Millisecond}, "churn": {Churn, 800 * time.Millisecond},
		"while it drains": {Open, 1700 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(serve(t, 64, func(connection, record int) deed {
				if record > 0 || c.workload == Churn && connection > 0 {
					return ignore
				}
				return echo
			}))
			cfg.Workload = c.workload
			r := startRoutines(t, cfg)
			if _, err := r.Arm(20); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			time.AfterFunc(c.after, r.Stop)
			d := routineLoad(t, r).done
			if took := time.Since(begun); took > patience/2 || d.Load.Censored != d.Load.Planned || len(d.Errors) != 0 {
				t.Errorf("after %v: %+v", took, d)
			}
		})
	}
}

// This one is not parallel: it counts what is left of it.
func TestRoutinesLeaveNothing(t *testing.T) {
	address := serve(t, 64, always(echo))
	for _, workload := range []string{Open, Churn} {
		before, descriptors := runtime.NumGoroutine(), routineDescriptors(t)
		cfg := config(address)
		cfg.Workload, cfg.Requests = workload, 100
		r := startRoutines(t, cfg)
		routineTrial(t, r, cfg)
		r.Close()
		// The server's ends, one goroutine and one descriptor each, go soon after.
		for begun := time.Now(); runtime.NumGoroutine() > before+2 || routineDescriptors(t) > descriptors+20; runtime.Gosched() {
			if time.Since(begun) > patience {
				t.Fatalf("%s: %d goroutines, were %d; %d descriptors, were %d", workload, runtime.NumGoroutine(), before, routineDescriptors(t), descriptors)
			}
		}
	}
}

func routineDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestRoutinesRefuseToCalibrate(t *testing.T) {
	cfg := config(netip.AddrPort{})
	cfg.Workload = Calibrate
	var e *errs.Error
	if _, err := NewRoutines(cfg); !errors.As(err, &e) || e.Phase != errs.Spec {
		t.Errorf("%v", err)
	}
	r := startRoutines(t, config(netip.MustParseAddrPort("127.0.0.1:1")))
	if _, err := r.Run(Monotonic()-1, func(Interval) {}); !errors.As(err, &e) || e.Phase != errs.Start {
		t.Errorf("%v", err)
	}
}

// Whatever a server does, in any order, to any workload, and whenever it is stopped, every request is settled once.
func TestRoutinesConserve(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			cfg, stop := erratic(t, seed)
			r := startRoutines(t, cfg)
			defer time.AfterFunc(stop, r.Stop).Stop()
			routineTrial(t, r, cfg)
		})
	}
}

func TestRoutinesWithAnHonestServer(t *testing.T) {
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
			cfg := config(netip.AddrPort{})
			change(&cfg)
			cfg.Targets[0] = serve(t, cfg.PayloadBytes, always(echo))
			r := startRoutines(t, cfg)
			d := routineTrial(t, r, cfg)
			if n := int64(cfg.Rate); d.done.Load != (Counts{Planned: n, Sent: n, Answered: n}) || len(d.intervals) != 1 || len(d.done.Errors) != 0 {
				t.Errorf("%d intervals, %+v", len(d.intervals), d.done)
			}
			if p := r.Prove(); p != (Proved{cfg.Connections, 0}) {
				t.Errorf("proved at the end %+v", p)
			}
		})
	}
}

// Connection i comes from source i mod S.
func TestRoutinesUseTheirSources(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	from := map[netip.Addr]int{}
	cfg := config(routineServer(t, func(c *net.TCPConn, _ int) {
		mu.Lock()
		from[c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()]++
		mu.Unlock()
		_, _ = io.Copy(c, c)
	}))
	one, two := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	cfg.Sources = []netip.Addr{one, two}
	if a, _ := startRoutines(t, cfg).Arm(20); a.Verified != 20 {
		t.Errorf("%+v", a)
	}
	mu.Lock()
	defer mu.Unlock()
	if from[one] != 10 || from[two] != 10 {
		t.Errorf("%v", from)
	}
}
