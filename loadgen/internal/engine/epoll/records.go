package epoll

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/wire"
)

// A records writes the records of a share, and again what their echoes must be. Its two buffers serve all connections.
type records struct {
	run      uint32
	first    uint32 // number of connection 0
	out      []byte // the record being sent
	expected []byte // the record being checked
}

func newRecords(cfg *engine.Config) records {
	return records{run: cfg.Run, first: cfg.FirstConnection, out: wire.NewBuffer(cfg.PayloadBytes, cfg.Seed),
		expected: wire.NewBuffer(cfg.PayloadBytes, cfg.Seed)}
}

func (k *records) header(r *request) wire.Header {
	return wire.Header{Flags: r.flags, Run: k.run, Connection: k.first + uint32(r.owner), Sequence: r.sequence,
		Intended: uint64(r.intended)}
}

// encode writes a new record to out.
func (k *records) encode(r *request) { r.sum = wire.Encode(k.out, k.header(r)) }

// resume writes to out a record that was sent in part: the buffer has served others since.
func (k *records) resume(r *request) { wire.Rewrite(k.out, k.header(r), r.sum) }

// expect writes to expected what the reply to a request must be.
func (k *records) expect(r *request) { wire.Rewrite(k.expected, k.header(r), r.sum) }
