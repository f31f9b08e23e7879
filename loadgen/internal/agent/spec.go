package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"c10k/loadgen/internal/address"
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/hostile"
	"c10k/loadgen/internal/load"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"
)

// A Spec is all that the agent must know, as one JSON object in its command line (docs/schema/loadgen-spec.yml).
type Spec struct {
	Version         int      `json:"version"`
	Run             string   `json:"run"`
	RunNumber       uint32   `json:"run_number"`
	Trial           int      `json:"trial"`
	Host            string   `json:"host"`
	Dir             string   `json:"dir"`
	Targets         []string `json:"targets"`
	Sources         []string `json:"sources"`
	Workload        string   `json:"workload"`
	Connections     int      `json:"connections"`
	FirstConnection uint32   `json:"first_connection"`
	Active          int      `json:"active"`
	Rate            float64  `json:"rate_per_s"`
	Phase           float64  `json:"phase"`
	Requests        *int64   `json:"requests"`
	Arrival         string   `json:"arrival"`
	Pipeline        int      `json:"pipeline"`
	ThinkTime       float64  `json:"think_time_s"`
	Hostile         *Hostile `json:"hostile"`
	PayloadBytes    int      `json:"payload_bytes"`
	ConnectRate     *float64 `json:"connect_rate_per_s"`
	Warmup          int      `json:"warmup_s"`
	Duration        int      `json:"duration_s"`
	Timeout         float64  `json:"timeout_s"`
	ArmTimeout      float64  `json:"arm_timeout_s"`
	Generator       string   `json:"generator"`
	Processes       *int     `json:"processes"`
	Seed            uint64   `json:"seed"`
	CPUs            []int    `json:"cpus"`
	Lifetime        float64  `json:"lifetime_s"`
}

// Hostile clients of this host, beside its load.
type Hostile struct {
	Kind        string `json:"kind"`
	Connections int    `json:"connections"`
}

// engines are the generators that this program is, and the engine of each.
var engines = map[string]string{"go": engine.Epoll, "goroutine": engine.Goroutine}

// badSpec is the error of a specification that cannot be carried out.
func badSpec(cause, format string, a ...any) error {
	return errs.New(errs.Spec, cause, fmt.Sprintf(format, a...),
		"Correct the specification; docs/contracts.md, Agents, describes it.")
}

// ParseSpec reads a specification and refuses what cannot be carried out.
func ParseSpec(text string) (Spec, error) {
	var s Spec
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			return s, badSpec("type", "%s must be %s, not a %s.", wrong.Field, wrong.Type, wrong.Value)
		}
		return s, badSpec("json", "The specification is not a JSON object: %v.", err)
	}
	return s, s.check()
}

