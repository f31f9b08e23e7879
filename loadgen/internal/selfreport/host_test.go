package selfreport

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestStolen(t *testing.T) {
	stat := "cpu  1 2 3 4 5 6 7 80 0 0\ncpu0 1 2 3 4 5 6 7 30 0 0\ncpu12 1 2 3 4 5 6 7 50 0 0\nintr 5\ncpu3 1 2\ncpux 1 2 3 4 5 6 7 8 9\n"
	if got := stolen(stat); !maps.Equal(got, map[int]int64{0: 30, 12: 50}) {
		t.Errorf("%v", got)
	}
}

func TestCounters(t *testing.T) {
	text := "Tcp: RetransSegs OutRsts\nTcp: 7 9\nTcpExt: ListenDrops\nTcpExt: 3\nUdp: A B\nUdp: 1\n"
	want := map[string]int64{"Tcp.RetransSegs": 7, "Tcp.OutRsts": 9, "TcpExt.ListenDrops": 3}
	if got := counters(text); !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestThrottled(t *testing.T) {
	const v1, v2 = "nr_periods 9\nthrottled_time 7\n", "usage_usec 5\nthrottled_usec 7\n"
	for _, test := range []struct {
		own, path, stat string
		want            int64 // -1: not known
	}{
		{"0::/a/b\n", "a/b/cpu.stat", v2, 7000},
		{"0::/a/b\n", "a/cpu.stat", v2, 7000},
		{"0::/\n", "cpu.stat", v2, 7000},
		{"0::/../..\n", "cpu.stat", v2, 7000},
		{"0::/a:b\n", "a:b/cpu.stat", v2, 7000},
		{"0::/a\n", "unified/a/cpu.stat", v2, 7000},
		{"3:cpuset:/\n4:cpu,cpuacct:/a\n0::/\n", "cpu,cpuacct/a/cpu.stat", v1, 7},
		{"4:cpuacct,cpu:/a\n", "cpu/cpu.stat", v1, 7},
		{"4:cpuset:/a\n", "cpuset/a/cpu.stat", v1, -1},
		{"0::/a\n", "a/cpu.stat", "usage_usec 5\n", -1},
		{"0::/a\n", "a/cpu.stat", "throttled_usec x\n", -1},
		{"nonsense\n", "cpu.stat", v2, -1},
		{"", "cpu.stat", v2, -1},
	} {
		mount := t.TempDir()
		stat, own := filepath.Join(mount, test.path), filepath.Join(mount, "own")
		if err := os.MkdirAll(filepath.Dir(stat), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{stat: test.stat, own: test.own} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got := int64(-1)
		if found := throttled(own, mount); found != nil {
			got = *found
		}
		if got != test.want {
			t.Errorf("%q with %s: %d ns instead of %d", test.own, test.path, got, test.want)
		}
	}
}

func TestWhatWasMetSince(t *testing.T) {
	five, nine := int64(5), int64(9)
	before := Surroundings{map[int]int64{0: 10, 1: 5}, map[string]int64{"Tcp.RetransSegs": 7, "Tcp.OutRsts": 5, "Tcp.ActiveOpens": 1}, &five}
	after := Surroundings{map[int]int64{0: 12, 1: 9}, map[string]int64{"Tcp.RetransSegs": 7, "Tcp.OutRsts": 9, "Tcp.ActiveOpens": 8, "TcpExt.ListenDrops": 2}, &nine}
	met := after.Since(before, []int{0})
	if met.Steal != 20_000_000 || *met.Throttled != 4 || !maps.Equal(met.Kernel, map[string]int64{"Tcp.OutRsts": 4, "TcpExt.ListenDrops": 2}) {
		t.Errorf("%+v", met)
	}
	if met := after.Since(Surroundings{}, nil); met.Throttled != nil {
		t.Errorf("%v of a kernel that did not say", *met.Throttled)
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
