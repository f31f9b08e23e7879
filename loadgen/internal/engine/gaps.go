package engine

// MostSendGaps bounds the sample of times between sends.
const MostSendGaps = 2048

// A gaps keeps an even sample of the times between sends, of which nobody knows beforehand how many there will be: when
// it is full, every second is given up, and from then on half as many are taken.
type gaps struct {
	kept   []int64 // ns, at most MostSendGaps
	last   int64   // ns; 0: none yet
	seen   int64
	stride int64 // a power of 2
}

func newGaps() gaps { return gaps{kept: make([]int64, 0, MostSendGaps), stride: 1} }

// sent notes a send at now.
func (g *gaps) sent(now int64) {
	last := g.last
	g.last = now
	if last == 0 {
		return
	}
	i := g.seen
	g.seen++
	if i&(g.stride-1) != 0 {
		return
	}
	if len(g.kept) == MostSendGaps {
		for k := range MostSendGaps / 2 {
			g.kept[k] = g.kept[2*k]
		}
		g.kept = g.kept[:MostSendGaps/2]
		g.stride *= 2 // of which i is a multiple too
	}
	g.kept = append(g.kept, max(0, now-last))
}
