// Package load carries out one share of a load on this host: within its budget, over as many processes as it needs, with
// hostile clients beside it, and with an account of what the generator itself went through.
package load

import (
	"slices"
	"time"

	"c10k/loadgen/internal/budget"
	"c10k/loadgen/internal/contracts"
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/engines"
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

// Parts are the shares of its processes.
func (s *Share) Parts(have budget.Limits) []engine.Config {
	cpus := max(1, len(selfreport.CPUs(s.CPUs)))
	return processes.Split(s.Config, processes.Count(s.Config, s.Processes, have.Descriptors, cpus))
}

// Need is what it takes.
func (s *Share) Need(have budget.Limits) budget.Need {
	need := budget.Need{Sources: s.Config.Sources, Targets: s.Config.Targets}
	for _, part := range s.Parts(have) {
		need.Connections = append(need.Connections, part.Connections)
	}
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
}

// New refuses what the host cannot hold, and readies the rest; it opens no connection yet.
func New(s Share, have budget.Limits) (*Load, error) {
	if err := budget.Check(s.Need(have), have); err != nil {
		return nil, err
	}
	if err := budget.CheckSources(s.Config.Sources); err != nil {
		return nil, err
	}
	l := &Load{share: s, parts: len(s.Parts(have))}
	var err error
	if l.parts == 1 {
		l.Engine, err = engines.Make(s.Config, s.Kind)
		return l, err
	}
	if l.group, err = processes.New(s.Config, s.Kind, l.parts, s.CPUs); err != nil {
		return nil, err
	}
	l.Engine = l.group
	return l, nil
}

// Run offers the load from at and sums it up.
func (l *Load) Run(at int64, emit func(engine.Interval)) (report.Done, error) {
	var crowd *hostile.Crowd
	if l.share.Hostile != nil {
		var err error
		if crowd, err = hostile.Start(*l.share.Hostile); err != nil {
			return report.Done{}, err
		}
	}
	cpus := selfreport.CPUs(l.share.CPUs)
	before, surroundings, begun := selfreport.Used(), selfreport.Look(), time.Now()
	var over int64
	done, err := l.Engine.Run(at, func(i engine.Interval) {
		over += i.Response.Over
		emit(i)
	})
	self := selfreport.Used().Since(before)
	var met *report.Hostile
	if crowd != nil {
		h := crowd.Stop()
		met = &h
	}
	if err != nil {
		return report.Done{}, err
	}
	if l.group != nil {
		self = self.Add(l.group.Used)
	}
	after := selfreport.Look()
	sum, err := report.OfDone(&done, l.window(&done))
	sum.Over60s["response"] = over
	sum.Hostile = met
	sum.Self.Processes = l.parts
	sum.Self.Wall = int64(time.Since(begun))
	sum.Self.User, sum.Self.System = self.User, self.System
	sum.Self.MaxRSS, sum.Self.GCPause, sum.Self.GCCycles = self.MaxRSS, self.GCPause, self.GCCycles
	sum.Self.Steal = after.StealSince(surroundings, cpus)
	sum.Self.Throttled = after.ThrottledSince(surroundings)
	sum.Self.Kernel = after.GrownSince(surroundings)
	return sum, err
}

// window is how long the window was, in s.
func (l *Load) window(d *engine.Done) float64 {
	if l.share.Config.Requests >= 0 {
		return float64(d.LastSend-d.FirstSend) / 1e9
	}
	return float64(l.share.Config.Duration)
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
