package epoll

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"

	"golang.org/x/sys/unix"
)

func TestSlab(t *testing.T) {
	s := newSlab(3)
	a, b, c := s.take(), s.take(), s.take()
	if s.take() != nothing {
		t.Fatal("four requests of three")
	}
	s.unlink(b)
	if s.oldest != a || s.newest != c || s.all[a].newer != c || s.all[c].older != a {
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
			i = s.all[i].newer
		}
		if i != nothing {
			t.Fatal("more unsettled than taken")
		}
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
		w := watch{ep: ep, coarse: coarse}
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
			if took > Patience || (!coarse && took < wait) {
				t.Errorf("coarse %v: waited %v instead of %v", coarse, took, wait)
			}
		}
	}
}

// oneRequest readies a loop whose only connection leads to the test, and returns the whole path of a request on it: planning,
// sending, checking, settling.
func oneRequest(t testing.TB) (l *Loop, path func()) {
	t.Helper()
	cfg := Plain(netip.MustParseAddrPort("127.0.0.1:1"))
	cfg.Connections, cfg.Active, cfg.Duration = 1, 1, 1000
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	end, c := pair(t, l), &l.connections[0]
	l.ready(Monotonic(), func(i Interval) { i.Recycle() })
	a := l.phase.(*arrivals)
	buffer := make([]byte, 64)
	return l, func() {
		a.plan(l.watch.now)
		if _, errno := readSome(end, buffer); errno != 0 {
			t.Fatal(errno)
		}
		if _, errno := writeSome(end, buffer); errno != 0 {
			t.Fatal(errno)
		}
		l.watch.now = Monotonic()
		l.receive(0, c, false)
		l.expire(l.watch.now)
		l.accounts.Ledger.Advance(l.watch.now)
	}
}

func TestRequestPathDoesNotAllocate(t *testing.T) {
	l, path := oneRequest(t)
	if n := testing.AllocsPerRun(500, path); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
	l.accounts.Ledger.Finish()
	if counts := l.accounts.Ledger.Window; counts.Answered < 500 || counts.Answered != counts.Planned {
		t.Errorf("%+v", counts)
	}
}

func BenchmarkRequest(b *testing.B) {
	_, path := oneRequest(b)
	for b.Loop() {
		path()
	}
}
