package cli

import (
	"runtime"
	"time"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/report"

	"golang.org/x/sys/unix"
)

// The engines that --engine knows.
const (
	epollEngine     = "epoll"
	goroutineEngine = "goroutine"
)

var engines = []string{epollEngine, goroutineEngine}

// newEngine makes the engine that was asked for, on this thread.
func newEngine(o *options, number uint32) (engine.Engine, error) {
	if o.engine == goroutineEngine {
		return nil, errs.New(errs.Spec, "engine", "The engine goroutine is not built in.", "Leave --engine out.")
	}
	if o.processes > 1 {
		return nil, errs.New(errs.Spec, "processes", "Several processes are not built in.", "Leave --processes out.")
	}
	return engine.New(o.engineConfig(number))
}

func ofArmed(a engine.Armed) report.Armed {
	if a.Failed == nil {
		a.Failed = map[string]int64{}
	}
	return report.Armed{Event: "armed", Connected: a.Connected, Verified: a.Verified, Failed: a.Failed, Retries: a.Retries,
		SYNRetries: map[string]int64{"1": a.SYNRetries[0], "2": a.SYNRetries[1], "3": a.SYNRetries[2]}}
}

func ofInterval(i engine.Interval) (report.Interval, error) {
	text, err := i.Response.Encode()
	phase := "load"
	if i.Warmup {
		phase = "warmup"
	}
	return report.Interval{Event: "interval", K: i.K, Phase: phase, Counts: i.Counts, Response: text}, err
}

func ofDone(d *engine.Done, self report.Self, windowSeconds float64) (report.Done, error) {
	r := report.Done{Event: "done", Connections: report.Connections{Armed: d.Armed, Open: d.Open, Lost: d.Lost}, Surplus: d.Surplus,
		Totals: report.Totals{Warmup: d.Warmup, Load: d.Load}, Over60s: map[string]int64{}, Integrity: d.Integrity, Errors: d.Errors,
		Ceiling: d.Ceiling, Self: self}
	if windowSeconds > 0 {
		r.Self.Sent, r.Self.Answered = float64(d.Load.Sent)/windowSeconds, float64(d.Load.Answered)/windowSeconds
	}
	r.Self.MaxLoopGap, r.Self.SendGaps = int64(d.MaxLoopGap), d.SendGaps
	if d.FirstSend != 0 {
		r.FirstSend, r.LastSend = &d.FirstSend, &d.LastSend
	}
	var err error
	if d.Service != nil {
		r.Service, err = d.Service.Encode()
	}
	if d.Lag != nil && err == nil {
		r.Lag, err = d.Lag.Encode()
	}
	if d.Connect != nil && err == nil {
		r.Connect, err = d.Connect.Encode()
	}
	if d.LoopLag != nil && err == nil {
		r.LoopLag, err = d.LoopLag.Encode()
	}
	return r, err
}

// A meter measures what the process uses.
type meter struct {
	begun time.Time
	usage unix.Rusage
	pause uint64
	count uint32
}

func newMeter([]int) *meter {
	m := &meter{begun: time.Now()}
	_ = unix.Getrusage(unix.RUSAGE_SELF, &m.usage)
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	m.pause, m.count = s.PauseTotalNs, s.NumGC
	return m
}

func (m *meter) read() report.Self {
	n := newMeter(nil)
	return report.Self{Processes: 1, Wall: int64(n.begun.Sub(m.begun)), User: n.usage.Utime.Nano() - m.usage.Utime.Nano(),
		System: n.usage.Stime.Nano() - m.usage.Stime.Nano(), MaxRSS: n.usage.Maxrss * 1024, GCPause: int64(n.pause - m.pause),
		GCCycles: int64(n.count - m.count), Kernel: map[string]int64{}}
}

// windowSeconds is how long the window of a load that began at `at` was; cut tells whether it ended before its time.
func (o *options) windowSeconds(d *engine.Done, at int64, cut bool) float64 {
	begun := float64(at)/1e9 + float64(o.warmup)
	switch {
	case o.requests >= 0:
		return float64(d.LastSend-at) / 1e9
	case cut:
		return min(float64(o.duration), max(0, float64(d.LastSend)/1e9-begun))
	}
	return float64(o.duration)
}
