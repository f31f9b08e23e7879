package epoll

import (
	"maps"
	"slices"
	"testing"

	"c10k/loadgen/internal/contracts"
)

func TestEveryDeclaredWorkloadHasItsCode(t *testing.T) {
	lacks := contracts.Generators()["go"].LacksWorkloads
	declared := slices.DeleteFunc(slices.Sorted(maps.Keys(contracts.Workloads())), func(name string) bool { return slices.Contains(lacks, name) })
	if mine := slices.Sorted(maps.Keys(workloads)); !slices.Equal(mine, declared) {
		t.Errorf("the code has %v, declared are %v", mine, declared)
	}
}