func (s *Spec) check() error {
	type rule struct {
		field string
		ok    bool
		want  string
	}
	between := func(v, low, high float64) bool { return v >= low && v <= high }
	rules := []rule{
		{"version", s.Version == 1, "1"},
		{"run", s.Run != "", "a run id"},
		{"trial", s.Trial >= 1, "1 or more"},
		{"host", s.Host != "", "a name"},
		{"dir", filepath.IsAbs(s.Dir) && strings.Count(filepath.Clean(s.Dir), "/") >= 4, "an absolute path <base>/<host>/runs/<run>/<trial>"},
		{"targets", len(s.Targets) > 0, "at least one address:port"},
		{"workload", slices.Contains(engine.Workloads, s.Workload), "one of " + strings.Join(engine.Workloads, ", ")},
		{"connections", between(float64(s.Connections), 0, 1e7), "0 to 10,000,000"},
		{"active", s.Active >= 0 && s.Active <= s.Connections, "0 to connections"},
		{"rate_per_s", between(s.Rate, 0, 1e8), "0 to 100,000,000"},
		{"phase", s.Phase >= 0 && s.Phase < 1, "0 or more and below 1"},
		{"requests", s.Requests == nil || *s.Requests >= 0, "null, or 0 or more"},
		{"connections", s.Requests == nil || *s.Requests == 0 || s.Connections > 0, "1 or more where there are requests"},
		{"arrival", slices.Contains(pacing.Laws, s.Arrival), "one of " + strings.Join(pacing.Laws, ", ")},
		{"pipeline", between(float64(s.Pipeline), 1, 64), "1 to 64"},
		{"think_time_s", between(s.ThinkTime, 0, 3600), "0 to 3600"},
		{"hostile", s.Hostile == nil || slices.Contains(hostile.Kinds, s.Hostile.Kind), "null, or of a kind of " + strings.Join(hostile.Kinds, ", ")},
		{"hostile", s.Hostile == nil || between(float64(s.Hostile.Connections), 0, 1e6), "null, or 0 to 1,000,000 connections"},
		{"generator", engines[s.Generator] != "", "go or goroutine"},
		{"generator", s.Workload != engine.Calibrate || s.Generator == "go", "go where the workload is calibrate"},
		{"processes", s.Processes == nil || between(float64(*s.Processes), 1, 1024), "null, or 1 to 1024"},
		{"payload_bytes", between(float64(s.PayloadBytes), wire.HeaderBytes, wire.MaxBytes), "32 to 1,048,576"},
		{"connect_rate_per_s", s.ConnectRate == nil || between(*s.ConnectRate, 0.001, 1e9), "null, or more than 0"},
		{"warmup_s", between(float64(s.Warmup), 0, 3600), "0 to 3600"},
		{"duration_s", between(float64(s.Duration), 1, 86400), "1 to 86,400"},
		{"timeout_s", between(s.Timeout, 0.001, 60), "more than 0, at most 60"},
		{"arm_timeout_s", between(s.ArmTimeout, 0.001, 3600), "more than 0, at most 3600"},
		{"seed", s.Seed <= math.MaxUint32, "0 to 2^32-1"},
		{"cpus", s.CPUs == nil || len(s.CPUs) > 0, "null or a list of processors"},
		{"lifetime_s", s.Lifetime > 0 && s.Lifetime < 1e8, "more than 0"},
	}
	for _, r := range rules {
		if !r.ok {
			return badSpec(r.field, "%s must be %s.", r.field, r.want)
		}
	}
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Share is what this host has to do.
func (s *Spec) Share() (load.Share, error) {
	config, err := s.config()
	share := load.Share{Config: config, Kind: engines[s.Generator], CPUs: s.CPUs}
	if s.Processes != nil {
		share.Processes = *s.Processes
	}
	if s.Hostile != nil {
		share.Hostile = load.HostileTo(&config, s.Hostile.Kind, s.Hostile.Connections)
	}
	return share, err
}

func (s *Spec) config() (engine.Config, error) {
	c := engine.Config{
		Run: s.RunNumber, Workload: s.Workload, Connections: s.Connections, FirstConnection: s.FirstConnection, Active: s.Active,
		Rate: s.Rate, Arrival: s.Arrival, Phase: s.Phase, ThinkTime: seconds(s.ThinkTime), Requests: -1, Pipeline: s.Pipeline, PayloadBytes: s.PayloadBytes, Warmup: s.Warmup, Duration: s.Duration,
		Timeout: seconds(s.Timeout), ArmTimeout: seconds(s.ArmTimeout), Seed: s.Seed,
	}
	if s.Requests != nil {
		c.Requests = *s.Requests
	}
	if s.ConnectRate != nil {
		c.ConnectRate = *s.ConnectRate
	}
	for _, text := range s.Targets {
		target, err := netip.ParseAddrPort(text)
		if err != nil {
			return c, badSpec("targets", "%q in targets is not an address and a port, such as 198.18.0.10:9000.", text)
		}
		c.Targets = append(c.Targets, target)
	}
	var err error
	if c.Sources, err = address.Sources(s.Sources); err != nil {
		return c, badSpec("sources", "sources: %v.", err)
	}
	return c, nil
}
