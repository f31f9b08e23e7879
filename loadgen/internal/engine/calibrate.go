package engine

import (
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/wire"

	"golang.org/x/sys/unix"
)

// A calibration sends as fast as the sockets take it, to a server that swallows it: no trial on this host can ask for more.
type calibration struct {
	at, end int64 // ns
	turn    int   // connection
	sends   int64
}

func newCalibration(l *Loop, at int64, emit func(Interval)) *calibration {
	l.ledger = newLedger(at, 0, 0, 1, emit) // stays empty
	return &calibration{at: at, end: at + int64(l.cfg.Duration)*second}
}

func (k *calibration) run(l *Loop) {
	cpu := threadCPU()
	for !l.stopped.Load() && l.clock.Now() < k.end {
		if k.work(l) {
			l.poll(0)
		} else {
			l.poll(k.end) // all are full
		}
	}
	l.ceiling = &Ceiling{Sends: k.sends, Wall: max(0, l.clock.Now()-k.at), CPU: threadCPU() - cpu}
}

// work sends on the connections in turn, but not for long before the loop looks for events. It tells whether any socket took
// something.
func (k *calibration) work(l *Loop) bool {
	tries := 0
	for range l.connections {
		i := int32(k.turn)
		if k.turn++; k.turn == len(l.connections) {
			k.turn = 0
		}
		c := &l.connections[i]
		if c.state != established || c.stuck {
			continue
		}
		k.send(l, i, c)
		if tries++; tries == eventsPerWait {
			break
		}
	}
	return tries > 0
}

// send writes a record, or what is left of the last one.
func (k *calibration) send(l *Loop, i int32, c *connection) {
	now := l.clock.Now()
	if c.unsent == 0 {
		c.unsent, c.begun = int32(len(l.out)), now
	}
	wire.Encode(l.out, wire.Header{Flags: wire.Load, Run: l.cfg.Run, Connection: l.cfg.FirstConnection + uint32(i),
		Sequence: c.sequence, Intended: uint64(c.begun)})
	n, errno := writeSome(c.fd, l.out[len(l.out)-int(c.unsent):])
	switch errno {
	case 0:
	case unix.EAGAIN:
		c.stuck = true
		return
	case unix.EINTR:
		return
	default:
		l.lose(i, errs.Write, errs.CauseOf(errno), errno)
		return
	}
	if l.ledger.firstSend == 0 {
		l.ledger.firstSend = now
	}
	l.ledger.lastSend = now
	if c.unsent -= int32(n); c.unsent == 0 {
		c.sequence++
		k.sends++
	}
}

func threadCPU() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) // cannot fail with a constant clock and a valid pointer
	return t.Nano()
}
