package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"c10k/loadgen/internal/budget"
)

// kernelPerConnection is what a socket takes of the kernel in bytes, about.
const kernelPerConnection = 4096

// A budgetReport is what the run needs and what this host has.
type budgetReport struct {
	Descriptors amount `json:"descriptors"` // of one process
	Ports       amount `json:"ports"`       // from one source to one target
	Memory      amount `json:"memory_bytes"`
	Processes   int    `json:"processes"`

	portRange string
}

type amount struct {
	Need int64 `json:"need"`
	Have int64 `json:"have"`
}

// budget compares the two. The error says what is lacking and what mends it.
func (o *options) budget() (*budgetReport, error) {
	limits, err := budget.Read()
	if err != nil {
		return nil, err
	}
	all := o.connections + o.crowd.connections
	pairs := max(1, len(o.sources)) * len(o.targets)
	b := &budgetReport{
		Descriptors: amount{int64(all) + budget.Spare, int64(limits.Descriptors)},
		Ports:       amount{int64((all + pairs - 1) / pairs), int64(limits.Ports)},
		Memory:      amount{int64(all) * (kernelPerConnection + 2*int64(min(o.payload, 65536))), availableMemory()},
		Processes:   max(1, o.processes), portRange: limits.Range,
	}
	return b, budget.Check(budget.Need{Connections: all, Sources: texts(o.sources), Targets: texts(o.targets)}, limits)
}

// availableMemory in bytes; 0 where the kernel does not say.
func availableMemory() int64 {
	text, _ := os.ReadFile("/proc/meminfo")
	_, rest, _ := strings.Cut(string(text), "MemAvailable:")
	var kilobytes int64
	_, _ = fmt.Sscan(rest, &kilobytes)
	return kilobytes * 1024
}

// write prints plan and budget for people.
func (b *budgetReport) write(w io.Writer, load, manner string) error {
	p := &page{}
	p.line("plan", "%s", load)
	p.line("", "%s", manner)
	if b != nil {
		row := func(title string, a amount, text func(int64) string, note string) {
			enough := "enough"
			if a.Need > a.Have {
				enough = "TOO FEW"
			}
			p.line("  "+title, "%12s%12s  %-8s%s", text(a.Need), text(a.Have), enough, note)
		}
		p.line("budget", "%12s%12s", "need", "have")
		row("descriptors", b.Descriptors, grouped, "of one process")
		row("ports", b.Ports, grouped, "from one source address to one target ("+b.portRange+")")
		row("memory", b.Memory, size, "of the kernel and the generator, about")
		p.line("  processes", "%12d", b.Processes)
	}
	p.line("", "Nothing was sent: this was a dry run.")
	_, err := io.WriteString(w, p.b.String())
	return err
}
