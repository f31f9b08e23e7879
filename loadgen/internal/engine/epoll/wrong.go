package epoll

import "c10k/loadgen/internal/wire"

// What is done here is off the path of a request: it is about replies that are known to be wrong.

// differs adds a piece to a reply that is not what was sent. What came of it before was right.
func (l *Loop) differs(i int32, c *connection, r *request, b []byte) {
	if !c.wrong {
		c.wrong = true
		wire.Rewrite(l.records.expected, l.records.header(r), r.sum)
		l.strangers.reader(i).Add(l.records.expected[:c.received])
	}
	l.strangers.reader(i).Add(b)
}

// count accounts for bytes that came while no request waited, and for the whole records in them.
func (l *Loop) count(i int32, c *connection, b []byte) {
	l.accounts.Surplus += int64(len(b))
	size := len(l.records.expected)
	for len(b) > 0 {
		c.stray = true
		r := l.strangers.reader(i)
		n := min(len(b), size-r.Len())
		r.Add(b[:n])
		b = b[n:]
		if r.Len() < size {
			return
		}
		if _, err := r.Decode(); err == nil {
			l.classify(i, c, c.sequence)
		}
		l.strangers.forget(i, c)
	}
}

// classify names the fault of a whole wrong reply, where the record of that sequence was expected.
func (l *Loop) classify(i int32, c *connection, sequence uint32) {
	h, err := l.strangers.reader(i).Decode()
	switch n := &l.accounts.Integrity; {
	case err != nil:
		n.Corrupt++
	case h.Run != l.cfg.Run:
		n.Foreign++
	case h.Connection != l.cfg.Number(int(i)):
		n.Crossed++
	case h.Sequence < sequence:
		n.Duplicated++
	case h.Sequence > sequence || c.stray:
		n.Reordered++
	default:
		n.Corrupt++ // its place is right, something else is not, and the checksum was made to fit
	}
	l.strangers.forget(i, c)
}
