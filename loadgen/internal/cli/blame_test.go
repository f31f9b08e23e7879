package cli

import (
	"net"
	"strings"
	"testing"
	"time"
)

// What a server does is the server's, in words that name it, and a result wherever the figures stand.
func TestBlame(t *testing.T) {
	t.Parallel()
	slow := after(1, func([]byte) bool { time.Sleep(100 * time.Millisecond); return true })
	silent := func(c net.Conn) { after(3, func([]byte) bool { swallow(c); return false })(c) }
	for name, c := range map[string]struct {
		attend  func(net.Conn)
		load    string
		exit    int
		says    string
		saysNot string
	}{
		"closes after 5": {after(6, func([]byte) bool { return false }), "-c 40 -r 400 -d 1", 3, "the server closed 40 of 40 connections.", "never sent, for"},
		"mute":           {mute, "-c 40 -r 200 -d 1", 0, "the server answered none of them: ", "closed 4"},
		"stops":          {silent, "-c 5 -r 50 -d 3", 0, "the server stopped answering: from second ", "closed 5"},
		// One server, one rate, one truth, whatever the connections.
		"slow on few":  {slow, "-c 4 -r 400 -d 1", 0, " waited behind earlier ones until their time was over", "stopped"},
		"slow on many": {slow, "-c 40 -r 4000 -d 1", 0, " waited behind earlier ones until their time was over", "stopped"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := serve(t, c.attend).String()
			args := append([]string{"--target", target, "--warmup", "0", "--timeout", "500ms", "-q", "--arrival", "fixed"}, strings.Fields(c.load)...)
			code, stdout, _ := say(args, nil)
			if _, verdict, _ := strings.Cut(stdout, "verdict "); code != c.exit || !strings.Contains(verdict, c.says) || strings.Contains(verdict, c.saysNot) {
				t.Errorf("exit %d: %s", code, stdout)
			}
		})
	}
}
