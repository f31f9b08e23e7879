package contracts

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"testing"
)

func TestEveryParameterOfALoadHasItsField(t *testing.T) {
	var names []string
	for _, p := range declared.Parameters {
		if p.Belongs == "load" {
			names = append(names, p.Name)
		}
	}
	names = append(names, "seed")
	var fields []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Load]()) {
		fields = append(fields, field.Tag.Get("json"))
	}
	if !slices.Equal(fields, names) {
		t.Errorf("the fields are\n%v, the parameters\n%v", fields, names)
	}
}

func TestDeclarationsAreWhole(t *testing.T) {
	for _, name := range Named("workload").Words {
		if _, known := Workloads()[name]; !known {
			t.Errorf("the workload %s has no traits", name)
		}
	}
	for name, g := range Generators() {
		if g.Engine == "" || !slices.Contains(Named("generator").Words, name) {
			t.Errorf("%s: %+v", name, g)
		}
	}
	if _, python := Generators()["asyncio"]; python || len(Generators()) == 0 {
		t.Errorf("%v", Generators())
	}
	if p := Named("connections"); p.Low != 1 || p.High != 10_000_000 || p.Kind != "whole" || p.Meaning == "" {
		t.Errorf("%+v", p)
	}
	if w := (&Load{Workload: "open"}).Traits(); !w.Holds || !w.Paced || !w.Verifies || !w.ConnectsAhead {
		t.Errorf("%+v", w)
	}
}

func TestTheCopyIsThatOfTheOtherRooms(t *testing.T) {
	theirs, err := os.ReadFile("../../../contracts/declared.json")
	if err != nil || !bytes.Equal(theirs, text) || !json.Valid(text) {
		t.Errorf("script/generate has to be run: %v", err)
	}
}

// The conductor has the same rule, for each of its clients.
func TestStairs(t *testing.T) {
	text, err := os.ReadFile("../../../tests/contract/vectors/stairs.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Connections, Steps int
		Open               []int
	}
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors) == 0 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for _, v := range vectors {
		if open := Stairs(v.Connections, v.Steps); !slices.Equal(open, v.Open) {
			t.Errorf("%d connections in %d steps: %v, want %v", v.Connections, v.Steps, open, v.Open)
		}
	}
}
