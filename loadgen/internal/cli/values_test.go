package cli

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"c10k/loadgen/internal/contracts"
)

func TestNumbers(t *testing.T) {
	for text, want := range map[string]float64{"0": 0, "7": 7, "10k": 10_000, "10K": 10_000, "1.5k": 1500, "2M": 2e6, "1G": 1e9, "1Ki": 1024,
		"64Ki": 65536, "1Mi": 1 << 20, "1e3": 1000, ".5": 0.5, "+3": 3, "1,000": 1000, "10,000,000": 1e7, "1,500.5": 1500.5} {
		if got, err := parseNumber(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "k", "-1", "-0", "1 k", "1kk", "1ki", "kM", "NaN", "nan", "Inf", "-Inf", "infinity", "1e400", "1e308k", "0x1p4",
		"1_000", "1,00", "1,0000", "1000,000", ",100", "١", "1k1", "--1", "1e", "…"} {
		if got, err := parseNumber(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{"10": 10 * time.Second, "10s": 10 * time.Second, "1m30s": 90 * time.Second, "250ms": 250 * time.Millisecond,
		"0.5": 500 * time.Millisecond, "1e1": 10 * time.Second, "0": 0} {
		if got, err := parseDuration(text, 0, time.Hour); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "s", "10x", "-1", "-1s", "NaN", "Inf", "1e300", "1e18", "2h", "0x10", "1_0", "9999999999999h"} {
		if got, err := parseDuration(text, 0, time.Hour); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func TestCPUs(t *testing.T) {
	if got, err := parseCPUs("0-2,6"); err != nil || !slices.Equal(got, []int{0, 1, 2, 6}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "a", "1-", "-1", "2-1", "0,0", "0-3,2", "1024", "0-99999999999"} {
		if got, err := parseCPUs(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func TestDigits(t *testing.T) {
	for want, got := range map[string]string{
		"0": span(0), "1.00 ns": span(1), "999 ns": span(999), "1.00 µs": span(1000), "109 µs": span(109_012), "3.20 ms": span(3_199_999),
		"1.00 s": span(999_600_000), "60.0 s": span(60e9), "10.0 ms": span(9_996_000), "100 ms": span(99_960_000),
		"1,230": three(1234), "0.500": three(0.5), "14,900": three(14918), "1,000,000": grouped(1_000_000), "-1,234": grouped(-1234), "999": grouped(999),
		"2500.5": exact(2500.5), "2,500": exact(2500), "20 B": size(20), "4.00 KiB": size(4096), "1.00 GiB": size(1 << 30), "1 retry": plural(1, "retry"), "2 retries": plural(2, "retry"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzNumber(f *testing.F) {
	for _, seed := range []string{"10k", "1.5k", "64Ki", "1e400", "-1", "NaN", "", "0x1", "1e-400"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if x, err := parseNumber(text); err == nil && (math.IsNaN(x) || math.IsInf(x, 0) || math.Signbit(x)) {
			t.Errorf("%q is %v", text, x)
		}
		if n, err := parseWhole(text, 1, 1e7); err == nil && (n < 1 || n > 1e7) {
			t.Errorf("%q is %d", text, n)
		}
	})
}

func TestAWholeNumberIsNotWrittenWithAPoint(t *testing.T) {
	for text, want := range map[string]string{"10.000": "10 or 10000", "1.000.000": "1 or 1000000"} {
		if got, err := parseWhole(text, 1, 1e7); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"10", "1m30s", "250ms", "1e300", "-1", "NaN", "", "1e9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := parseDuration(text, time.Second, time.Hour); err == nil && (d < time.Second || d > time.Hour) {
			t.Errorf("%q is %v", text, d)
		}
	})
}

func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"127.0.0.1:9000", "[::1]:9000", "near.test:1", "far.test:1", "0.0.0.0:1", "[::ffff:0.0.0.0]:1", "a:0", ":1", "[fe80::1%eth0]:1",
		"255.255.255.255:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, err := parseTarget(text, testResolver)
		if err != nil {
			return
		}
		if a := target.Addr(); !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.Is4In6() || target.Port() == 0 {
			t.Errorf("%q is %v", text, target)
		}
		if !target.Addr().IsLoopback() && !strings.ContainsAny(text[:1], "[0123456789") {
			t.Errorf("the name in %q leads to %v", text, target)
		}
	})
}

func FuzzHostile(f *testing.F) {
	for _, seed := range []string{"none", "storm:5", "storm", ":5", "mute:1e9", "reset:0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := contracts.Named("hostile")
		h, err := parseHostile(p, text)
		if err == nil && (h.Connections < 1 || !slices.Contains(p.Words, h.Kind)) {
			t.Errorf("%q is %+v", text, h)
		}
	})
}
