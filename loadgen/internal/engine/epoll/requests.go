package epoll

// nothing ends a list.
const nothing = int32(-1)

// A request is in the list of all unsettled requests, in the order of their intended times, and in one of two lists of its
// connection: waiting to be sent, or on the wire. All have the same timeout, so the oldest is always the next to expire.
type request struct {
	intended     int64 // ns
	sent         int64 // ns; 0: not yet
	older, newer int32 // among the unsettled
	next         int32 // in the list of the connection
	owner        int32 // index of its connection
	sequence     uint32
	sum          uint32 // checksum of the record
	unseen       uint32 // µs, of its connection when it was planned
	slot         uint16 // of the ledger
	flags        uint8  // of the record
	onWire       bool
	tardy        bool // planned when half of its timeout was over
	settled      bool // its reply is still to come, but counts no more
	ended        bool // settled because the load ended, not because it timed out
}

// A slab holds a bounded number of requests. It is allocated once, and touches only what was ever in use at a time.
type slab struct {
	all            []request
	free           int32 // list by next
	fresh          int32 // from here on never used
	oldest, newest int32 // unsettled
}

func newSlab(size int) slab {
	return slab{all: make([]request, size), free: nothing, oldest: nothing, newest: nothing}
}

// take returns an empty request that is the newest of the unsettled, or nothing if the slab is full.
func (s *slab) take() int32 {
	i := s.free
	switch {
	case i != nothing:
		s.free = s.all[i].next
	case int(s.fresh) < len(s.all):
		i = s.fresh
		s.fresh++
	default:
		return nothing
	}
	s.all[i] = request{older: s.newest, newer: nothing, next: nothing}
	if s.newest == nothing {
		s.oldest = i
	} else {
		s.all[s.newest].newer = i
	}
	s.newest = i
	return i
}

// unlink takes a request that is now settled out of the unsettled.
func (s *slab) unlink(i int32) {
	r := &s.all[i]
	if r.older == nothing {
		s.oldest = r.newer
	} else {
		s.all[r.older].newer = r.newer
	}
	if r.newer == nothing {
		s.newest = r.older
	} else {
		s.all[r.newer].older = r.older
	}
	r.settled = true
}

// release gives a settled request back, once its connection has no more to do with it.
func (s *slab) release(i int32) {
	s.all[i].next = s.free
	s.free = i
}

// A list is a queue of requests by their next.
type list struct{ head, tail int32 }

var emptyList = list{nothing, nothing}

func (l *list) push(s *slab, i int32) {
	s.all[i].next = nothing
	if l.head == nothing {
		l.head = i
	} else {
		s.all[l.tail].next = i
	}
	l.tail = i
}

func (l *list) pop(s *slab) int32 {
	i := l.head
	l.head = s.all[i].next
	if l.head == nothing {
		l.tail = nothing
	}
	return i
}
