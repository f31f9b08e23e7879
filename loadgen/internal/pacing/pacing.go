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
type Pacer func() float64

// Next is the intended time of the next request.
func (p Pacer) Next() int64 {
	if t := p(); t < math.MaxInt64 {
		return int64(t)
	}
	return Never
}

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
	gap := min(1e9/rate, math.MaxFloat64)         // not infinite, for 0 times that is not a number
	random := rand.New(rand.NewPCG(seed, stream)) // #nosec G404 -- the same seed must give the same arrivals
	var i, at float64
	switch {
	case rate == 0: // connections are held and nothing is asked of them
		return func() float64 { return math.MaxInt64 }, nil
	case law == "fixed": // request i at (i + phase) · gap: no rounding error grows with i, as it would in a sum
		return func() float64 {
			t := (i + phase) * gap
			i++
			return t
		}, nil
	case law == "poisson": // independent exponential gaps of mean gap: what many people who know nothing of each other ask for
		return func() float64 {
			at += random.ExpFloat64() * gap
			return at
		}, nil
	case law == "uniform": // independent gaps between 0 and 2 · gap: jitter without the long gaps of poisson
		at = phase * gap
		return func() float64 {
			t := at
			at += random.Float64() * 2 * gap
			return t
		}, nil
	}
	return nil, fmt.Errorf("unknown law of arrivals %q", law)
}
