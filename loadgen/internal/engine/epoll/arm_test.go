package epoll

import (
	"net"
	"net/netip"
	"testing"
	"time"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
	"c10k/loadgen/internal/errs"

	"golang.org/x/sys/unix"
)

// A later call goes on where the earlier one ended, and what it says is of all.
func TestArmInSteps(t *testing.T) {
	t.Parallel()
	cfg := Plain(Serve(t, 64, func(connection, _ int) Deed {
		if connection >= 12 {
			return CloseIt
		}
		return Echo
	}))
	cfg.Workload, cfg.ConnectRate = Ramp, 100
	l := start(t, cfg)
	for _, step := range []struct{ total, verified int }{{5, 5}, {5, 5}, {3, 5}, {12, 12}, {20, 12}, {99, 12}} {
		begun, before := time.Now(), l.dialled
		a, err := l.Arm(step.total)
		failed := a.Failed["verify/peer-closed"] + a.Failed["verify/reset"]
		if err != nil || a.Verified != step.verified || a.Connected != min(20, max(5, step.total)) || a.Connected-a.Verified != int(failed) {
			t.Errorf("up to %d: %+v, %v", step.total, a, err)
		}
		// Each step is paced from its own start, 10 ms between two connects.
		if took := time.Since(begun); took < time.Duration(l.dialled-before-1)*10*time.Millisecond || took > 2*time.Second {
			t.Errorf("up to %d: %v", step.total, took)
		}
		if p := l.Prove(); p != (Proved{Verified: step.verified, Failed: 0}) {
			t.Errorf("up to %d: proved %+v", step.total, p)
		}
	}
	if d := load(t, l).Done; d.Load.Answered != 300 || d.Load.Failed != 200 || d.Armed != 12 || d.Lost != 0 {
		t.Errorf("%+v", d)
	}
}

// A server that is not there yet is asked again; who stood in the end has not failed.
func TestArmTriesAgain(t *testing.T) {
	t.Parallel()
	first, err := net.Listen("tcp", "127.0.0.3:0")
	if err != nil {
		t.Fatal(err)
	}
	address := first.Addr().String()
	_ = first.Close()
	cfg := Plain(netip.MustParseAddrPort(address))
	cfg.Workload = Calibrate
	l := start(t, cfg)
	time.AfterFunc(50*time.Millisecond, func() {
		if second, err := net.Listen("tcp", address); err == nil {
			AttendAll(t, second, (*RawConn).Swallow)
		}
	})
	a := arm(t, l)
	if a.Connected != 20 || len(a.Failed) != 0 || a.Retries < 20 || a.Retries > 60 {
		t.Errorf("armed %+v", a)
	}
	// The connect times are those of the handshakes that succeeded, without the rest before.
	if l.accounts.Connect.Count() != 20 || Quantile(t, l.accounts.Connect, 0) >= FirstBackoff {
		t.Errorf("%d connects, the fastest %v", l.accounts.Connect.Count(), time.Duration(Quantile(t, l.accounts.Connect, 0)))
	}
	if d := load(t, l).Done; len(d.Errors) != 0 {
		t.Errorf("%+v", d.Errors)
	}
}

func TestArmTriesAgainThreeTimes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		arm     time.Duration // they are due after 100, 300 and 700 ms at the earliest
		retries int64
	}{"long enough": {Patience, 60}, "for two": {690 * time.Millisecond, 40}, "for none": {95 * time.Millisecond, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Plain(netip.MustParseAddrPort("127.0.0.1:1"))
			cfg.ArmTimeout = c.arm
			l := start(t, cfg)
			begun := time.Now()
			a := arm(t, l)
			if a.Connected != 0 || a.Failed["connect/refused"] != 20 || len(a.Failed) != 1 || a.Retries != c.retries {
				t.Errorf("armed %+v", a)
			}
			if took := time.Since(begun); took > c.arm+500*time.Millisecond {
				t.Errorf("took %v", took)
			}
			if rows := l.accounts.Errors.Rows(); len(rows) != 1 || rows[0].Count != 20 {
				t.Errorf("%+v", rows)
			}
		})
	}
}

// What this host lacks is not asked of it again.
func TestOurOwnFaultsAreNotRetried(t *testing.T) {
	l := start(t, Plain(netip.MustParseAddrPort("127.0.0.1:1")))
	c := &l.connections[0]
	a := &arming{held: held{l}, deadline: Monotonic() + 10*1e9}
	for errno, again := range map[unix.Errno]bool{unix.ECONNREFUSED: true, unix.ECONNRESET: true, unix.ETIMEDOUT: true, 0: false,
		unix.EMFILE: false, unix.EADDRNOTAVAIL: false, unix.ENOMEM: false, unix.ENETUNREACH: false, unix.EACCES: false} {
		c.state, c.retries = connecting, 0
		l.shaking = 1
		cause := errs.CauseOf(errno)
		if errno == 0 {
			cause = errs.Timeout // ours, at the end of arming
		}
		if got := a.retry(0, cause, errno); got != again {
			t.Errorf("%v is tried again: %v", errno, got)
		}
	}
}
