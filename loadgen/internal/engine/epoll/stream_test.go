package epoll

import (
	"math"
	"net/netip"
	"testing"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/wire"

	"golang.org/x/sys/unix"
)

// A surplus reply must not keep those waiting that come after it.
func TestSurplusDoesNotHoldUpTheNext(t *testing.T) {
	s := newStream(t, 1, 64)
	s.ask()
	s.ask() // waits for the first
	reply := s.sent()
	s.feed(append(reply, reply...))
	if s.l.accounts.Surplus != 64 || s.l.accounts.Integrity != (Integrity{Duplicated: 1}) || len(s.sent()) != 64 {
		t.Errorf("surplus %d, %+v, %d on the wire", s.l.accounts.Surplus, s.l.accounts.Integrity, s.c.onWire)
	}
}

// What the peer said before it went away is read, though a write meets its going first.
func TestReplyBeforeTheEnd(t *testing.T) {
	s := newStream(t, 2, 64)
	s.ask()
	s.answer()
	if err := unix.Shutdown(int(s.peer), unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	s.ask()
	s.balance()
	rows := s.l.accounts.Errors.Rows()
	if n := Planned(s.l.accounts.Ledger.Window); n != (Counts{Planned: 2, Sent: 1, Answered: 1, Failed: 1, UnsentWaiting: 1}) || len(rows) != 1 ||
		rows[0].Phase != "write" {
		t.Errorf("%+v, %+v", n, rows)
	}
}

// The rest of a reply that lies unread when the load is over is part of it: only the loop was late.
func TestARestThatIsNotReadIsNotCut(t *testing.T) {
	s := newStream(t, 1, 64)
	s.l.watch.now -= 3 * int64(s.l.cfg.Timeout)
	s.ask()
	reply := s.sent()
	s.feed(reply[:40])
	s.l.expire(Monotonic())
	if errno := watchSocket(s.l.watch.ep, unix.EPOLL_CTL_ADD, s.c.fd, interest, 0, s.c.generation); errno != 0 {
		t.Fatal(errno)
	}
	if n, errno := writeSome(s.peer, reply[40:]); errno != 0 || n != 24 {
		t.Fatal(n, errno)
	}
	s.l.linger()
	if g := s.l.accounts.Integrity; g != (Integrity{Late: 1}) {
		t.Errorf("%+v", g)
	}
}

// A reply to a request that was given up because the load was stopped is not late.
func TestStoppedIsNotLate(t *testing.T) {
	s := newStream(t, 1, 64)
	s.ask()
	s.answer()
	s.l.abandon(Monotonic())
	if errno := watchSocket(s.l.watch.ep, unix.EPOLL_CTL_ADD, s.c.fd, interest, 0, s.c.generation); errno != 0 {
		t.Fatal(errno)
	}
	s.l.linger()
	if g := s.l.accounts.Integrity; g != (Integrity{}) || s.c.onWire != 0 {
		t.Errorf("%+v, %d on the wire", g, s.c.onWire)
	}
}

// pumped counts how often it was asked for requests.
type pumped struct {
	held
	times int
}

func (p *pumped) pump() { p.times++ }

// Nothing is planned once a load that was stopped is summed up, though replies are still read.
func TestNothingFollowsTheStop(t *testing.T) {
	s := newStream(t, 1, 64)
	s.ask()
	s.answer()
	p := &pumped{held: held{s.l}}
	s.l.phase, s.l.due = p, 1 // long ago
	if errno := watchSocket(s.l.watch.ep, unix.EPOLL_CTL_ADD, s.c.fd, interest, 0, s.c.generation); errno != 0 {
		t.Fatal(errno)
	}
	s.l.finish()
	if s.c.onWire != 0 || p.times != 0 {
		t.Errorf("%d on the wire, asked %d times for more", s.c.onWire, p.times)
	}
}

// A reply that another record cuts short before its request has been written ends the connection: nobody can tell what the rest
// of the request would be.
func TestCutShortWhileItIsSent(t *testing.T) {
	s := newStream(t, 1, 1<<22)
	s.ask()
	if !s.c.stuck || s.c.unsent == 0 {
		t.Fatalf("%+v", s.c)
	}
	other := make([]byte, len(s.l.expected))
	wire.Encode(other, wire.Header{Run: s.l.cfg.Run + 1})
	s.feed(append(s.sent()[:40], other[:100]...))
	if s.c.state != closed || s.l.requests.oldest != nothing {
		t.Errorf("%+v", s.c)
	}
	s.balance()
}

// What never left was kept by the server, unless this loop came too late to see that it might leave.
func TestWhoKeptARequest(t *testing.T) {
	for name, c := range map[string]struct {
		late bool
		do   func(s *stream, timeout int64)
	}{
		"mute":                    {false, func(*stream, int64) {}},
		"mute, and the loop away": {false, func(s *stream, timeout int64) { s.l.watch.late = timeout }},
		"the reply is not read":   {true, func(s *stream, timeout int64) { s.l.watch.late = timeout; s.answer() }},
		"it came just now":        {false, func(s *stream, _ int64) { s.answer() }},
		"planned late":            {true, func(s *stream, timeout int64) { s.l.requests.all[s.c.waiting.head].tardy = true }},
		"late behind a busy one": {false, func(s *stream, timeout int64) {
			s.l.requests.all[s.c.waiting.head].tardy, s.l.requests.all[s.c.wire.head].sent = true, 1
		}},
	} {
		s := newStream(t, 1, 64)
		s.ask()
		s.ask() // waits for the first
		c.do(s, int64(s.l.cfg.Timeout))
		s.expire(-1)
		s.balance()
		want := Counts{Planned: 2, Sent: 1, TimedOut: 2, UnsentWaiting: 1}
		if c.late {
			want.UnsentWaiting, want.UnsentLate = 0, 1
		}
		if n := s.l.accounts.Ledger.Window; n != want {
			t.Errorf("%s: %+v, want %+v", name, n, want)
		}
	}
}

// A loop that gets a CPU only now and then is never away for long, but six replies that each lay there for a tenth of the timeout
// kept those behind them for more than half of it. Six that the server sent so late did not.
func TestWhoKeptARequestWithManyShortAbsences(t *testing.T) {
	for _, away := range []bool{true, false} {
		s := newStream(t, 1, 64)
		for range 8 {
			s.ask()
		}
		for range 6 {
			tenth := int64(s.l.cfg.Timeout) / 10
			s.l.watch.now = Monotonic() + tenth
			if away {
				s.l.watch.late = tenth
			}
			s.feed(s.sent())
		}
		s.l.watch.late = 0
		s.expire(-1)
		s.balance()
		want := Counts{Planned: 8, Sent: 7, Answered: 6, TimedOut: 2, UnsentWaiting: 1}
		if away {
			want.UnsentWaiting, want.UnsentLate = 0, 1
		}
		if n := Planned(s.l.accounts.Ledger.Window); n != want {
			t.Errorf("away %v: %+v, want %+v", away, n, want)
		}
	}
}

// A request whose time is over before the loop comes to it is not sent, and that is the loop's doing.
func TestAPlanThatComesTooLate(t *testing.T) {
	cfg := Plain(netip.MustParseAddrPort("127.0.0.1:1"))
	cfg.Connections, cfg.Active = 1, 1
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	pair(t, l)
	l.ready(Monotonic(), func(Interval) {})
	a := l.phase.(*arrivals)
	for _, behind := range []int64{int64(cfg.Timeout), int64(cfg.Timeout) - 1} {
		l.looked = l.at + behind
		a.plan(l.at)
	}
	l.abandon(l.at + int64(cfg.Timeout))
	l.accounts.Ledger.Finish()
	if n := l.accounts.Ledger.Window; n != (Counts{Planned: 2, Sent: 1, TimedOut: 2, UnsentLate: 1}) {
		t.Errorf("%+v", n)
	}
}

// A reply that is read before anybody has looked for timeouts is late all the same, never a latency beyond the timeout.
func TestReplyAtTheTimeout(t *testing.T) {
	for early, want := range []Counts{{Planned: 1, Sent: 1, TimedOut: 1}, {Planned: 1, Sent: 1, Answered: 1}} {
		s := newStream(t, 1, 64)
		s.ask()
		s.l.watch.now += int64(s.l.cfg.Timeout) - int64(early)
		s.feed(s.sent())
		s.balance()
		if s.l.accounts.Ledger.Window != want || s.l.accounts.Integrity != (Integrity{Late: want.TimedOut}) {
			t.Errorf("%+v, %+v", s.l.accounts.Ledger.Window, s.l.accounts.Integrity)
		}
	}
}

// A reply may come in any two pieces, right or wrong in either.
func TestRepliesInPieces(t *testing.T) {
	s := newStream(t, 1, 64)
	answered, wrong := int64(0), int64(0)
	for cut := range 64 {
		for _, bit := range []int{-1, 0, 8 * cut, 511} {
			s.ask()
			reply := s.sent()
			if bit >= 0 {
				reply[bit/8] ^= 1 << (bit % 8)
				wrong++
			} else {
				answered++
			}
			s.feed(reply[:cut])
			s.feed(reply[cut:])
			if n := s.l.accounts.Ledger.Service.Count(); n != answered || s.l.accounts.Integrity.Corrupt != wrong {
				t.Fatalf("cut at %d, bit %d: %d answered, %+v", cut, bit, n, s.l.accounts.Integrity)
			}
		}
	}
	s.balance()
	if n := s.l.accounts.Ledger.Window; n.Answered != answered || n.Mismatched != wrong {
		t.Errorf("%+v", n)
	}
}

// Nobody can echo what was not yet sent: such a reply is corrupt even if every byte is right, and its connection is lost.
func TestEarlyReplies(t *testing.T) {
	for _, bit := range []byte{0, 1} {
		s := newStream(t, 1, 1<<20)
		s.ask()
		if !s.c.stuck || s.c.unsent == 0 {
			t.Fatal("a socket took a whole MiB that nobody reads")
		}
		reply := wire.NewBuffer(1<<20, s.l.cfg.Seed)
		r := &s.l.requests.all[s.c.wire.head]
		wire.Rewrite(reply, s.l.header(r), r.sum)
		reply[1000] ^= bit
		s.feed(reply)
		if s.c.state != closed || s.l.accounts.Integrity != (Integrity{Corrupt: 1}) || len(s.l.strange) != 0 {
			t.Errorf("state %d, %+v, %d remembered", s.c.state, s.l.accounts.Integrity, len(s.l.strange))
		}
		s.balance()
	}
}

// Whatever comes, in whatever pieces, and whenever a request is asked, times out or its connection ends: the accounts balance.
func FuzzReplies(f *testing.F) {
	f.Add(uint8(1), uint8(32), []byte{0, 1, 255, 0, 1, 10, 1, 255, 2, 64})
	f.Add(uint8(4), uint8(0), []byte{0, 0, 0, 0, 0, 1, 100, 3, 7, 1, 255, 4, 3, 90, 1, 255})
	f.Add(uint8(2), uint8(1), []byte{0, 0, 5, 0, 1, 255, 0, 4, 2, 33, 5, 0, 3, 31, 1, 255})
	f.Add(uint8(3), uint8(200), []byte{0, 3, 255, 0, 1, 31, 4, 1, 2, 1, 6, 9, 0, 1, 255})
	f.Fuzz(func(t *testing.T, pipeline, more uint8, deeds []byte) {
		s := newStream(t, max(1, int(pipeline)%8), wire.HeaderBytes+int(more))
		var pending, history []byte
		for len(deeds) > 0 {
			what, n := deeds[0]%7, 0
			if deeds = deeds[1:]; what != 0 && len(deeds) > 0 {
				n, deeds = int(deeds[0]), deeds[1:]
			}
			switch what {
			case 0:
				s.ask()
			case 1: // some of the true echo
				k := min(n, len(pending))
				s.feed(pending[:k])
				pending = pending[k:]
			case 2: // something else
				k := min(n, len(deeds))
				s.feed(deeds[:k])
				deeds = deeds[k:]
			case 3: // some of what was sent before
				s.feed(history[max(0, len(history)-n):])
			case 4: // one bit is lost
				if len(pending) > 0 {
					pending[n%len(pending)] ^= 1 << (n % 8)
				}
			case 5: // a timeout passes for the older ones
				s.expire(n)
			case 6:
				s.end(n)
				pending = nil
			}
			fresh := s.sent()
			pending, history = append(pending, fresh...), append(history, fresh...)
		}
		s.balance()
	})
}

// A stream is a loop with one connection, to an end that the test holds.
type stream struct {
	t        *testing.T
	l        *Loop
	c        *connection
	peer     int32
	asked    int64
	fed      int64
	interval []Interval
}

func newStream(t *testing.T, pipeline, size int) *stream {
	t.Helper()
	cfg := Plain(netip.MustParseAddrPort("127.0.0.1:1"))
	cfg.Connections, cfg.Active, cfg.Rate, cfg.Pipeline, cfg.PayloadBytes = 1, 1, 0, pipeline, size
	cfg.Requests = math.MaxInt64
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	s := &stream{t: t, l: l, c: &l.connections[0], peer: pair(t, l)}
	l.begin(&held{l})
	l.accounts.Ledger = NewLedger(&cfg, l.watch.now, func(i Interval) { s.interval = append(s.interval, i) })
	l.accounts.Ledger.Quota(&cfg)
	return s
}

// ask plans a request, a nanosecond after the last.
func (s *stream) ask() {
	s.asked++
	s.l.watch.now++
	slot := s.l.accounts.Ledger.Plan(s.l.watch.now)
	switch {
	case s.c.state != established:
		s.l.accounts.Ledger.Settle(slot, Failed)
	case !s.l.submit(0, wire.Load, s.l.watch.now, slot):
		s.l.accounts.Ledger.Settle(slot, Dropped)
	}
}

// sent is what the loop has written since the last call.
func (s *stream) sent() []byte {
	buffer := make([]byte, 1<<16)
	n, errno := readSome(s.peer, buffer)
	if errno != 0 {
		return nil
	}
	return buffer[:n]
}

// answer lets what was sent come back, but the loop does not read it.
func (s *stream) answer() {
	b := s.sent()
	s.fed += int64(len(b))
	if n, errno := writeSome(s.peer, b); errno != 0 || n != len(b) {
		s.t.Fatal(n, errno)
	}
}

func (s *stream) feed(b []byte) {
	if s.c.fd < 0 {
		return
	}
	s.fed += int64(len(b))
	s.l.consume(0, s.c, b)
}

// expire lets the timeout pass for all but the newest n.
func (s *stream) expire(n int) { s.l.expire(s.l.watch.now + int64(s.l.cfg.Timeout) - int64(n)) }

// end loses the connection, or ends it in peace and gives it another.
func (s *stream) end(n int) {
	if s.c.fd < 0 {
		return
	}
	s.l.lose(0, errs.Read, errs.PeerClosed, 0)
	if n%2 == 0 {
		s.peer = pair(s.t, s.l)
		s.l.accounts.Open++
	}
}

func (s *stream) balance() {
	l := s.l
	l.abandon(l.watch.now)
	l.accounts.Ledger.Finish()
	n := l.accounts.Ledger.Window
	g := l.accounts.Integrity
	wrong := g.Corrupt + g.Duplicated + g.Reordered + g.Crossed + g.Foreign
	switch size := int64(l.cfg.PayloadBytes); {
	case n.Planned != s.asked || n.Settled() != s.asked || len(s.interval) != 1:
		s.t.Errorf("%d asked, %+v, %d intervals", s.asked, n, len(s.interval))
	case s.interval[0].Response.Count() != n.Answered || l.accounts.Ledger.Service.Count() != n.Answered || n.Sent > n.Planned:
		s.t.Errorf("%d latencies of %+v", s.interval[0].Response.Count(), n)
	case (n.Answered+g.Late)*size+l.accounts.Surplus > s.fed || l.accounts.Surplus < 0:
		s.t.Errorf("%d bytes gave %+v, %d late, surplus %d", s.fed, n, g.Late, l.accounts.Surplus)
	case wrong+g.Truncated < n.Mismatched || g.Truncated+g.Incomplete > s.fed:
		s.t.Errorf("%+v of %+v, surplus %d", g, n, l.accounts.Surplus)
	case len(l.strange) > 1 || (len(l.strange) == 1) != (s.c.wrong || s.c.stray):
		s.t.Errorf("%d readers, wrong %v, stray %v", len(l.strange), s.c.wrong, s.c.stray)
	case l.requests.oldest != nothing:
		s.t.Error("a request is left unsettled")
	}
}
