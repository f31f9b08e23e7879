package engines

import (
	"testing"
	"time"

	. "c10k/loadgen/internal/engine/enginetest"
)

// What waited behind a busy connection or lost it was kept by the server, whatever the number of connections.
func TestTheServersDoing(t *testing.T) {
	type server struct {
		s       Script
		connect int
		rate    float64
	}
	slow := func(_, record int) Deed {
		if record > 0 {
			time.Sleep(200 * time.Millisecond)
		}
		return Echo
	}
	eachOf(t, map[string]server{
		"mute after arming": {AfterFirst(Ignore), 20, 500},
		"dead":              {AfterFirst(CloseIt), 20, 500},
		"closes after 5": {func(_, record int) Deed {
			if record > 5 {
				return CloseIt
			}
			return Echo
		}, 20, 500},
		"slow on few":  {slow, 5, 300},
		"slow on many": {slow, 200, 4000},
	}, func(t *testing.T, kind string, c server) {
		cfg := Plain(Serve(t, 64, c.s))
		cfg.Connections, cfg.Active, cfg.Rate, cfg.Timeout = c.connect, c.connect, c.rate, time.Second
		d := trial(t, cfg, kind).Done
		if n := d.Load; n.UnsentWaiting == 0 || n.UnsentLate*100 > n.Planned {
			t.Errorf("%+v", n)
		}
	})
}
