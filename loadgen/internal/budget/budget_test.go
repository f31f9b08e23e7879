package budget

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"c10k/loadgen/internal/errs"
)

func TestCheck(t *testing.T) {
	one := []netip.AddrPort{netip.MustParseAddrPort("198.18.0.10:9000")}
	two := append(one, netip.MustParseAddrPort("198.18.0.10:9001"))
	from := []netip.Addr{netip.MustParseAddr("127.0.0.11"), netip.MustParseAddr("127.0.1.11")}
	limits := func(descriptors uint64, ports int) Limits {
		return Limits{Descriptors: descriptors, Ports: ports, Range: "1-100"}
	}
	for _, c := range []struct {
		name  string
		need  Need
		have  Limits
		cause string // "": enough
		says  []string
	}{
		{"none asked", Need{[]int{0}, 0, nil, one, Records{}}, limits(64, 0), "", nil},
		{"just enough of both", Need{[]int{100}, 0, nil, one, Records{}}, limits(164, 100), "", nil},
		{"one descriptor short", Need{[]int{100}, 0, nil, one, Records{}}, limits(163, 100), "descriptors", []string{"164", "163"}},
		{"hostile ones count in the only process", Need{[]int{100}, 1, nil, one, Records{}}, limits(164, 200), "descriptors", []string{"165", "164"}},
		{"and by themselves beside several", Need{[]int{50, 50}, 100, nil, one, Records{}}, limits(164, 200), "", nil},
		{"too many by themselves", Need{[]int{50, 50}, 101, nil, one, Records{}}, limits(164, 300), "descriptors", []string{"165"}},
		{"one port short", Need{[]int{101}, 0, nil, one, Records{}}, limits(1000, 100), "ports", []string{"101", "100", "198.18.0.10:9000"}},
		{"hostile ones need ports", Need{[]int{100}, 1, nil, one, Records{}}, limits(1000, 100), "ports", []string{"101"}},
		{"two sources", Need{[]int{200}, 0, from, one, Records{}}, limits(1000, 100), "", nil},
		{"two sources, one too many", Need{[]int{201}, 0, from, one, Records{}}, limits(1000, 100), "ports", []string{"101", "from 127.0.0.11 "}},
		{"two sources and two targets", Need{[]int{400}, 0, from, two, Records{}}, limits(1000, 100), "", nil},
		{"each process begins with the first pair", Need{[]int{201, 199}, 0, from, two, Records{}}, limits(1000, 100), "ports", []string{"101"}},
		{"descriptors before ports", Need{[]int{10_000}, 0, nil, one, Records{}}, limits(1, 1), "descriptors", []string{"10064"}},
		{"split", Need{[]int{5_000, 5_000}, 0, nil, one, Records{}}, limits(5064, 10_000), "", nil},
		{"too many processes", Need{make([]int, 1025), 0, nil, one, Records{}}, limits(100, 10_000), "processes", []string{"1025", "1024"}},
		{"memory", Need{[]int{1000}, 0, nil, one, Records{}}, Limits{Descriptors: 2000, Ports: 2000, Memory: 15 << 20}, "memory", []string{"16 MB", "15 MB"}},
		{"records that nobody reads", Need{[]int{100}, 0, nil, one, Records{100, 1 << 20, 0}},
			Limits{Descriptors: 2000, Ports: 2000, Memory: 112 << 20, Send: 4 << 20}, "memory", []string{"112 MB", "100 MB of it for records"}},
		{"as many as a socket holds", Need{[]int{100}, 0, nil, one, Records{100, 64 << 20, 0}},
			Limits{Descriptors: 2000, Ports: 2000, Memory: 413 << 20, Send: 4 << 20, Receive: 6 << 20}, "", nil},
		{"and its peer on this host", Need{[]int{100}, 0, nil, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9000")}, Records{100, 64 << 20, 0}},
			Limits{Descriptors: 2000, Ports: 2000, Memory: 413 << 20, Send: 4 << 20, Receive: 6 << 20}, "memory", []string{"1000 MB of it"}},
		{"what the program holds", Need{[]int{100}, 0, nil, one, Records{100, 64, 200 << 20}},
			Limits{Descriptors: 2000, Ports: 2000, Memory: 200 << 20, Send: 4 << 20}, "memory", nil},
		{"memory enough", Need{[]int{1000}, 0, nil, one, Records{}}, Limits{Descriptors: 2000, Ports: 2000, Memory: 17 << 20}, "", nil},
	} {
		_, err := Check(c.need, c.have)
		var e *errs.Error
		if c.cause == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if !errors.As(err, &e) || e.Phase != errs.Budget || e.Cause != c.cause || e.Remedy == "" {
			t.Errorf("%s: %+v", c.name, err)
			continue
		}
		for _, want := range c.says {
			if !strings.Contains(e.Message, want) {
				t.Errorf("%s: %q does not say %s", c.name, e.Message, want)
			}
		}
	}
}

func TestCountPorts(t *testing.T) {
	for _, c := range []struct {
		ports, reserved string
		want            int // -1: an error
	}{
		{"32768\t60999\n", "\n", 28232},
		{"32768\t60999\n", "", 28232},
		{"100 199", "100", 99},
		{"100 199", "50-149,199,300-400", 49},
		{"100 199", "1-65535", 0},
		{"100", "", -1},
		{"200 100", "", -1},
		{"a b", "", -1},
		{"1 65536", "", -1},
		{"100 199", "x-y", -1},
	} {
		got, err := countPorts(c.ports, c.reserved)
		if (err != nil) != (c.want == -1) || (err == nil && got != c.want) {
			t.Errorf("%q less %q: %d, %v; want %d", c.ports, c.reserved, got, err, c.want)
		}
	}
}

func TestReadThisHost(t *testing.T) {
	limits, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	if limits.Descriptors < 64 || limits.Ports < 1 || !strings.Contains(limits.Range, "-") {
		t.Errorf("%+v", limits)
	}
}

func TestSourcesOfThisHost(t *testing.T) {
	if err := checkSources([]netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.1.0.11")}); err != nil {
		t.Error(err)
	}
	err := checkSources([]netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.1")})
	if e := errs.From(err); err == nil || e.Cause != "sources" || !strings.Contains(e.Message, "192.0.2.1") {
		t.Errorf("%v", err)
	}
}

func TestAvailable(t *testing.T) {
	if got := available("MemTotal: 10 kB\nMemAvailable:    7 kB\n"); got != 7168 {
		t.Errorf("%d", got)
	}
	if got := available(""); got != 0 {
		t.Errorf("%d", got)
	}
}

func FuzzParsers(f *testing.F) {
	f.Add("32768\t60999\n", "40000-40010,50000\n")
	f.Add("MemAvailable: 9223372036854775807 kB", "1-65535")
	f.Fuzz(func(t *testing.T, a, b string) {
		available(a)
		if n, err := countPorts(a, b); err == nil && n > 65536 {
			t.Errorf("%q less %q are %d ports", a, b, n)
		}
	})
}
