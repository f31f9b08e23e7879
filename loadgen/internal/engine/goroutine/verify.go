package goroutine

import (
	"context"
	"io"
	"time"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/wire"
)

// verify has one record echoed.
func (c *connection) verify(ctx context.Context) error {
	r := c.put(&request{connection: c, flags: wire.Arm, intended: c.e.clock.Now()})
	reply := make([]byte, c.e.cfg.PayloadBytes)
	n, _, err := c.exchange(ctx, r, c.record(), reply)
	var verdict engine.Integrity
	switch {
	case err == nil:
		if verdict = classify(reply, c.header(r.flags, r.sequence, r.intended), c.e.filler); verdict != (engine.Integrity{}) {
			err = errMismatched
		}
	case n > 0 && !timeIsUp(err):
		verdict.Truncated = 1
	}
	c.e.mu.Lock()
	c.e.accounts.Integrity = c.e.accounts.Integrity.Plus(verdict)
	c.e.mu.Unlock()
	return err
}

// exchange writes one record and reads at least one reply; what comes with it is in n. It gives up when ctx ends.
func (c *connection) exchange(ctx context.Context, r *request, record, reply []byte) (n int, phase errs.Phase, err error) {
	conn := c.conn // a later one is none of this deadline's business
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() {
			err = ctx.Err()
		}
	}()
	wire.Encode(record, c.header(r.flags, r.sequence, r.intended))
	if _, err := c.conn.Write(record); err != nil {
		return 0, errs.Write, err
	}
	n, err = io.ReadAtLeast(c.conn, reply, len(record))
	return n, errs.Read, err
}
