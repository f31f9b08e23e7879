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
	ConnectsAhead bool `json:"connects_ahead"`
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
