package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"c10k/loadgen/internal/address"
	"c10k/loadgen/internal/contracts"
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/load"
	"c10k/loadgen/internal/wire"
)

// A Spec is all that the agent must know, as one JSON object in its command line (docs/schema/loadgen-spec.yml).
type Spec struct {
	Version         int            `json:"version"`
	Run             string         `json:"run"`
	Trial           int            `json:"trial"`
	Host            string         `json:"host"`
	Dir             string         `json:"dir"`
	CPUs            []int          `json:"cpus"`
	Lifetime        float64        `json:"lifetime_s"`
	RunNumber       uint32         `json:"run_number"`
	Targets         []string       `json:"targets"`
	Sources         []string       `json:"sources"`
	FirstConnection uint32         `json:"first_connection"`
	Phase           float64        `json:"phase"`
	Processes       *int           `json:"processes"`
	Load            contracts.Load `json:"load"`
}

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

// check refuses what has the wrong shape and names that nobody knows. The ranges of parameters were judged where a person typed them.
func (s *Spec) check() error {
	type rule struct {
		field string
		ok    bool
		want  string
	}
	l := &s.Load
	among := func(name, value string, known []string) rule {
		return rule{name, slices.Contains(known, value), "one of " + strings.Join(known, ", ")}
	}
	least := func(name string, value, least float64) rule {
		return rule{name, value >= least, fmt.Sprintf("%v or more", least)}
	}
	rules := []rule{
		{"version", s.Version == 2, "2"},
		{"run", s.Run != "", "a run id"},
		least("trial", float64(s.Trial), 1),
		{"host", s.Host != "", "a name"},
		{"dir", filepath.IsAbs(s.Dir) && strings.Count(filepath.Clean(s.Dir), "/") >= 4, "an absolute path <base>/<host>/runs/<run>/<trial>"},
		{"cpus", s.CPUs == nil || len(s.CPUs) > 0, "null or a list of processors"},
		{"lifetime_s", s.Lifetime > 0 && s.Lifetime < 1e8, "more than 0"},
		{"targets", len(s.Targets) > 0, "at least one address:port"},
		{"phase", s.Phase >= 0 && s.Phase < 1, "0 or more and below 1"},
		{"processes", s.Processes == nil || *s.Processes >= 1, "null, or 1 or more"},
		among("workload", l.Workload, slices.Sorted(maps.Keys(contracts.Workloads()))),
		among("generator", l.Generator, slices.Sorted(maps.Keys(contracts.Generators()))),
		{"generator", !slices.Contains(contracts.Generators()[l.Generator].LacksWorkloads, l.Workload), "one that has the workload " + l.Workload},
		least("connections", float64(l.Connections), 0),
		{"active", l.Active >= 0 && l.Active <= l.Connections, "0 to connections"},
		least("rate", l.Rate, 0),
		{"requests", l.Requests == nil || *l.Requests >= 0, "null, or 0 or more"},
		{"connections", l.Requests == nil || *l.Requests == 0 || l.Connections > 0, "1 or more where there are requests"},
		among("arrival", l.Arrival, contracts.Named("arrival").Words),
		least("pipeline", float64(l.Pipeline), 1),
		least("think_time", l.ThinkTime, 0),
		least("payload_bytes", float64(l.PayloadBytes), wire.HeaderBytes),
		{"connect_rate", l.ConnectRate == nil || *l.ConnectRate >= 0, "null, or 0 or more"},
		least("warmup", float64(l.Warmup), 0),
		least("duration", float64(l.Duration), 1),
		{"timeout", l.Timeout > 0, "more than 0"},
		{"arm_timeout", l.ArmTimeout > 0, "more than 0"},
	}
	if l.Hostile != nil {
		rules = append(rules, among("hostile", l.Hostile.Kind, contracts.Named("hostile").Words), least("hostile", float64(l.Hostile.Connections), 0))
	}
	for _, r := range rules {
		if !r.ok {
			return badSpec(r.field, "%s must be %s.", r.field, r.want)
		}
	}
	return nil
}

// Share is what this host has to do.
func (s *Spec) Share() (load.Share, error) {
	cfg := engine.Config{Run: s.RunNumber, FirstConnection: s.FirstConnection, Phase: s.Phase}
	for _, text := range s.Targets {
		target, err := netip.ParseAddrPort(text)
		if err != nil {
			return load.Share{}, badSpec("targets", "%q in targets is not an address and a port, such as 198.18.0.10:9000.", text)
		}
		cfg.Targets = append(cfg.Targets, target)
	}
	var err error
	if cfg.Sources, err = address.Sources(s.Sources); err != nil {
		return load.Share{}, badSpec("sources", "sources: %v.", err)
	}
	share := load.Of(&s.Load, cfg, contracts.Generators()[s.Load.Generator].Engine)
	share.CPUs = s.CPUs
	if s.Processes != nil {
		share.Processes = *s.Processes
	}
	return share, nil
}
