package budget

import (
	"errors"
	"strings"
	"testing"

	"c10k/loadgen/internal/errs"
)

func TestCheck(t *testing.T) {
	one := []string{"198.18.0.10:9000"}
	two := []string{"198.18.0.10:9000", "198.18.0.10:9001"}
	for _, c := range []struct {
		name  string
		need  Need
		have  Limits
		cause string // "": enough
		says  []string
	}{
		{"none asked", Need{0, nil, one}, Limits{64, 0, ""}, "", nil},
		{"just enough of both", Need{100, nil, one}, Limits{164, 100, ""}, "", nil},
		{"one descriptor short", Need{100, nil, one}, Limits{163, 100, ""}, "descriptors", []string{"164", "163"}},
		{"one port short", Need{101, nil, one}, Limits{1000, 100, "1-100"}, "ports", []string{"101", "100", "198.18.0.10:9000"}},
		{"two sources", Need{200, []string{"a", "b"}, one}, Limits{1000, 100, ""}, "", nil},
		{"two sources, one too many", Need{201, []string{"a", "b"}, one}, Limits{1000, 100, ""}, "ports", []string{"101", "from a "}},
		{"two sources and two targets", Need{400, []string{"a", "b"}, two}, Limits{1000, 100, ""}, "", nil},
		{"descriptors before ports", Need{10_000, nil, one}, Limits{1, 1, ""}, "descriptors", []string{"10064"}},
	} {
		err := Check(c.need, c.have)
		var e *errs.Error
		if c.cause == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if !errors.As(err, &e) || e.Phase != errs.Budget || e.Cause != c.cause || e.Remedy == "" {
			t.Errorf("%s: %+v", c.name, err)
			continue
		}
		for _, want := range c.says {
			if !strings.Contains(e.Message, want) {
				t.Errorf("%s: %q does not say %s", c.name, e.Message, want)
			}
		}
	}
}

func TestCountPorts(t *testing.T) {
	for _, c := range []struct {
		ports, reserved string
		want            int // -1: an error
	}{
		{"32768\t60999\n", "\n", 28232},
		{"32768\t60999\n", "", 28232},
		{"100 199", "100", 99},
		{"100 199", "50-149,199,300-400", 49},
		{"100 199", "1-65535", 0},
		{"100", "", -1},
		{"200 100", "", -1},
		{"a b", "", -1},
		{"1 65536", "", -1},
		{"100 199", "x-y", -1},
	} {
		got, err := countPorts(c.ports, c.reserved)
		if (err != nil) != (c.want == -1) || (err == nil && got != c.want) {
			t.Errorf("%q less %q: %d, %v; want %d", c.ports, c.reserved, got, err, c.want)
		}
	}
}

func TestReadThisHost(t *testing.T) {
	limits, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	if limits.Descriptors < 64 || limits.Ports < 1 || !strings.Contains(limits.Range, "-") {
		t.Errorf("%+v", limits)
	}
}
