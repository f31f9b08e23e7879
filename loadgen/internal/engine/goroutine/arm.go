package goroutine

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/wire"
)

// Arm implements engine.Engine. Each connection has a goroutine that connects and verifies it, and then reads.
func (e *Routines) Arm(total int, until int64) (engine.Armed, error) {
	total = min(total, len(e.connections))
	if !e.traits.ConnectsAhead {
		total = min(1, total)
	}
	ctx, cancel := e.before(until)
	defer cancel()
	start, first := engine.Monotonic(), e.begun
	room := make(chan struct{}, e.cfg.UnderWay(engine.ConnectsAtOnce))
	e.done.Store(int64(e.accounts.Armed.Verified))
	var arming sync.WaitGroup
	for ; e.begun < total; e.begun++ {
		i := e.begun
		if e.sleep(ctx, e.cfg.DialDue(start, i-first), nil); ctx.Err() != nil {
			break
		}
		arming.Go(func() { e.open(ctx, i, room) })
	}
	arming.Wait()
	for ; e.begun < total; e.begun++ {
		e.accounts.NotArmed.Add(errs.Connect, errs.Timeout, 0, e.cfg.Number(e.begun))
	}
	if !e.traits.ConnectsAhead && total > 0 {
		e.accounts.HoldsNone()
	}
	return e.accounts.ArmedSoFar(), nil
}

// open connects, verifies, and leaves two goroutines behind.
func (e *Routines) open(ctx context.Context, i int, room chan struct{}) {
	c := e.newConnection(i)
	phase := errs.Connect
	var verdict engine.Integrity
	var strange []byte
	var err error
	if c.conn, err = e.connect(ctx, i, room); err == nil {
		phase = errs.Verify
		verdict, strange, err = c.verify(ctx)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.accounts.Integrity = e.accounts.Integrity.Plus(verdict)
	if err != nil {
		if len(strange) > 0 {
			e.accounts.Met(nil, strange)
		}
		cause, errno := causeOf(err)
		e.accounts.Errors.Add(phase, cause, errno, c.number())
		e.accounts.NotArmed.Add(phase, cause, errno, c.number())
		if c.conn != nil {
			_ = c.conn.Close()
		}
		return
	}
	e.accounts.Verified()
	e.done.Add(1)
	if !e.traits.ConnectsAhead { // as the workload does, and whatever the peer does then
		_ = c.conn.Close()
		return
	}
	c.reply = make([]byte, e.cfg.PayloadBytes+wire.BeginBytes)
	e.connections[i] = c
	e.running.Go(c.read)
	e.running.Go(c.write)
}

// connect makes a connection; a handshake that failed for a passing reason is tried again, after a rest that doubles.
func (e *Routines) connect(ctx context.Context, i int, room chan struct{}) (*net.TCPConn, error) {
	deadline, _ := ctx.Deadline()
	for retry := 0; ; retry++ {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		begun := engine.Monotonic()
		conn, err := e.dialers.Dial(ctx, i)
		now := engine.Monotonic()
		<-room
		if err == nil {
			_ = conn.SetLinger(0) // without it teardown leaves TIME_WAIT, no more
			e.mu.Lock()
			e.accounts.Connected(now - begun)
			e.mu.Unlock()
			return conn, nil
		}
		rest := engine.FirstBackoff << retry
		cause, errno := causeOf(err)
		if !engine.Passing(cause, errno) || retry == engine.MostRetries || time.Until(deadline) <= time.Duration(rest) {
			return nil, err
		}
		if e.sleep(ctx, now+rest, nil); ctx.Err() != nil {
			return nil, err
		}
		e.mu.Lock()
		e.accounts.Armed.Retries++
		e.mu.Unlock()
	}
}

// verify has one record echoed; strange is what came instead.
func (c *connection) verify(ctx context.Context) (verdict engine.Integrity, strange []byte, err error) {
	r := c.put(&request{connection: c, flags: wire.Arm, intended: engine.Monotonic()})
	reply := make([]byte, c.e.cfg.PayloadBytes)
	n, _, err := c.exchange(ctx, r, c.record(), reply)
	wrong := c.differs(r, reply[:n])
	switch {
	case err == nil:
		if verdict = classify(reply, c.header(r.flags, r.sequence, r.intended), c.e.filler, false); verdict != (engine.Integrity{}) {
			err = errMismatched
		}
	case timeIsUp(err) && wrong: // it did answer
		err = errMismatched
	case n > 0 && !timeIsUp(err) && wrong:
		verdict.Corrupt = 1
	case n > 0 && !timeIsUp(err):
		verdict.Truncated = 1
	}
	if wrong {
		strange = reply[:n]
	}
	return verdict, strange, err
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
