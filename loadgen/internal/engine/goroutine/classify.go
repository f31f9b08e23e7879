package goroutine

import (
	"bytes"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/wire"
)

// classify names the fault of a whole reply where the record want was expected: one class is 1, or none if every byte
// is right. Filler is a record of the same size with the filler that all records of the trial share.
func classify(reply []byte, want wire.Header, filler []byte) engine.Integrity {
	got, err := wire.Decode(reply)
	switch {
	case err != nil:
		return engine.Integrity{Corrupt: 1}
	case got == want && bytes.Equal(reply[wire.HeaderBytes:], filler[wire.HeaderBytes:]):
		return engine.Integrity{}
	case got.Run != want.Run:
		return engine.Integrity{Foreign: 1}
	case got.Connection != want.Connection:
		return engine.Integrity{Crossed: 1}
	case got.Sequence < want.Sequence:
		return engine.Integrity{Duplicated: 1}
	case got.Sequence > want.Sequence:
		return engine.Integrity{Reordered: 1}
	}
	return engine.Integrity{Corrupt: 1} // in its place, but not what was sent, and the checksum was made to fit
}
