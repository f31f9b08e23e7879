package load

import (
	"testing"
	"time"

	"c10k/loadgen/internal/contracts"
	"c10k/loadgen/internal/engine"
)

func TestAShareMayBeFractionalOrNothing(t *testing.T) {
	rate := 0.25
	l := contracts.Load{Workload: "open", Connections: 4, Active: 4, Rate: 0.5, ConnectRate: &rate, Timeout: 0.1, Hostile: &contracts.Hostile{Kind: "mute"}}
	s := Of(&l, engine.Config{Run: 7}, engine.Epoll)
	if c := s.Config; c.Run != 7 || c.Rate != 0.5 || c.DialDue(0, 3) != 12e9 || c.Requests != -1 || c.Timeout != 100*time.Millisecond || s.Hostile != nil {
		t.Errorf("%+v", s)
	}
	rate = 0 // no burst
	if s := Of(&l, engine.Config{}, engine.Epoll); s.Config.DialDue(0, 3) != 3e9 {
		t.Errorf("%+v", s)
	}
	l.ConnectRate = nil
	if s := Of(&l, engine.Config{}, engine.Epoll); s.Config.DialDue(0, 3) != 0 {
		t.Errorf("%+v", s)
	}
}
