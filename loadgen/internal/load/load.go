// Package load carries out one share of a load on this host: within its budget, over as many processes as it needs, with
// hostile clients beside it, and with an account of what the generator itself went through.
package load

import (
	"context"
	"os"
	"slices"
	"time"

	"c10k/loadgen/internal/budget"
	"c10k/loadgen/internal/contracts"
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/engines"
	"c10k/loadgen/internal/hlog"
	"c10k/loadgen/internal/hostile"
	"c10k/loadgen/internal/processes"
	"c10k/loadgen/internal/report"
	"c10k/loadgen/internal/selfreport"
)

// A Share is what one client host has to do.
type Share struct {
	Config    engine.Config
	Kind      string // of the engine
	Processes int    // 0: as many as it needs
	CPUs      []int  // empty: any
	Hostile   *hostile.Config
}

// Need is what it takes.
func (s *Share) Need(have budget.Limits) budget.Need {
	need := budget.Need{Sources: s.Config.Sources, Targets: s.Config.Targets}
	cpus := max(1, len(selfreport.CPUs(s.CPUs)))
	for _, part := range processes.Split(s.Config, processes.Count(s.Config, s.Processes, have.Descriptors, cpus)) {
		need.Connections = append(need.Connections, part.Connections)
		need.Records.User += part.Bytes(s.Kind)
	}
	need.Records.Senders, need.Records.OnWire = s.Config.Active, int64(s.Config.Pipeline)*int64(s.Config.PayloadBytes)
	if s.Hostile != nil {
		need.Hostile = s.Hostile.Connections
	}
	return need
}

// A Load is a share at work. Its engine's methods are to be called from one locked thread.
type Load struct {
	engine.Engine
	share Share
	group *processes.Group // nil: the engine is in this process
	parts int

	forget  func() bool // that the end of the context is to stop the engine; false: it has
	stopped chan struct{}
}

// New refuses what the host cannot hold, and readies the rest; it opens no connection yet. The end of ctx stops the engine.
func New(ctx context.Context, s Share, have budget.Limits) (*Load, error) {
	report, err := budget.Check(s.Need(have), have)
	if err != nil {
		return nil, err
	}
	l := &Load{share: s, parts: report.Processes, stopped: make(chan struct{})}
	if l.parts == 1 {
		l.Engine, err = engines.Make(s.Config, s.Kind)
	} else if l.group, err = processes.New(s.Config, s.Kind, l.parts, s.CPUs); err == nil {
		l.Engine = l.group
	}
	if err != nil {
		return nil, err
	}
	l.forget = context.AfterFunc(ctx, func() {
		defer close(l.stopped)
		l.Stop()
	})
	return l, nil
}

// PIDs are the numbers of all processes that carry it out, this one included.
func (l *Load) PIDs() []int {
	pids := []int{os.Getpid()}
	if l.group != nil {
		pids = append(pids, l.group.PIDs()...)
	}
	return pids
}

// ArmEnd is when an Arm or Prove that is called now has to be over.
func (l *Load) ArmEnd() int64 { return l.share.Config.ArmEnd() }

// Close implements engine.Engine. A closed engine cannot be stopped any more, so an end of the context that is in it comes first.
func (l *Load) Close() {
	if !l.forget() {
		<-l.stopped
	}
	l.Engine.Close()
}

// Run offers the load from at and sums it up. The intervals go to the log, if there is one, and to take, away from the engine's
// thread; take may neither keep nor change an interval's histogram.
func (l *Load) Run(at int64, log *hlog.Log, take func(report.Interval)) (report.Done, error) {
	var crowd *hostile.Crowd
	if l.share.Hostile != nil {
		crowd = hostile.Start(*l.share.Hostile)
	}
	cpus := selfreport.CPUs(l.share.CPUs)
	before, surroundings, begun := selfreport.Used(), selfreport.Look(), time.Now()
	// An interval a second comes, and at the end at most as many more as the timeout has seconds.
	settled := make(chan engine.Interval, 256)
	taken := make(chan int64)
	go func() {
		var over int64
		for i := range settled {
			over += i.Response.Over
			log.Add("response", i.K, 1, i.Response)
			take(report.OfInterval(i))
			i.Recycle()
		}
		taken <- over
	}()
	done, err := l.Engine.Run(at, func(i engine.Interval) { settled <- i })
	close(settled)
	over := <-taken
	self := selfreport.Used().Since(before)
	var foes *report.Hostile
	if crowd != nil {
		h := crowd.Stop()
		foes = &h
	}
	if err != nil {
		return report.Done{}, err
	}
	if l.group != nil {
		self = self.Add(l.group.Used)
	}
	done.LoopLag = done.LoopLag.Copy() // the engine goes on with its own while it proves
	met := selfreport.Look().Since(surroundings, cpus)
	window := float64(l.share.Config.Duration) // s
	if l.share.Config.Requests >= 0 {
		window = float64(max(done.LastReply, done.LastSend)-at) / 1e9
	}
	sum := report.OfDone(done, window)
	sum.Over60s["response"] = over
	sum.Hostile = foes
	sum.Self.Processes, sum.Self.Wall, sum.Self.Usage, sum.Self.Met = l.parts, int64(time.Since(begun)), self, met
	log.Sum(&done, l.share.Config.Warmup, l.share.Config.Duration)
	return sum, nil
}

// Of is the share that does what l says. To begin with, cfg has only what l does not say: whose share it is, from where and to where.
func Of(l *contracts.Load, cfg engine.Config, kind string) Share {
	cfg.Workload, cfg.Connections, cfg.Active, cfg.Arrival, cfg.Rate, cfg.Pipeline = l.Workload, l.Connections, l.Active, l.Arrival, l.Rate, l.Pipeline
	cfg.PayloadBytes, cfg.Warmup, cfg.Duration, cfg.Seed = l.PayloadBytes, l.Warmup, l.Duration, l.Seed
	cfg.ThinkTime, cfg.Timeout, cfg.ArmTimeout = seconds(l.ThinkTime), seconds(l.Timeout), seconds(l.ArmTimeout)
	cfg.Requests = -1
	if l.Requests != nil {
		cfg.Requests = *l.Requests
	}
	if l.ConnectRate != nil {
		cfg.ConnectRate = *l.ConnectRate
		if cfg.ConnectRate == 0 { // a share of nothing, which in a Config would mean a burst
			cfg.ConnectRate = 1
		}
	}
	s := Share{Config: cfg, Kind: kind}
	if h := l.Hostile; h != nil && h.Connections > 0 {
		s.Hostile = &hostile.Config{Kind: h.Kind, Connections: h.Connections, Targets: slices.Clone(cfg.Targets), Sources: cfg.Sources,
			PayloadBytes: cfg.PayloadBytes, Run: cfg.Run, Seed: cfg.Seed}
	}
	return s
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
