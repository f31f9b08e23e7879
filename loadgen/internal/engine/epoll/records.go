package epoll

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/wire"
)

// A records has what a share writes its records with, and what their echoes must be. Its two buffers serve all connections.
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
