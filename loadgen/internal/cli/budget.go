package cli

import (
	"fmt"
	"io"

	"c10k/loadgen/internal/budget"
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/errs"
	"c10k/loadgen/internal/hlog"
	"c10k/loadgen/internal/load"
)

// share is the whole load, as this host carries it out.
func (o *options) share(run uint32) load.Share {
	share := load.Of(&o.Load, engine.Config{Run: run, Targets: o.targets, Sources: o.sources}, o.engine)
	share.Processes, share.CPUs = o.processes, o.cpus
	return share
}

// budget weighs what the run needs against what this host has. The error says what is lacking and what mends it.
func (o *options) budget(have budget.Limits) (*budget.Report, error) {
	share := o.share(0)
	need := share.Need(have)
	weighed := budget.Weigh(need, have)
	err := budget.Check(need, have)
	if err == nil {
		err = budget.CheckSources(need.Sources)
	}
	return &weighed, err
}

// log begins the file of --hlog; nil: none was asked for.
func (o *options) log() (*hlog.Log, error) {
	if o.hlog == "" {
		return nil, nil
	}
	log, err := hlog.Create(o.hlog, "loadgen run")
	if err != nil {
		return nil, errs.New(errs.Spec, "hlog", fmt.Sprintf("The log of --hlog cannot be written: %v.", err), "Name a file that you may write.")
	}
	return log, nil
}

// writeBudget prints plan and budget for people.
func writeBudget(b *budget.Report, portRange string, w io.Writer, load, manner string) error {
	p := &page{}
	p.line("plan", "%s", load)
	p.line("", "%s", manner)
	if b != nil {
		row := func(title string, a budget.Amount, text func(int64) string, note string) {
			enough := "enough"
			if a.Need > a.Have {
				enough = "TOO FEW"
			}
			p.line("  "+title, "%12s%12s  %-8s%s", text(a.Need), text(a.Have), enough, note)
		}
		p.line("budget", "%12s%12s", "need", "have")
		row("descriptors", b.Descriptors, grouped, "of one process")
		row("ports", b.Ports, grouped, "from one source address to one target ("+portRange+")")
		row("memory", b.Memory, size, "of the kernel and the generator, about")
		p.line("  processes", "%12d", b.Processes)
	}
	p.line("", "Nothing was sent: this was a dry run.")
	_, err := io.WriteString(w, p.b.String())
	return err
}
