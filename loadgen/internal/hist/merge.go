package hist

import (
	"encoding/binary"
	"fmt"
)

// Add adds every count of other, index by index: the sum is what one recorder fed the samples of both would hold.
func (h *Histogram) Add(other *Histogram) {
	h.hdr.Merge(other.hdr)
	h.Over += other.Over
}

// GobEncode lets a histogram travel between processes; Over goes with it.
func (h *Histogram) GobEncode() ([]byte, error) {
	text, err := h.Encode()
	if err != nil {
		return nil, err
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(h.Over)), text...), nil
}

// GobDecode is the inverse of GobEncode.
func (h *Histogram) GobDecode(b []byte) error {
	if len(b) < 8 {
		return fmt.Errorf("decode a histogram: %d bytes are too few", len(b))
	}
	decoded, err := Decode(string(b[8:]))
	if err != nil {
		return err
	}
	h.hdr, h.Over = decoded.hdr, int64(binary.LittleEndian.Uint64(b))
	return nil
}

// Equal tells whether both hold the same count at every index.
func (h *Histogram) Equal(other *Histogram) bool {
	return h.Over == other.Over && h.hdr.Equals(other.hdr)
}
