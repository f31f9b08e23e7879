package hist

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
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
	var theirs Histogram
	if err := theirs.UnmarshalText([]byte(vector.Base64)); err != nil {
		t.Fatal(err)
	}
	if !ours.hdr.Equals(theirs.hdr) || !travelled(t, ours).hdr.Equals(theirs.hdr) {
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
		if new(Histogram).UnmarshalText([]byte(s)) == nil {
			t.Errorf("%q passes for a histogram", s)
		}
	}
}

// Four agents and one recorder are fed the same samples; the agents' histograms travel as text. Nothing may differ anywhere.
func TestMergeOfFourIsOneRecorder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	one := New()
	agents := []*Histogram{New(), New(), New(), New()}
	for i := range 200_000 {
		ns := int64(random.ExpFloat64() * 1e6)
		if i%1000 == 0 {
			ns = random.Int64N(2 * Highest)
		}
		one.Record(ns)
		agents[random.IntN(len(agents))].Record(ns)
	}
	merged := New()
	for _, agent := range agents {
		read := travelled(t, agent)
		read.Over = agent.Over // told beside the histogram (over_60s)
		merged.Add(read)
	}
	if !slices.Equal(one.hdr.Distribution(), merged.hdr.Distribution()) || one.Over != merged.Over || one.Count() != 200_000 || one.Over == 0 {
		t.Errorf("%d values, %d over 60 s; merged %d and %d", one.Count(), one.Over, merged.Count(), merged.Over)
	}
}

func TestGobKeepsWhatIsOver(t *testing.T) {
	h := New()
	h.Record(5e6)
	h.Record(2 * Highest)
	b, err := h.GobEncode()
	if err != nil {
		t.Fatal(err)
	}
	var back Histogram
	if err := back.GobDecode(b); err != nil || !back.hdr.Equals(h.hdr) || back.Over != 1 {
		t.Errorf("%+v, %v", back, err)
	}
	if err := new(Histogram).GobDecode(b[:7]); err == nil {
		t.Error("seven bytes pass for a histogram")
	}
}

func FuzzDecode(f *testing.F) {
	h := New()
	h.Record(12345)
	text, _ := h.MarshalText()
	f.Add(string(text))
	f.Add("")
	f.Add("HISTFAAAACl4nJNpmSzMwMDAyQ")
	f.Fuzz(func(t *testing.T, text string) {
		var h Histogram
		if err := h.UnmarshalText([]byte(text)); err == nil && h.Count() < 0 {
			t.Errorf("%d values", h.Count())
		}
	})
}

// travelled is what another program reads of h.
func travelled(t *testing.T, h *Histogram) *Histogram {
	t.Helper()
	text, err := h.MarshalText()
	var read Histogram
	if err == nil {
		err = read.UnmarshalText(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &read
}
