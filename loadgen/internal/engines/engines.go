// Package engines makes the engine of a kind.
package engines

import (
	"c10k/loadgen/internal/engine"
	"c10k/loadgen/internal/engine/epoll"
	"c10k/loadgen/internal/engine/goroutine"
	"c10k/loadgen/internal/errs"
)

// Make readies an engine of a kind for a share; it opens no connection yet.
func Make(cfg engine.Config, kind string) (engine.Engine, error) {
	switch kind {
	case engine.Epoll:
		return epoll.New(cfg)
	case engine.Goroutine:
		return goroutine.New(cfg)
	}
	return nil, errs.New(errs.Spec, "generator", "There is no engine "+kind+".", "Choose epoll or goroutine.")
}
