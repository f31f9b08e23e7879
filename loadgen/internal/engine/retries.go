package engine

import (
	"time"

	"c10k/loadgen/internal/errs"

	"golang.org/x/sys/unix"
)

const (
	// MostRetries is how often a handshake of arming is tried again.
	MostRetries = 3
	// FirstBackoff is the rest before the first retry, in ns; each later one is twice as long.
	FirstBackoff = int64(100 * time.Millisecond)
	// Reconnect is the rest before the next request where each has its own connection and that could not be made, in ns: a
	// host without ports, or a server that refuses, must not make the engine spin.
	Reconnect = int64(50 * time.Millisecond)
)

// Passing tells whether a handshake that failed so may succeed later: it was refused, reset, or unanswered. What this host
// lacks, it will lack again. An errno of 0 is our own timeout.
func Passing(cause errs.Cause, errno unix.Errno) bool {
	return cause == errs.Refused || cause == errs.Reset || (cause == errs.Timeout && errno != 0)
}

// synRetries are what handshakes last that lost one SYN, two, or three: the kernel sends another after 1 s, 3 s and 7 s.
var synRetries = [3]int64{1 * second, 3 * second, 7 * second}
