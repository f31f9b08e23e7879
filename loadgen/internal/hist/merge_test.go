package hist

import (
	"math/rand/v2"
	"testing"
)

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
		text, err := agent.Encode()
		if err != nil {
			t.Fatal(err)
		}
		read, err := Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		read.Over = agent.Over // told beside the histogram (over_60s)
		merged.Add(read)
	}
	a, b := one.hdr.Distribution(), merged.hdr.Distribution()
	if len(a) != len(b) {
		t.Fatalf("%d indices and %d", len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("index %d: %+v in one recorder, %+v in the merge", i, a[i], b[i])
		}
	}
	if !one.Equal(merged) || one.Count() != 200_000 || one.Over == 0 {
		t.Errorf("%d values, %d over 60 s; merged %d and %d", one.Count(), one.Over, merged.Count(), merged.Over)
	}
	merged.Record(5)
	if one.Equal(merged) {
		t.Error("one value more makes no difference")
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
	if err := back.GobDecode(b); err != nil || !back.Equal(h) || back.Over != 1 {
		t.Errorf("%+v, %v", back, err)
	}
	if err := new(Histogram).GobDecode(b[:7]); err == nil {
		t.Error("seven bytes pass for a histogram")
	}
}

func FuzzDecode(f *testing.F) {
	h := New()
	h.Record(12345)
	text, _ := h.Encode()
	f.Add(text)
	f.Add("")
	f.Add("HISTFAAAACl4nJNpmSzMwMDAyQ")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := Decode(text)
		if err == nil && h.Count() < 0 {
			t.Errorf("%d values", h.Count())
		}
	})
}
