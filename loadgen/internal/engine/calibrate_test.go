package engine

import (
	"testing"
	"time"
)

func TestCalibration(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		attend func(*rawConn)
		size   int
		check  func(*Done) bool
	}{
		"null server":  {(*rawConn).swallow, 64, func(d *Done) bool { return d.Ceiling.Sends > 1000 && d.Open == 20 }},
		"long records": {(*rawConn).swallow, 1 << 20, func(d *Done) bool { return d.Ceiling.Sends > 20 && d.Open == 20 }},
		// All sockets fill, then the loop sleeps.
		"reads nothing": {(*rawConn).waitForEnd, 100_000, func(d *Done) bool {
			return d.Ceiling.Sends > 20 && d.Ceiling.CPU < d.Ceiling.Wall/2 && d.Open == 20
		}},
		"echoes": {func(c *rawConn) { _, _ = c.Write(make([]byte, 1000)); c.swallow() }, 64, func(d *Done) bool { return d.Ceiling.Sends > 1000 && d.Open == 20 }},
		"closes": {func(c *rawConn) {
			_, _ = c.Read(make([]byte, 1000))
		}, 64, func(d *Done) bool { return d.Open == 0 && d.Lost == 20 && len(d.Errors) > 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(serveRaw(t, c.attend))
			cfg.Workload, cfg.PayloadBytes = Calibrate, c.size
			l := start(t, cfg)
			if a := arm(t, l); a.Connected != 20 || a.Verified != 0 || len(a.Failed) != 0 {
				t.Fatalf("armed %+v", a)
			}
			r := load(t, l)
			d := r.done
			if d.Load != (Counts{}) || d.Warmup != (Counts{}) || len(r.intervals) != 0 || d.Surplus != 0 || d.Integrity != (Integrity{}) || d.Armed != 20 {
				t.Errorf("%+v, %d intervals", d, len(r.intervals))
			}
			if w := time.Duration(d.Ceiling.Wall); w < time.Second || w > 2*time.Second || d.Ceiling.CPU <= 0 || d.Ceiling.CPU > d.Ceiling.Wall+1e8 {
				t.Errorf("%+v", *d.Ceiling)
			}
			if !c.check(&d) {
				t.Errorf("%+v, %+v", *d.Ceiling, d)
			}
		})
	}
}

func TestCalibrationStops(t *testing.T) {
	cfg := config(serveRaw(t, (*rawConn).waitForEnd))
	cfg.Workload, cfg.Duration = Calibrate, 30
	l := start(t, cfg)
	arm(t, l)
	time.AfterFunc(800*time.Millisecond, l.Stop)
	if d := load(t, l).done; d.Ceiling.Wall > int64(patience) {
		t.Errorf("%+v", *d.Ceiling)
	}
}
