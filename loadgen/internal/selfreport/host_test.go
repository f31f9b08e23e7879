package selfreport

import (
	"maps"
	"slices"
	"testing"
)

func TestStolen(t *testing.T) {
	stat := "cpu  1 2 3 4 5 6 7 80 0 0\ncpu0 1 2 3 4 5 6 7 30 0 0\ncpu12 1 2 3 4 5 6 7 50 0 0\nintr 5\ncpu3 1 2\ncpux 1 2 3 4 5 6 7 8 9\n"
	if got := stolen(stat); !maps.Equal(got, map[int]int64{0: 30, 12: 50}) {
		t.Errorf("%v", got)
	}
	before, after := Surroundings{steal: map[int]int64{0: 10, 1: 5}}, Surroundings{steal: map[int]int64{0: 12, 1: 9}}
	if got := after.StealSince(before, []int{0}); got != 20_000_000 {
		t.Errorf("two ticks are %d ns", got)
	}
}

func TestCounters(t *testing.T) {
	text := "Tcp: RetransSegs OutRsts\nTcp: 7 9\nTcpExt: ListenDrops\nTcpExt: 3\nUdp: A B\nUdp: 1\n"
	want := map[string]int64{"Tcp.RetransSegs": 7, "Tcp.OutRsts": 9, "TcpExt.ListenDrops": 3}
	if got := counters(text); !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
	before := Surroundings{kernel: map[string]int64{"Tcp.RetransSegs": 7, "Tcp.OutRsts": 5, "Tcp.ActiveOpens": 1}}
	after := Surroundings{kernel: map[string]int64{"Tcp.RetransSegs": 7, "Tcp.OutRsts": 9, "Tcp.ActiveOpens": 8, "TcpExt.ListenDrops": 2}}
	if got := after.GrownSince(before); !maps.Equal(got, map[string]int64{"Tcp.OutRsts": 4, "TcpExt.ListenDrops": 2}) {
		t.Errorf("%v", got)
	}
}

func TestThisHost(t *testing.T) {
	s := Look()
	if _, ok := s.kernel["Tcp.RetransSegs"]; !ok || len(s.steal) == 0 || len(CPUs(nil)) == 0 {
		t.Errorf("%+v on processors %v", s, CPUs(nil))
	}
	if got := CPUs([]int{3}); !slices.Equal(got, []int{3}) {
		t.Errorf("%v", got)
	}
	if u := Used(); u.MaxRSS < 1<<20 || u.User+u.System <= 0 {
		t.Errorf("%+v", u)
	}
}

func FuzzParsers(f *testing.F) {
	f.Add("cpu0 1 2 3 4 5 6 7 30 0 0\n")
	f.Add("Tcp: A B\nTcp: 1 2\n")
	f.Fuzz(func(_ *testing.T, text string) {
		stolen(text)
		counters(text)
	})
}
