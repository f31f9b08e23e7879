package epoll

type state uint8

const (
	closed state = iota
	connecting
	resting // a handshake failed, and is to be tried again
	verifying
	established
)

// A connection is one entry of the flat array. Its size is tested: at most 64 bytes.
type connection struct {
	fd         int32
	generation uint32 // changes when the descriptor is closed
	sequence   uint32 // of its next record
	waiting    list   // planned, not yet begun
	wire       list   // begun, no reply yet; the last may be half written
	unseen     uint32 // µs for which its replies have lain unread at most, in sum; it wraps
	begun      int64  // ns, start of the handshake
	heard      int64  // ns, when the last byte came of a reply that is not whole yet
	unsent     int32  // bytes of the last on the wire still to be written
	received   int32  // bytes of the reply to the first on the wire
	onWire     uint16 // length of wire
	state      state
	stuck      bool // the socket's buffer was full: waits for EPOLLOUT
	wrong      bool // the reply being read differs from what was sent; a Reader has what came of it
	stray      bool // a Reader has what came while no request waited
	retries    uint8
}

// blank is the connection after c: not open, and events for c are not its own.
func (c *connection) blank() connection {
	return connection{fd: -1, generation: c.generation + 1, sequence: c.sequence, waiting: emptyList, wire: emptyList}
}

func newConnections(n int) []connection {
	all := make([]connection, n)
	for i := range all {
		all[i] = all[i].blank()
	}
	return all
}
