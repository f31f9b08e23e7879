package epoll

import (
	"net"
	"testing"
	"time"

	. "c10k/loadgen/internal/engine"
	. "c10k/loadgen/internal/engine/enginetest"
)

func TestCalibration(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		attend func(*net.TCPConn, int)
		size   int
		check  func(*Done) bool
	}{
		"null server":  {Swallow, 64, func(d *Done) bool { return d.Ceiling.Sends > 1000 && d.Open == 20 }},
		"long records": {Swallow, 1 << 20, func(d *Done) bool { return d.Ceiling.Sends > 20 && d.Open == 20 }},
		// All sockets fill, then the loop sleeps until its end: no interval divides that time.
		"reads nothing": {nil, 100_000, func(d *Done) bool {
			return d.Ceiling.Sends > 20 && d.Ceiling.CPU < d.Ceiling.Wall/8 && d.Open == 20
		}},
		"echoes": {func(c *net.TCPConn, _ int) { _, _ = c.Write(make([]byte, 1000)); Swallow(c, 0) }, 64, func(d *Done) bool { return d.Ceiling.Sends > 1000 && d.Open == 20 }},
		"closes": {func(c *net.TCPConn, _ int) {
			_, _ = c.Read(make([]byte, 1000))
		}, 64, func(d *Done) bool { return d.Open == 0 && d.Lost == 20 && len(d.Errors) > 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			duration := 1
			if c.attend == nil {
				c.attend, duration = Hold(t), 4
			}
			cfg := Plain(Listen(t, c.attend))
			cfg.Workload, cfg.PayloadBytes, cfg.Duration = Calibrate, c.size, duration
			l := start(t, cfg)
			if a := arm(t, l); a.Connected != 20 || a.Verified != 0 || len(a.Failed) != 0 {
				t.Fatalf("armed %+v", a)
			}
			r := load(t, l)
			d := r.Done
			if d.Load != (Counts{}) || d.Warmup != (Counts{}) || len(r.Intervals) != 0 || d.Surplus != 0 || d.Integrity != (Integrity{}) || d.Armed != 20 {
				t.Errorf("%+v, %d intervals", d, len(r.Intervals))
			}
			if w := time.Duration(d.Ceiling.Wall); w < time.Second || w > Patience || d.Ceiling.CPU <= 0 || d.Ceiling.CPU > d.Ceiling.Wall+1e8 {
				t.Errorf("%+v", *d.Ceiling)
			}
			if !c.check(&d) {
				t.Errorf("%+v, %+v", *d.Ceiling, d)
			}
		})
	}
}

func TestCalibrationStops(t *testing.T) {
	cfg := Plain(Listen(t, Hold(t)))
	cfg.Workload, cfg.Duration = Calibrate, 30
	l := start(t, cfg)
	arm(t, l)
	time.AfterFunc(800*time.Millisecond, l.Stop)
	if d := load(t, l).Done; d.Ceiling.Wall > int64(Patience) {
		t.Errorf("%+v", *d.Ceiling)
	}
}
