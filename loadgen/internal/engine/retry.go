package engine

import (
	"time"

	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"

	"golang.org/x/sys/unix"
)

const (
	mostRetries  = 3                             // of one connection
	firstBackoff = int64(100 * time.Millisecond) // then twice as long each time
)

// synRetries are what handshakes last that lost one SYN, two, or three: the kernel sends another after 1 s, 3 s and 7 s.
var synRetries = [3]int64{1 * second, 3 * second, 7 * second}

// stood goes on with a connection whose handshake is done: it is verified, unless that is not wanted.
func (l *Loop) stood(i int32, c *connection) {
	took := l.now - c.begun
	l.connect.Record(took)
	for k := len(synRetries) - 1; k >= 0; k-- {
		if took >= synRetries[k] {
			l.syns[k]++
			break
		}
	}
	if l.cfg.Workload == Calibrate {
		c.state = established
		l.arming--
		l.open++
		return
	}
	c.state = verifying
	l.submit(i, wire.Arm, l.now, 0)
}

// retry lets a handshake that failed be tried again, if that may help and there is time; false: it has failed for good.
func (l *Loop) retry(i int32, c *connection, cause errs.Cause, errno unix.Errno) bool {
	// Refused, reset, or unanswered; what this host lacks, it will lack again.
	passing := cause == errs.Refused || cause == errs.Reset || (cause == errs.Timeout && errno != 0)
	due := l.clock.Now() + firstBackoff<<c.retries
	if !passing || c.retries == mostRetries || due >= l.deadline {
		return false
	}
	retries := c.retries
	l.disconnect(i, c)
	c.state, c.retries = resting, retries+1
	r := &l.resting[retries] // all in it rest for the same time, so they are in order
	if r.items == nil {
		r.items = make([]turn, len(l.connections))
	}
	r.push(turn{i, due})
	return true
}

// rested is when the next connection may be tried again, in ns, and the queue that it is in.
func (l *Loop) rested() (int64, *ring) {
	due, first := pacing.Never, &l.resting[0]
	for k := range l.resting {
		if r := &l.resting[k]; r.due() < due {
			due, first = r.due(), r
		}
	}
	return due, first
}
