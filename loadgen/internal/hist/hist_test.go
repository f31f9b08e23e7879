package hist

import (
	"encoding/json"
	"os"
	"testing"
)

func TestContractVector(t *testing.T) {
	text, err := os.ReadFile("../../../tests/contract/vectors/histogram.json")
	if err != nil {
		t.Fatalf("the vector that binds all rooms is missing: %v", err)
	}
	var vector struct {
		Values []int64 `json:"values_ns"`
		Base64 string  `json:"base64"`
	}
	if err := json.Unmarshal(text, &vector); err != nil {
		t.Fatal(err)
	}
	ours := New()
	for _, v := range vector.Values {
		ours.Record(v)
	}
	theirs, err := Decode(vector.Base64)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := ours.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if !ours.hdr.Equals(theirs.hdr) || !back.hdr.Equals(theirs.hdr) {
		t.Errorf("we record %v as something else than the vector", vector.Values)
	}
}

func TestRange(t *testing.T) {
	for _, c := range []struct {
		name     string
		ns       int64
		low, top int64
		over     int64
	}{
		{"before its cause", -5, 0, 63, 0},
		{"nothing", 0, 0, 63, 0},
		{"a microsecond", 1000, 960, 1087, 0},
		{"a millisecond", 1_000_000, 999_000, 1_001_000, 0},
		{"a minute", Highest, Highest / 1000 * 999, Highest / 1000 * 1001, 0},
		{"more than a minute", Highest + 1, Highest / 1000 * 999, Highest / 1000 * 1001, 1},
		{"years", 1 << 60, Highest / 1000 * 999, Highest / 1000 * 1001, 1},
	} {
		h := New()
		h.Record(c.ns)
		if got := h.hdr.ValueAtQuantile(50); got < c.low || got > c.top || h.Over != c.over || h.Count() != 1 {
			t.Errorf("%s: recorded as %d ns, over %d, count %d", c.name, got, h.Over, h.Count())
		}
	}
}

func TestResetAndAllocations(t *testing.T) {
	h := New()
	v := int64(1)
	if n := testing.AllocsPerRun(1000, func() { h.Record(v); v = v*7%(2*Highest) + 1 }); n != 0 {
		t.Errorf("Record allocates %v times", n)
	}
	if h.Reset(); h.Count() != 0 || h.Over != 0 || h.Max() != 0 {
		t.Errorf("after Reset: %d values, %d over, max %d", h.Count(), h.Over, h.Max())
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, s := range []string{"", "HIST", "not base64 at all!", "HISTFAAAACl4nJNpmSzMwMDAyQ"} {
		if _, err := Decode(s); err == nil {
			t.Errorf("%q passes for a histogram", s)
		}
	}
}
