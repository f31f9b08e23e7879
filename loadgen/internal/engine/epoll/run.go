package epoll

import "c10k/loadgen/internal/engine"

var _ engine.Engine = (*Loop)(nil)

// Run implements engine.Engine.
func (l *Loop) Run(at int64, emit func(engine.Interval)) (engine.Done, error) {
	if err := engine.InTime(at, l.watch.clock.Now()); err != nil {
		return engine.Done{}, err
	}
	work := l.work(l, at, emit)
	l.begin(work)
	for l.watch.clock.Now() < at && !l.stopped.Load() {
		l.poll(at)
	}
	l.watch.punctual()
	work.run()
	l.accounts.Ledger.Finish()
	l.abandon(l.watch.clock.Now())
	d := l.accounts.Done(l.watch.loopLag, l.watch.maxGap)
	work.over(&d)
	return d, nil
}
