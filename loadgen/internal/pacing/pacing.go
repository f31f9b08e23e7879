// Package pacing says when requests are due. A pacer is a pure sequence: it holds no clock, and nothing that happens
// during a trial can move the times it gives.
package pacing

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Never is later than any request: what a pacer of rate 0 answers.
const Never = int64(math.MaxInt64)

// A Pacer gives the intended time of one request after another, in nanoseconds after the start, never decreasing.
type Pacer interface {
	Next() int64
}

var (
	_ Pacer = (*fixed)(nil)
	_ Pacer = (*poisson)(nil)
	_ Pacer = (*uniform)(nil)
	_ Pacer = none{}
)

// Laws are the names that New accepts.
var Laws = []string{"poisson", "fixed", "uniform"}

// New returns the pacer of a law with a mean of rate requests a second. The first request of a fixed or uniform law is due
// at phase times the mean gap. Seed and stream choose the random gaps: the same two give the same times.
func New(law string, rate, phase float64, seed, stream uint64) (Pacer, error) {
	if !(rate >= 0) || math.IsInf(rate, 0) {
		return nil, fmt.Errorf("a rate of %v requests/s cannot be paced", rate)
	}
	if !(phase >= 0 && phase < 1) {
		return nil, fmt.Errorf("a phase of %v is not between 0 and 1", phase)
	}
	if rate == 0 {
		return none{}, nil
	}
	gap := min(1e9/rate, math.MaxFloat64) // not infinite, for 0 times that is not a number
	random := rand.New(rand.NewPCG(seed, stream))
	switch law {
	case "fixed":
		return &fixed{gap: gap, phase: phase}, nil
	case "poisson":
		return &poisson{gap: gap, random: random}, nil
	case "uniform":
		return &uniform{gap: gap, at: phase * gap, random: random}, nil
	}
	return nil, fmt.Errorf("unknown law of arrivals %q", law)
}

// none is a rate of 0: connections are held and nothing is asked of them.
type none struct{}

func (none) Next() int64 { return Never }

// fixed has request i at (i + phase) · gap. It multiplies rather than adds, so no rounding error grows with i.
type fixed struct {
	gap, phase float64
	i          float64
}

func (p *fixed) Next() int64 {
	t := (p.i + p.phase) * p.gap
	p.i++
	return saturate(t)
}

// poisson has independent exponential gaps of mean gap: what many people who know nothing of each other ask for.
type poisson struct {
	gap, at float64
	random  *rand.Rand
}

func (p *poisson) Next() int64 {
	p.at += p.random.ExpFloat64() * p.gap
	return saturate(p.at)
}

// uniform has independent gaps between 0 and 2 · gap: jitter without the long gaps of poisson.
type uniform struct {
	gap, at float64
	random  *rand.Rand
}

func (p *uniform) Next() int64 {
	t := p.at
	p.at += p.random.Float64() * 2 * p.gap
	return saturate(t)
}

func saturate(t float64) int64 {
	if t >= math.MaxInt64 {
		return Never
	}
	return int64(t)
}
