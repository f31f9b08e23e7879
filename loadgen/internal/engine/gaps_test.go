package engine

import (
	"slices"
	"testing"
)

// The sample is even: every gap of a power of two, however many there were.
func TestGapsAreAnEvenSample(t *testing.T) {
	for _, sends := range []int{0, 1, 2, MostSendGaps + 1, MostSendGaps + 2, 100_000} {
		g := newGaps()
		now, want := int64(1000), []int64{}
		for i := range sends {
			g.sent(now)
			now += int64(i) // so gap i is i
		}
		for i := int64(0); i < int64(sends)-1; i += g.stride {
			want = append(want, i)
		}
		if !slices.Equal(g.kept, want) || (sends > MostSendGaps && len(g.kept) <= MostSendGaps/2) || len(g.kept) > MostSendGaps {
			t.Errorf("%d sends: %d gaps, stride %d, want %d", sends, len(g.kept), g.stride, len(want))
		}
	}
	g := newGaps()
	if n := testing.AllocsPerRun(10_000, func() { g.sent(1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
