package goroutine

import "c10k/loadgen/internal/engine"

var _ engine.Engine = (*Routines)(nil)

// Run implements engine.Engine.
func (e *Routines) Run(at int64, emit func(engine.Interval)) (engine.Done, error) {
	if err := engine.InTime(at, e.clock.Now()); err != nil {
		return engine.Done{}, err
	}
	settled := make(chan engine.Interval, 16)
	work := e.work(e, at, func(i engine.Interval) { settled <- i })
	go func() {
		defer close(settled)
		e.load(work)
	}()
	for i := range settled {
		emit(i)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	d := e.accounts.Done(e.loopLag, e.maxGap)
	work.over(&d)
	return d, nil
}

// load offers a workload and returns when every request is settled.
func (e *Routines) load(work workload) {
	e.enter(work)
	work.run()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.accounts.Ledger.Finish()
	e.abandon()
}
