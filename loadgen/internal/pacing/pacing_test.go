package pacing

import (
	"math"
	"slices"
	"testing"
)

func take(t *testing.T, law string, rate, phase float64, seed, stream uint64, n int) []int64 {
	t.Helper()
	p, err := New(law, rate, phase, seed, stream)
	if err != nil {
		t.Fatal(err)
	}
	times := make([]int64, n)
	for i := range times {
		times[i] = p.Next()
	}
	return times
}

func TestTables(t *testing.T) {
	for _, c := range []struct {
		name        string
		rate, phase float64
		want        []int64
	}{
		{"a second apart", 1, 0, []int64{0, 1e9, 2e9}},
		{"half a gap late", 1, 0.5, []int64{5e8, 15e8, 25e8}},
		{"thirds do not drift", 3, 0, []int64{0, 333333333, 666666666, 1000000000}},
		{"nothing at rate 0", 0, 0, []int64{Never, Never}},
		{"many a nanosecond", 1e10, 0, []int64{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
		{"less than one in three centuries", 1e-11, 0.99, []int64{Never}},
		{"less than any gap can say", 5e-324, 0, []int64{0, Never, Never}},
	} {
		if got := take(t, "fixed", c.rate, c.phase, 0, 0, len(c.want)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		law         string
		rate, phase float64
	}{
		{"bursty", 1, 0}, {"fixed", -1, 0}, {"fixed", math.NaN(), 0}, {"fixed", math.Inf(1), 0}, {"fixed", 1, 1},
		{"fixed", 1, -0.1}, {"fixed", 1, math.NaN()},
	} {
		if _, err := New(c.law, c.rate, c.phase, 0, 0); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

// Whatever the law: times never decrease, the mean gap is that of the rate, the same seed gives the same times and another
// stream others.
func TestProperties(t *testing.T) {
	const n = 200_000
	for _, law := range Laws {
		for _, rate := range []float64{0.5, 1, 333.3, 10_000, 1e6} {
			times := take(t, law, rate, 0.25, 71, 3334, n)
			if !slices.IsSorted(times) || times[0] < 0 {
				t.Errorf("%s at %v/s: times decrease", law, rate)
			}
			// The sum of n gaps has a spread of at most sqrt(n) gaps; five of those never happen.
			gap := 1e9 / rate
			if off := float64(times[n-1])/gap - n; math.Abs(off) > 5*math.Sqrt(n) {
				t.Errorf("%s at %v/s: %.0f gaps off after %d", law, rate, off, n)
			}
			if !slices.Equal(times, take(t, law, rate, 0.25, 71, 3334, n)) {
				t.Errorf("%s at %v/s: two runs differ", law, rate)
			}
			if law != "fixed" && slices.Equal(times[1:], take(t, law, rate, 0.25, 71, 0, n)[1:]) {
				t.Errorf("%s at %v/s: two clients have the same gaps", law, rate)
			}
		}
	}
}

func TestSpreadOfGaps(t *testing.T) {
	const n, gap = 200_000, 1e6
	for law, want := range map[string]float64{"fixed": 0, "uniform": 1 / math.Sqrt(3), "poisson": 1} {
		times := take(t, law, 1e9/gap, 0, 5, 5, n)
		var squares float64
		for i := 1; i < n; i++ {
			d := float64(times[i]-times[i-1]) - gap
			squares += d * d
		}
		if got := math.Sqrt(squares/n) / gap; math.Abs(got-want) > 0.02 {
			t.Errorf("%s: gaps deviate by %.3f of the mean, want %.3f", law, got, want)
		}
	}
}

func TestUniformBeginsAtItsPhase(t *testing.T) {
	if got := take(t, "uniform", 10, 0.5, 1, 1, 1)[0]; got != 5e7 {
		t.Errorf("first at %d ns, want %d", got, int64(5e7))
	}
}

// Whatever is asked for is refused, or gives times that never decrease, with a mean gap that is right.
func FuzzNew(f *testing.F) {
	f.Add(uint8(0), 1000.0, 0.0, uint64(1), uint64(2))
	f.Add(uint8(1), 1/3.0, 0.99, uint64(71), uint64(0))
	f.Add(uint8(2), 1e12, 0.5, uint64(0), uint64(10_000))
	f.Add(uint8(1), 5e-324, 0.0, uint64(0), uint64(0))
	f.Add(uint8(2), math.MaxFloat64, 0.5, uint64(0), uint64(0))
	f.Add(uint8(3), math.NaN(), -1.0, uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, law uint8, rate, phase float64, seed, stream uint64) {
		const n = 2000
		name := append(Laws, "bursty")[int(law)%(len(Laws)+1)]
		p, err := New(name, rate, phase, seed, stream)
		if err != nil {
			return
		}
		last := int64(0)
		for range n {
			next := p.Next()
			if next < last {
				t.Fatalf("%s at %v/s, phase %v: %d follows %d", name, rate, phase, next, last)
			}
			last = next
		}
		gap := 1e9 / rate
		if gap*n > math.MaxInt64/4 {
			return // so rare that Never stands for most of them
		}
		// Eight times the spread of n independent gaps, and what is cut off from each time: less than a nanosecond.
		if off := math.Abs(float64(last)/gap - n); off > 8*math.Sqrt(n)+1/gap+1 {
			t.Fatalf("%s at %v/s: %.1f gaps off after %d", name, rate, off, n)
		}
	})
}

func TestNextDoesNotAllocate(t *testing.T) {
	for _, law := range Laws {
		p, _ := New(law, 1000, 0, 1, 1)
		if n := testing.AllocsPerRun(1000, func() { p.Next() }); n != 0 {
			t.Errorf("%s allocates %v times", law, n)
		}
	}
}
