// Package processes spreads one share of a load over several processes, because a process may hold only so many descriptors and
// one epoll loop uses one processor. To its caller it is an engine like any other; its accounts are the exact sum of theirs.
package processes

import (
	"math"
	"sync"

	"c10k/loadgen/internal/budget"
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/selfreport"
)

// Command is the subcommand of this program that is one process of a group.
const Command = "process"

// A Group is an engine made of processes.
type Group struct {
	children []*child
	atOnce   int // processes that arm or prove
	mu       sync.Mutex
	ended    bool
	// Used is what the processes used during Run.
	Used selfreport.Usage
}

var _ engine.Engine = (*Group)(nil)

// New starts n processes, each with its part of cfg, an engine of that kind, and one of the cpus if there are any. It must be
// called on the locked thread that will call the other methods.
func New(cfg engine.Config, kind string, n int, cpus []int) (*Group, error) {
	g := &Group{atOnce: abreast(&cfg, n, len(selfreport.CPUs(cpus)))}
	for i, part := range Split(cfg, n) {
		part.AtOnce, part.ConnectRate = g.atOnce, part.ConnectRate*float64(n)/float64(g.atOnce)
		first := order{Name: "new", Config: part, Engine: kind}
		if len(cpus) > 0 { // one of them each, in turn
			first.CPUs = cpus[i%len(cpus):][:1]
		}
		c, err := spawn(first)
		if c != nil {
			c.connections = int64(part.Connections)
			g.children = append(g.children, c)
		}
		if err != nil {
			g.Close()
			return nil, err
		}
	}
	if err := g.hear(n, nil, func(reply) {}); err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

// abreast is how many processes arm and prove at once. More of them than keep the processors busy would only wait for one another,
// and wake for one connection at a time; but a burst is one of all.
func abreast(cfg *engine.Config, n, cpus int) int {
	if cfg.ConnectRate == 0 {
		return n
	}
	return min(n, abreastPerCPU*max(1, cpus))
}

// abreastPerCPU is two, so that one goes on while the last connections of another are waited for.
const abreastPerCPU = 2

// Arm implements engine.Engine.
func (g *Group) Arm(total int, until int64) (engine.Armed, error) {
	n := len(g.children)
	sum := engine.Armed{Failed: map[string]int64{}}
	err := g.hear(g.atOnce, func(i int) order { return order{Name: "arm", Total: portion(total, i, n), At: until} },
		func(r reply) { addArmed(&sum, &r.Armed) })
	return sum, err
}

// Prove implements engine.Engine.
func (g *Group) Prove(until int64) engine.Proved {
	var sum engine.Proved
	// A process that is gone proves nothing, which the sum says.
	_ = g.hear(g.atOnce, func(int) order { return order{Name: "prove", At: until} }, func(r reply) {
		sum.Verified += r.Proved.Verified
		sum.Failed += r.Proved.Failed
	})
	return sum
}

// Run implements engine.Engine. An interval is emitted when every process has settled it.
func (g *Group) Run(at int64, emit func(engine.Interval)) (engine.Done, error) {
	intervals := newMerger(len(g.children), emit)
	var dones []engine.Done
	g.Used = selfreport.Usage{}
	err := g.hear(len(g.children), func(int) order { return order{Name: "run", At: at} }, func(r reply) {
		if r.Interval != nil {
			intervals.add(*r.Interval)
		} else if r.Done != nil {
			dones = append(dones, *r.Done)
			g.Used = g.Used.Add(r.Used)
		}
	})
	if err != nil {
		return engine.Done{}, err
	}
	intervals.flush()
	return sumDone(dones), nil
}

// Stop implements engine.Engine.
func (g *Group) Stop() {
	for i := range g.children {
		g.tell(i, order{Name: "stop"})
	}
}

// Close implements engine.Engine: the processes close their connections and end, and are reaped.
func (g *Group) Close() {
	g.mu.Lock()
	g.ended = true
	for _, c := range g.children {
		c.done.Store(0)
		_ = c.input.Close()
	}
	g.mu.Unlock()
	for _, c := range g.children {
		_ = c.command.Wait() // however it ended, what it said was heard
		c.done.Store(c.connections)
	}
}

// Progress implements engine.Engine: what the processes said last, each second; of Close, the connections of those that have
// ended.
func (g *Group) Progress() int64 {
	sum := int64(0)
	for _, c := range g.children {
		sum += c.done.Load()
	}
	return sum
}

// PIDs are the numbers of its processes.
func (g *Group) PIDs() []int {
	var pids []int
	for _, c := range g.children {
		pids = append(pids, c.command.Process.Pid)
	}
	return pids
}

// tell gives process i an order. One that is gone is missed when it should answer.
func (g *Group) tell(i int, o order) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.ended {
		_ = g.children[i].orders.Encode(o)
	}
}

