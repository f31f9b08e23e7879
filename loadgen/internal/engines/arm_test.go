package engines

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
)

// A later call goes on where the earlier one ended, and what it says is of all.
func TestArmInSteps(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		cfg := Plain(Serve(t, 64, func(connection, _ int) Deed {
			if connection >= 12 {
				return CloseIt
			}
			return Echo
		}))
		cfg.Workload, cfg.ConnectRate = Ramp, 100
		e := start(t, cfg, kind)
		connected := 0
		for _, step := range []struct{ total, verified int }{{5, 5}, {5, 5}, {3, 5}, {12, 12}, {20, 12}, {99, 12}} {
			begun, before := time.Now(), connected
			a, err := e.Arm(step.total, cfg.ArmEnd())
			failed := a.Failed["verify/peer-closed"] + a.Failed["verify/reset"]
			connected = min(20, max(5, step.total))
			if err != nil || a.Verified != step.verified || a.Connected != connected || connected-a.Verified != int(failed) || a.Retries != 0 {
				t.Errorf("up to %d: %+v, %v", step.total, a, err)
			}
			// Each step is paced from its own start, 10 ms between two connects.
			if took := time.Since(begun); took < time.Duration(connected-before-1)*10*time.Millisecond || took > Patience {
				t.Errorf("up to %d: %v", step.total, took)
			}
			if p := e.Prove(cfg.ArmEnd()); p != (Proved{Verified: step.verified, Failed: 0}) {
				t.Errorf("up to %d: proved %+v", step.total, p)
			}
		}
		if d := Load(t, e).Done; d.Load.Answered != 300 || d.Load.Failed != 200 || d.Armed != 12 || d.Lost != 0 {
			t.Errorf("%+v", d)
		}
	})
}

// A server that has gone silent costs one timeout, however many connections there are: no more than fly at once are asked.
func TestProveLeavesTheMute(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		var asked atomic.Int64
		cfg := Plain(Serve(t, 64, func(_, record int) Deed {
			if record > 0 {
				asked.Add(1)
				return Ignore
			}
			return Echo
		}))
		cfg.Connections, cfg.Active, cfg.Timeout, cfg.ArmTimeout = 3*ProvesAtOnce, 1, 300*time.Millisecond, Patience
		e, _ := armed(t, cfg, kind)
		if p := e.Prove(cfg.ArmEnd()); p != (Proved{Verified: 0, Failed: 3 * ProvesAtOnce}) || asked.Load() > ProvesAtOnce {
			t.Errorf("proved %+v with %d asked", p, asked.Load())
		}
	})
}

func TestProveCountsTheSilent(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		cfg := Plain(Serve(t, 64, func(connection, record int) Deed {
			if record > 0 && connection%4 == 0 {
				return Ignore
			}
			return Echo
		}))
		e, _ := armed(t, cfg, kind)
		if p := e.Prove(cfg.ArmEnd()); p != (Proved{Verified: 15, Failed: 5}) {
			t.Errorf("proved %+v", p)
		}
	})
}

func TestArmingFails(t *testing.T) {
	type failure struct {
		target  netip.AddrPort
		key     string
		retries int64 // fewer where the time ends them and the machine is busy
		change  func(*Config)
		wrong   Integrity
	}
	within := func(d time.Duration) func(*Config) { return func(c *Config) { c.ArmTimeout = d } }
	good, refusing := Serve(t, 64, Always(Echo)), netip.MustParseAddrPort("127.0.0.1:1")
	eachOf(t, map[string]failure{
		// They are tried again after 100, 300 and 700 ms at the earliest.
		"refused":   {refusing, "connect/refused", 60, within(Patience), Integrity{}},
		"for two":   {refusing, "connect/refused", 40, within(690 * time.Millisecond), Integrity{}},
		"for none":  {refusing, "connect/refused", 0, within(95 * time.Millisecond), Integrity{}},
		"corrupted": {Serve(t, 64, Always(Corrupt)), "verify/mismatched", 0, within(Patience), Integrity{Corrupt: 20}},
		"foreign":   {Serve(t, 64, Always(Foreign)), "verify/mismatched", 0, within(Patience), Integrity{Foreign: 20}},
		"silent":    {Serve(t, 64, Always(Ignore)), "verify/timeout", 0, within(2 * time.Second), Integrity{}},
		"too slow": {good, "connect/timeout", 0, func(c *Config) { c.ArmTimeout, c.ConnectRate = 200*time.Millisecond, 0.001 },
			Integrity{}},
		"no source": {good, "connect/source", 0, func(c *Config) { c.Sources = []netip.Addr{netip.MustParseAddr("192.0.2.1")} },
			Integrity{}},
	}, func(t *testing.T, kind string, c failure) {
		cfg := Plain(c.target)
		cfg.Rate = 0
		c.change(&cfg)
		begun := time.Now()
		e, a := armed(t, cfg, kind)
		if took := time.Since(begun); took > cfg.ArmTimeout+Patience {
			t.Errorf("took %v", took)
		}
		if int64(a.Verified)+a.Failed[c.key] != 20 || a.Failed[c.key] < 19 || len(a.Failed) != 1 ||
			a.Retries > c.retries || a.Retries < c.retries && cfg.ArmTimeout >= Patience {
			t.Errorf("armed %+v", a)
		}
		if p := e.Prove(cfg.ArmEnd()); p.Verified != a.Verified || p.Failed != 0 {
			t.Errorf("proved %+v", p)
		}
		d := Load(t, e).Done
		if d.Integrity != c.wrong || len(d.Errors) > 1 || len(d.Errors) == 1 && d.Errors[0].Count != a.Failed[c.key] {
			t.Errorf("%+v, %+v", d.Integrity, d.Errors)
		}
	})
}

// A server that is not there yet is asked again; who stood in the end has not failed.
func TestArmTriesAgain(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		// Where no other test takes the port meanwhile.
		first, err := net.Listen("tcp", map[string]string{Epoll: "127.0.0.3:0", Goroutine: "127.0.0.4:0"}[kind])
		if err != nil {
			t.Fatal(err)
		}
		address := first.Addr().String()
		_ = first.Close()
		cfg := Plain(netip.MustParseAddrPort(address))
		e := start(t, cfg, kind)
		time.AfterFunc(250*time.Millisecond, func() { // between the first retry and the third
			if second, err := net.Listen("tcp", address); err == nil {
				Attend(t, second, Scripted(64, Always(Echo)))
			}
		})
		a, err := e.Arm(cfg.Connections, cfg.ArmEnd())
		if err != nil || a.Verified != 20 || len(a.Failed) != 0 || a.Retries < 20 || a.Retries > 60 {
			t.Errorf("armed %+v, %v", a, err)
		}
		// The connect times are those of the handshakes that succeeded, without the rest before.
		d := Load(t, e).Done
		if n, fastest := d.Connect.Count(), d.Connect.Quantile(0); n != 20 || fastest >= FirstBackoff || len(d.Errors) != 0 {
			t.Errorf("%d connects, the fastest %v, %+v", n, time.Duration(fastest), d.Errors)
		}
	})
}
