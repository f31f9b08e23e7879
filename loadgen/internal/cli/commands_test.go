package cli

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A block is one command line of testdata/commands.txt and what it must answer.
type block struct {
	line  int
	args  []string
	exit  int
	wants []want
}

type want struct {
	stream  string // out or err
	absent  bool
	pattern string
}

// readBlocks reads the table, with the words that stand for this test's servers replaced.
func readBlocks(t *testing.T, words *strings.Replacer) []block {
	t.Helper()
	table, err := os.ReadFile("testdata/commands.txt")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	for n, line := range strings.Split(string(table), "\n") {
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		stream, absent := strings.CutPrefix(verb, "!")
		exit, noCode := strconv.Atoi(verb)
		switch {
		case noCode == nil && strings.HasPrefix(rest, "$ run"):
			blocks = append(blocks, block{n + 1, strings.Fields(words.Replace(rest))[2:], exit, nil})
		case stream == "out" || stream == "err":
			b := &blocks[len(blocks)-1]
			b.wants = append(b.wants, want{stream, absent, words.Replace(rest)})
		case verb != "" && verb != "#":
			t.Fatalf("line %d: %q is neither a command nor what it must answer", n+1, line)
		}
	}
	return blocks
}

func testResolver(_ context.Context, host string) ([]netip.Addr, error) {
	loopback, far := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.7")
	switch host {
	case "near.test":
		return []netip.Addr{netip.IPv6Loopback(), loopback}, nil
	case "far.test":
		return []netip.Addr{far}, nil
	case "mixed.test":
		return []netip.Addr{loopback, far}, nil
	}
	return nil, errors.New("no such host")
}

// say runs one command line.
func say(args []string, signals chan os.Signal) (code int, stdout, stderr string) {
	var out, err strings.Builder
	code = Run(args, World{Stdout: &out, Stderr: &err, Signals: signals, resolve: testResolver})
	return code, out.String(), err.String()
}

func TestCommandLines(t *testing.T) {
	good := serve(t, echo)
	words := strings.NewReplacer("ECHOPORT", strconv.Itoa(int(good.Port())), "ECHO", good.String(), "WRONG", serve(t, alter).String(),
		"LEAVES", serve(t, leave).String(), "MUTE", serve(t, mute).String(), "BANNER", serve(t, banner).String(), "SWALLOWS", serve(t, swallow).String(), "DEAD", dead(t).String(), "DIR", t.TempDir())
	blocks := readBlocks(t, words)
	if len(blocks) < 50 {
		t.Fatalf("only %d command lines were read", len(blocks))
	}
	type answer struct {
		code           int
		stdout, stderr string
	}
	answers := make([]chan answer, len(blocks))
	room := make(chan struct{}, 12)
	for i, b := range blocks { // several at once: most of them mostly wait
		answers[i] = make(chan answer, 1)
		go func() {
			room <- struct{}{}
			defer func() { <-room }()
			code, stdout, stderr := say(b.args, nil)
			answers[i] <- answer{code, stdout, stderr}
		}()
	}
	for i, b := range blocks {
		t.Run(strconv.Itoa(b.line), func(t *testing.T) {
			a := <-answers[i]
			code, stdout, stderr := a.code, a.stdout, a.stderr
			failed := code != b.exit
			if failed {
				t.Errorf("exit %d, want %d", code, b.exit)
			}
			for _, w := range b.wants {
				text := map[string]string{"out": stdout, "err": stderr}[w.stream]
				if regexp.MustCompile(w.pattern).MatchString(text) == w.absent {
					t.Errorf("%s: %q: absent should be %v", w.stream, w.pattern, w.absent)
					failed = true
				}
			}
			if failed {
				t.Logf("loadgen run %s\n--- out\n%s--- err\n%s", strings.Join(b.args, " "), stdout, stderr)
			}
		})
	}
}
