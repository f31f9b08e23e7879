// Package hist holds latencies: HDR histograms of nanoseconds from 100 ns to 60 s with three digits.
package hist

import (
	"encoding/binary"
	"fmt"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

const (
	lowest = 100
	// Highest is the largest latency in ns that is told apart; what is slower is recorded as this and counted in Over.
	Highest = 60_000_000_000
	digits  = 3
)

// A Histogram belongs to one thread at a time. Record neither allocates nor locks.
type Histogram struct {
	hdr  *hdr.Histogram
	Over int64 // how many were slower than Highest
}

// New returns an empty histogram; it takes about 200 KB.
func New() *Histogram { return &Histogram{hdr: hdr.New(lowest, Highest, digits)} }

// Record counts one latency in ns.
func (h *Histogram) Record(ns int64) {
	if ns < 0 {
		ns = 0 // two reads of the clock around an event that took no time
	}
	if ns > Highest {
		ns = Highest
		h.Over++
	}
	_ = h.hdr.RecordValue(ns) // cannot fail within the range
}

// Count is how many were recorded.
func (h *Histogram) Count() int64 { return h.hdr.TotalCount() }

// Max is the largest recorded latency in ns, to three digits; 0 if there is none.
func (h *Histogram) Max() int64 {
	if h.Count() == 0 {
		return 0
	}
	return h.hdr.Max()
}

// Reset empties the histogram for its next use.
func (h *Histogram) Reset() {
	h.hdr.Reset()
	h.Over = 0
}

// Quantile is the latency in ns that a share q of those recorded do not exceed.
func (h *Histogram) Quantile(q float64) int64 { return h.hdr.ValueAtQuantile(100 * q) }

// Mean is that of all recorded, in ns.
func (h *Histogram) Mean() float64 { return h.hdr.Mean() }

// MarshalText returns the base64 form of the compressed V2 encoding, which every HDR library reads.
func (h *Histogram) MarshalText() ([]byte, error) {
	b, err := h.hdr.Encode(hdr.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("encode a histogram of %d values: %w", h.Count(), err)
	}
	return b, nil
}

// UnmarshalText reads what MarshalText wrote.
func (h *Histogram) UnmarshalText(text []byte) (err error) {
	if h.hdr, err = hdr.Decode(text); err != nil {
		return fmt.Errorf("decode a histogram: %w", err)
	}
	return nil
}

// Add adds every count of other, index by index: the sum is what one recorder fed the samples of both would hold.
func (h *Histogram) Add(other *Histogram) {
	h.hdr.Merge(other.hdr)
	h.Over += other.Over
}

// Copy is another with the same counts.
func (h *Histogram) Copy() *Histogram {
	copied := New()
	copied.Add(h)
	return copied
}

// GobEncode lets a histogram travel between processes; Over goes with it.
func (h *Histogram) GobEncode() ([]byte, error) {
	text, err := h.MarshalText()
	return binary.LittleEndian.AppendUint64(text, uint64(h.Over)), err
}

// GobDecode is the inverse of GobEncode.
func (h *Histogram) GobDecode(b []byte) error {
	over := len(b) - 8
	if over < 0 {
		return fmt.Errorf("decode a histogram: %d bytes are too few", len(b))
	}
	h.Over = int64(binary.LittleEndian.Uint64(b[over:]))
	return h.UnmarshalText(b[:over])
}
