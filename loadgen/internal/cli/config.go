package cli

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"c10k/loadgen/internal/engine"
)

// A config is every resolved value of a run, units in the names, as --json gives it.
type config struct {
	Targets     []string       `json:"targets"`
	Sources     []string       `json:"sources"`
	Workload    string         `json:"workload"`
	Connections int            `json:"connections"`
	Active      int            `json:"active"`
	Rate        *float64       `json:"rate_per_s"` // null where the workload has none
	Arrival     *string        `json:"arrival"`
	Warmup      int            `json:"warmup_s"`
	Duration    *int           `json:"duration_s"` // null: it ends with its requests
	Requests    *int64         `json:"requests"`
	Payload     int            `json:"payload_bytes"`
	Pipeline    int            `json:"pipeline"`
	ThinkTime   float64        `json:"think_time_s"`
	Steps       *int           `json:"steps"`
	ConnectRate *float64       `json:"connect_rate_per_s"` // null: a burst
	Timeout     float64        `json:"timeout_s"`
	ArmTimeout  float64        `json:"arm_timeout_s"`
	Hostile     *hostileConfig `json:"hostile"`
	Engine      string         `json:"engine"`
	CPUs        []int          `json:"cpus"`
	Seed        uint64         `json:"seed"`
	RunNumber   uint32         `json:"run_number"`
}

type hostileConfig struct {
	Kind        string `json:"kind"`
	Connections int    `json:"connections"`
}

func texts[T fmt.Stringer](items []T) []string {
	all := make([]string, len(items))
	for i, item := range items {
		all[i] = item.String()
	}
	return all
}

func (o *options) config(run uint32) config {
	c := config{
		Targets: texts(o.targets), Sources: texts(o.sources), Workload: o.workload, Connections: o.connections, Active: o.active, Warmup: o.warmup,
		Payload: o.payload, Pipeline: o.pipeline, ThinkTime: seconds(o.thinkTime), Timeout: seconds(o.timeout), ArmTimeout: seconds(o.armTimeout),
		Engine: o.engine, CPUs: o.cpus, Seed: o.seed, RunNumber: run,
	}
	if o.workload == engine.Open || o.workload == engine.Ramp {
		c.Rate, c.Arrival = &o.rate, &o.arrival
	}
	if o.requests >= 0 {
		c.Requests = &o.requests
	} else {
		c.Duration = &o.duration
	}
	if o.workload == engine.Ramp {
		c.Steps = &o.steps
	}
	if o.connectRate > 0 {
		c.ConnectRate = &o.connectRate
	}
	if o.crowd.connections > 0 {
		c.Hostile = &hostileConfig{o.crowd.kind, o.crowd.connections}
	}
	return c
}

// engineConfig is the same for the engine.
func (o *options) engineConfig(run uint32) engine.Config {
	return engine.Config{
		Run: run, Targets: o.targets, Sources: o.sources, Workload: o.workload, Connections: o.connections, Active: o.active, Arrival: o.arrival,
		Rate: o.rate, ThinkTime: o.thinkTime, Requests: o.requests, Pipeline: o.pipeline, PayloadBytes: o.payload, ConnectRate: o.connectRate,
		Warmup: o.warmup, Duration: o.duration, Timeout: o.timeout, ArmTimeout: o.armTimeout, Seed: o.seed,
	}
}

// newRun draws the number that tells this run's records from those of any other.
func newRun() uint32 { return rand.Uint32() }

// describe says what is going to happen: what load, and how it is offered.
func (o *options) describe() (load, manner string) {
	to := strings.Join(texts(o.targets), ", ")
	if len(o.targets) > 3 {
		to = fmt.Sprintf("%s and %d more", o.targets[0], len(o.targets)-1)
	}
	connections := plural(int64(o.connections), "connection")
	if o.active < o.connections {
		connections += fmt.Sprintf(", %s of them active,", grouped(int64(o.active)))
	}
	switch o.workload {
	case engine.Closed:
		load = fmt.Sprintf("closed loop on %s to %s", connections, to)
		if o.thinkTime > 0 {
			load += fmt.Sprintf(", %s of thinking between", o.thinkTime)
		}
	case engine.Churn:
		load = fmt.Sprintf("churn: connect, echo, close, %s at a time, to %s", grouped(int64(o.connections)), to)
	case engine.Calibrate:
		load = fmt.Sprintf("calibration: as fast as %s to %s take them", connections, to)
	default:
		load = fmt.Sprintf("open loop: %s requests/s (%s) on %s to %s", exact(o.rate), o.arrival, connections, to)
	}
	if o.workload == engine.Ramp {
		load += fmt.Sprintf(", opened in %d steps", o.steps)
	}
	manner = fmt.Sprintf("records of %s", plural(int64(o.payload), "byte"))
	if o.pipeline > 1 {
		manner += fmt.Sprintf(", up to %d outstanding each", o.pipeline)
	}
	if o.crowd.connections > 0 {
		manner += fmt.Sprintf(", beside %s hostile (%s)", grouped(int64(o.crowd.connections)), o.crowd.kind)
	}
	if o.requests >= 0 {
		return load, manner + fmt.Sprintf(", until %s", plural(o.requests, "request"))
	}
	if o.warmup > 0 {
		manner += fmt.Sprintf(", %s s of warm-up", grouped(int64(o.warmup)))
	}
	return load, manner + fmt.Sprintf(", %s s of window", grouped(int64(o.duration)))
}
