package epoll

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/pacing"
	"c10k/loadgen/internal/wire"

	"golang.org/x/sys/unix"
)

// A calibration sends as fast as the sockets take it, to a server that swallows it: no trial on this host can ask for more.
type calibration struct {
	held
	turn   int // connection
	sends  int64
	cpu    int64  // ns, before the first
	halves []half // by connection
}

// A half is a record that its socket has not taken whole yet.
type half struct {
	unsent int32 // bytes
	begun  int64 // ns
}

func newCalibration(l *Loop) phase {
	l.accounts.Ledger.Skip()
	l.due, l.end = l.at, l.at+int64(l.cfg.Duration)*1e9
	return &calibration{held: held{l}, cpu: threadCPU(), halves: make([]half, len(l.connections))}
}

// pump sends on the connections in turn, but not for long before the loop looks for events.
func (k *calibration) pump() {
	k.l.due = pacing.Never // unless a socket may take more
	if engine.Monotonic() >= k.l.end {
		return
	}
	tries := 0
	for range k.l.connections {
		i := int32(k.turn)
		if k.turn++; k.turn == len(k.l.connections) {
			k.turn = 0
		}
		c := &k.l.connections[i]
		if c.state != established || c.stuck {
			continue
		}
		k.send(i, c)
		if tries++; tries == eventsPerWait {
			break
		}
	}
	if tries > 0 {
		k.l.due = k.l.at
	}
}

// send writes a record, or what is left of the last one.
func (k *calibration) send(i int32, c *connection) {
	l, h := k.l, &k.halves[i]
	now := engine.Monotonic()
	out := l.out
	if h.unsent == 0 {
		h.unsent, h.begun = int32(len(out)), now
	}
	wire.Encode(out, l.header(&request{flags: wire.Load, owner: i, sequence: c.sequence, intended: h.begun}))
	n, errno := writeSome(c.fd, out[len(out)-int(h.unsent):])
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
	if l.accounts.Ledger.FirstSend == 0 {
		l.accounts.Ledger.FirstSend = now
	}
	l.accounts.Ledger.LastSend = now
	if h.unsent -= int32(n); h.unsent == 0 {
		c.sequence++
		k.sends++
	}
}

func (k *calibration) over(d *engine.Done) {
	connected := k.l.accounts.Armed.Connected
	d.Armed, d.Lost = connected, connected-d.Open
	d.Ceiling = &engine.Ceiling{Sends: k.sends, Wall: max(0, engine.Monotonic()-k.l.at), CPU: threadCPU() - k.cpu}
}

func threadCPU() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) // cannot fail with a constant clock and a valid pointer
	return t.Nano()
}
