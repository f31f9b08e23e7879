// Package contracts holds what the rooms agree on: the declarations that script/generate makes of contracts/*.yml, and the
// parameters of a load under their declared names.
package contracts

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed declared.json
var text []byte

// A Parameter is one row of contracts/parameters.yml.
type Parameter struct {
	Name      string
	Belongs   string // to run, server or load
	Kind      string // how a value is read
	Meaning   string
	Default   any // nil: none
	Low, High float64
	Unit      string
	Words     []string // values that are words
	Workloads []string // that have it; empty: all
}

// A Workload has traits; contracts/words.yml says what each means.
type Workload struct {
	Holds         bool
	Paced         bool
	Verifies      bool
	ConnectsAhead bool   `json:"connects_ahead"`
	Searches      string // a parameter of the load; empty: none
}

// A Generator is a program and an engine of it.
type Generator struct {
	Program        string
	Engine         string
	LacksWorkloads []string `json:"lacks_workloads"`
}

var declared = read()

type document struct {
	Parameters []Parameter
	Workloads  map[string]Workload
	Generators map[string]Generator
}

func read() (d document) {
	if err := json.Unmarshal(text, &d); err != nil {
		panic(fmt.Sprintf("declared.json: %v", err)) // the tests read it too
	}
	return d
}

// Named is the parameter of a name, which must be declared.
func Named(name string) Parameter {
	for _, p := range declared.Parameters {
		if p.Name == name {
			return p
		}
	}
	panic("no parameter " + name)
}

// Workloads are the traits of all, by name.
func Workloads() map[string]Workload { return declared.Workloads }

// Generators are those that this program is, by name.
func Generators() map[string]Generator {
	mine := map[string]Generator{}
	for name, g := range declared.Generators {
		if g.Program == "loadgen" {
			mine[name] = g
		}
	}
	return mine
}

// A Load is what the parameters of a load say. A client's share of a load has the same shape: there rates may be fractional,
// and every number may be 0.
type Load struct {
	Workload     string   `json:"workload"`
	Connections  int      `json:"connections"`
	Active       int      `json:"active"`
	Rate         float64  `json:"rate"`
	Requests     *int64   `json:"requests"` // nil: it ends with Duration
	Arrival      string   `json:"arrival"`
	Pipeline     int      `json:"pipeline"`
	ThinkTime    float64  `json:"think_time"`
	Steps        int      `json:"steps"`
	Hostile      *Hostile `json:"hostile"`
	PayloadBytes int      `json:"payload_bytes"`
	ConnectRate  *float64 `json:"connect_rate"` // nil: a burst
	Warmup       int      `json:"warmup"`
	Duration     int      `json:"duration"`
	Timeout      float64  `json:"timeout"`
	ArmTimeout   float64  `json:"arm_timeout"`
	Generator    string   `json:"generator"`
	Seed         uint64   `json:"seed"`
}

// Hostile clients beside a load.
type Hostile struct {
	Kind        string `json:"kind"`
	Connections int    `json:"connections"`
}

// Traits are those of the load's workload.
func (l *Load) Traits() Workload { return declared.Workloads[l.Workload] }

// Stairs is how many connections are open after each step of a ramp: equal steps, of which the first take one more where that
// does not come out.
func Stairs(connections, steps int) []int {
	each, more := connections/steps, connections%steps
	open := make([]int, steps)
	for i := range open {
		open[i] = (i+1)*each + min(i+1, more)
	}
	return open
}
