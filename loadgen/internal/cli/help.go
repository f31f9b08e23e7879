package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const helpHead = `loadgen run offers TCP load to an echo server, checks every byte that comes back, and reports what the server's users would have felt.

  loadgen run --target 127.0.0.1:9000 -c 10k -r 10k -d 10s              10,000 connections held, 10,000 requests/s over them
  loadgen run --target 127.0.0.1:9000 -w closed -c 100                  how fast can it answer 100 who never wait?
  loadgen run --target 127.0.0.1:9000 -c 1k -r 1k --hostile slow_read:50 --json     who suffers when 50 clients read slowly?

The load is an open loop: requests become due by a clock, whether or not earlier ones have been answered, as they do where people who
know nothing of each other ask. A tool that waits for each answer before it asks again goes quiet just while the server is stuck, and so
leaves out the worst of what it came to measure (coordinated omission); here each latency counts from when the request was due.

Workloads (--workload)
  open        --rate requests/s over the held connections
  closed      every connection asks again as soon as it is answered (after --think-time): throughput, not latency
  churn       connect, one echo, close, again and again, on --connections at a time
  newcomers   the same at a --rate of its own, whatever the server does: so many new connections come each second
  ramp        the connections are opened in --steps, each step verified; then as open
  calibrate   sends as fast as it can to a server that swallows what it gets: this generator's own ceiling
`

const helpTail = `
Numbers take k, M, G (1000s) and Ki, Mi, Gi (1024s). A time is 10s, 1m30s or 250ms; a bare number is seconds.
The server must answer every byte with the same byte. Load goes only to loopback or to an address written as one: no name may lead elsewhere.
Ctrl-C ends the load and still reports; a second one ends at once.

Exit codes
  0    every connection was armed and stayed, and every reply was right; how many came in time is the result
  1    this program failed
  2    refused, before any load: the command line, the budget (descriptors, ports, memory) or the target
  3    the figures cannot stand: wrong replies, connections not armed or lost, no request due, or more than 1 % of them never sent
       because this program was late
  130  interrupted
`

// Help writes all that `loadgen run --help` teaches.
func Help(w io.Writer) {
	var b strings.Builder
	b.WriteString(helpHead)
	for _, g := range newOptions().groups(nil) {
		fmt.Fprintf(&b, "\n%s\n", g.title)
		for _, opt := range g.options {
			left := dashed(opt.name)
			if opt.also != "" {
				left += ", " + dashed(opt.also)
			}
			if opt.value != "" {
				left += " " + opt.value
			}
			standard := ""
			if opt.standard != "" {
				standard = " [" + opt.standard + "]"
			}
			fits := ""
			if opt.fits != nil && len(opt.fits) < 3 {
				fits = " (" + strings.Join(opt.fits, ", ") + ")"
			}
			fmt.Fprintf(&b, "  %s%s %s%s%s\n", left, strings.Repeat(" ", max(0, 24-utf8.RuneCountInString(left))), opt.meaning, fits, standard)
		}
	}
	b.WriteString(helpTail)
	_, _ = io.WriteString(w, b.String())
}
