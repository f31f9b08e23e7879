package engine

import (
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSlab(t *testing.T) {
	s := newSlab(3)
	a, b, c := s.take(), s.take(), s.take()
	if s.take() != nothing {
		t.Fatal("four requests of three")
	}
	s.unlink(b)
	if s.oldest != a || s.newest != c || s.requests[a].newer != c || s.requests[c].older != a {
		t.Errorf("after the middle one: %+v", s)
	}
	s.unlink(a)
	s.unlink(c)
	if s.oldest != nothing || s.newest != nothing {
		t.Errorf("after all: %+v", s)
	}
	s.release(b)
	if s.take() != b || s.take() != nothing {
		t.Error("what was given back is not given again")
	}
}

// The unsettled are always in the order of taking, whichever are settled.
func TestSlabKeepsOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	s := newSlab(50)
	var model []int32
	for range 10_000 {
		if random.IntN(2) == 0 {
			if i := s.take(); i != nothing {
				model = append(model, i)
			} else if len(model) != 50 {
				t.Fatalf("full with %d", len(model))
			}
		} else if len(model) > 0 {
			k := random.IntN(len(model))
			s.unlink(model[k])
			s.release(model[k])
			model = append(model[:k], model[k+1:]...)
		}
		i := s.oldest
		for _, want := range model {
			if i != want {
				t.Fatalf("order is lost: %d, want %d", i, want)
			}
			i = s.requests[i].newer
		}
		if i != nothing {
			t.Fatal("more unsettled than taken")
		}
	}
}

func TestLedgerWaitsForTheLast(t *testing.T) {
	var seen []int
	g := newLedger(1000, 1, 3, 2, func(i Interval) { seen = append(seen, i.K); i.Recycle() })
	slow := g.plan(1000)
	g.plan(1000 + second/2)
	g.settle(slow, answered) // the other one is still out
	next := g.plan(1000 + 2*second)
	if g.settle(next, failed); len(seen) != 1 || seen[0] != 1 {
		t.Fatalf("written %v, want the empty interval 1 only", seen)
	}
	g.advance(1000 + 10*second)
	g.settle(slow, timedOut)
	if len(seen) != 3 || g.before != (Counts{Planned: 2, Answered: 1, TimedOut: 1}) || g.window != (Counts{Planned: 1, Failed: 1}) {
		t.Errorf("written %v, %+v, %+v", seen, g.before, g.window)
	}
}

func TestClockIsTheKernels(t *testing.T) {
	c := NewClock()
	before := Monotonic()
	now := c.Now()
	after := Monotonic()
	if now < before-20_000 || now > after+20_000 {
		t.Errorf("%d is not between %d and %d", now, before, after)
	}
}

func TestWaiterKeepsTime(t *testing.T) {
	ep, err := unix.EpollCreate1(0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(ep) }()
	events := make([]unix.EpollEvent, 1)
	for _, coarse := range []bool{false, true} {
		w := waiter{ep: ep, coarse: coarse}
		for _, wait := range []time.Duration{-1, 0, 100 * time.Microsecond, 3 * time.Millisecond} {
			begun := time.Now()
			for {
				n, errno := w.wait(events, int64(wait))
				if errno == unix.EINTR { // the runtime wanted the thread
					continue
				}
				if n != 0 || errno != 0 {
					t.Fatalf("%d events, %v", n, errno)
				}
				break
			}
			took := time.Since(begun)
			if took > wait+50*time.Millisecond || (!coarse && took < wait) {
				t.Errorf("coarse %v: waited %v instead of %v", coarse, took, wait)
			}
		}
	}
}

// The path of a request neither allocates: planning, sending, checking, settling.
func TestRequestPathDoesNotAllocate(t *testing.T) {
	cfg := config(serve(t, 64, always(ignore)))
	cfg.Connections, cfg.Active = 1, 1
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(pair[1]) }()
	l := start(t, cfg)
	c := &l.connections[0]
	c.fd, c.state = int32(pair[0]), established
	at := l.clock.Now()
	l.ledger = newLedger(at, 0, 1000, 2, func(i Interval) { i.Recycle() })
	a := &arrivals{l: l, at: at, end: at + 1000*second}
	buffer := make([]byte, 64)
	l.now = l.clock.Now()
	n := testing.AllocsPerRun(500, func() {
		a.plan(l.now)
		if _, errno := readSome(int32(pair[1]), buffer); errno != 0 {
			t.Fatal(errno)
		}
		if _, errno := writeSome(int32(pair[1]), buffer); errno != 0 {
			t.Fatal(errno)
		}
		l.now = l.clock.Now()
		l.receive(0, c, false)
		l.expire(l.now)
		l.ledger.advance(l.now)
	})
	if n != 0 {
		t.Errorf("%v allocations a request", n)
	}
	if counts := l.ledger.slots[l.ledger.growing].counts; counts.Answered < 500 || counts.Answered != counts.Planned {
		t.Errorf("%+v", counts)
	}
}
