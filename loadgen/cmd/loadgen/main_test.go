package main

import (
	"strings"
	"testing"
)

func TestCommandLines(t *testing.T) {
	for _, c := range []struct {
		args       string
		code       int
		says, errs string
	}{
		{"version", 0, "loadgen ", ""},
		{"help", 0, "Usage:", ""},
		{"--help", 0, "Usage:", ""},
		{"help run", 0, "coordinated omission", ""},
		{"run --help", 0, "--target HOST:PORT", ""},
		{"run", 2, "", "Say --target"},
		{"run --target 127.0.0.1:9 --dry-run", 0, "Nothing was sent", ""},
		{"agent --help", 0, "Usage:", ""},
		{"", 2, "", "Usage:"},
		{"fly", 2, "", `no command "fly"`},
		{"agent", 2, "", "needs --spec"},
		{"agent --speck {}", 2, "", "not defined: -speck"},
		{"agent --spec {} more", 2, "", `no argument "more"`},
		{"agent --spec {}", 2, `"phase":"spec"`, "version must be 2"},
		{"agent --spec {", 2, `"phase":"spec"`, "not a JSON object"},
	} {
		var stdout, stderr strings.Builder
		code := run(strings.Fields(c.args), strings.NewReader(""), &stdout, &stderr)
		if code != c.code || !strings.Contains(stdout.String(), c.says) || !strings.Contains(stderr.String(), c.errs) {
			t.Errorf("loadgen %s: exit %d\n%s%s", c.args, code, stdout.String(), stderr.String())
		}
	}
}