// hear gives every process its order, if there is one, to so many at once, and hands the replies to take, one at a time, up to the
// last of each. If one fails, all are told to stop, and heard out. If one proved nothing, all others are asked at once: each may wait
// for a whole timeout, which is to pass once and not in every turn.
func (g *Group) hear(atOnce int, of func(i int) order, take func(reply)) error {
	type heard struct {
		reply
		err error
	}
	all := make(chan heard)
	turns := make(chan int, len(g.children))
	for i, c := range g.children {
		c.done.Store(0)
		turns <- i
	}
	close(turns)
	work := func() {
		for i := range turns {
			c := g.children[i]
			if of != nil {
				g.tell(i, of(i))
			}
			for more := true; more; {
				r, err := c.hear()
				more = err == nil && r.Interval != nil
				all <- heard{r, err}
				c.done.Store(int64(r.Armed.Verified + r.Proved.Verified + r.Proved.Failed)) // more than it said last
			}
		}
	}
	for range atOnce {
		go work()
	}
	var failure error
	for left := len(g.children); left > 0; {
		m := <-all
		if m.err == nil {
			take(m.reply)
		} else if failure == nil {
			failure = m.err
			g.Stop()
		}
		if m.err != nil || m.Interval == nil {
			left--
		}
		if m.Proved.Failed > 0 && m.Proved.Verified == 0 {
			for range len(turns) {
				go work()
			}
		}
	}
	return failure
}

// ratePerProcess is what one process offers with ease on one processor, in requests/s.
const ratePerProcess = 25_000

// Count is how many processes a share is spread over: `asked` of them, or as many as its descriptors need and its work is
// worth, given the descriptors that one process may have and the processors that all may use.
func Count(cfg engine.Config, asked int, descriptors uint64, cpus int) int {
	if asked > 0 {
		return max(1, min(asked, cfg.Connections))
	}
	each := max(1, int(min(descriptors, math.MaxInt32))-budget.Spare)
	work := cpus
	if cfg.Traits().Paced {
		work = min(cpus, int(math.Ceil(cfg.Rate/ratePerProcess)))
	}
	return max(1, min(max((cfg.Connections+each-1)/each, work), cfg.Connections))
}

// Split divides a share into n with nothing lost: connections in runs without gaps, active ones by connections, and what they
// are asked by active ones. Only the first process has fewer than n parts' worth of a remainder's luck: remainders go to the
// earlier.
func Split(cfg engine.Config, n int) []engine.Config {
	parts := make([]engine.Config, n)
	first := 0
	for i := range parts {
		c := cfg
		c.Connections = portion(cfg.Connections, i, n)
		c.Active = portion(cfg.Active, i, n)
		c.FirstConnection = cfg.FirstConnection + uint32(first)
		first += c.Connections
		c.Rate, c.ConnectRate = 0, cfg.ConnectRate*float64(c.Connections)/float64(max(1, cfg.Connections))
		if cfg.Active > 0 {
			c.Rate = cfg.Rate * float64(c.Active) / float64(cfg.Active)
		}
		// A fixed law of the whole has its arrivals a gap apart; each part has every n-th of them.
		c.Phase = (cfg.Phase + float64(i)) / float64(n)
		if cfg.Requests >= 0 {
			c.Requests = int64(portion(int(cfg.Requests), i, n))
		}
		parts[i] = c
	}
	return parts
}

// portion is part i of total in n parts that differ by one at most, the larger first.
func portion(total, i, n int) int {
	part := total / n
	if i < total%n {
		part++
	}
	return part
}
