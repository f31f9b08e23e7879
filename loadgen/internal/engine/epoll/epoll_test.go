package epoll

import (
	"runtime"
	"testing"
	"time"
	"unsafe"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
)

func TestMain(m *testing.M) { Main(m) }

func start(t *testing.T, cfg Config) *Loop {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func arm(t *testing.T, l *Loop) Armed {
	t.Helper()
	a, err := l.Arm(l.cfg.Connections, l.cfg.ArmEnd())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// load offers a load and checks what must hold whatever happened.
func load(t *testing.T, l *Loop) *Trial {
	t.Helper()
	r := Load(t, l)
	nothingLeft(t, l)
	return r
}

func nothingLeft(t *testing.T, l *Loop) {
	t.Helper()
	if l.requests.oldest != nothing {
		t.Error("a request is left unsettled")
	}
	strange := 0
	for i := range l.connections {
		if c := &l.connections[i]; c.wrong || c.stray {
			strange++
		}
	}
	if strange != len(l.strange) {
		t.Errorf("%d wrong replies are begun, %d remembered", strange, len(l.strange))
	}
}

func TestConservation(t *testing.T) { Conserve(t, start, nothingLeft) }

// connectOnly connects without a verified echo, for servers that give none.
func connectOnly(t *testing.T, l *Loop) *connection {
	t.Helper()
	l.traits.Verifies = false
	if a := arm(t, l); a.Connected != l.cfg.Connections || a.Verified != 0 {
		t.Fatalf("armed %+v", a)
	}
	return &l.connections[0]
}

func TestStateIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(connection{}); size > 64 {
		t.Errorf("a connection takes %d bytes", size)
	}
	if size := unsafe.Sizeof(request{}); size > 64 {
		t.Errorf("a request takes %d bytes", size)
	}
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	cfg := Plain(Serve(t, 64, AfterFirst(Ignore)))
	cfg.Timeout = time.Second
	l := start(t, cfg)
	arm(t, l)
	l.requests.all = l.requests.all[:100]
	r := load(t, l)
	if d := r.Done.Load; d.Dropped == 0 || d.TimedOut == 0 || d.Dropped+d.TimedOut != 500 {
		t.Errorf("%+v", d)
	}
}
