package main

import (
	"log"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

const (
	slotBytes        = 64
	limitDescriptors = 2
)

// slot is the process's statistics as server/slots.py reads them. Every goroutine writes here, so every store is atomic.
type slot struct {
	accepted, open, peak, closed, bytesIn, bytesOut, limitCode, pid atomic.Uint64
}

// mapSlot maps the statistics file; without one, the numbers are where nobody reads them.
func mapSlot(path string) *slot {
	if path == "" {
		return &slot{}
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0) // #nosec G304 -- the file that --stats names is the point of it
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	words, err := syscall.Mmap(int(file.Fd()), 0, slotBytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		log.Fatalf("cannot map the statistics: %v", err)
	}
	return (*slot)(unsafe.Pointer(&words[0])) // #nosec G103 -- a mapping of slotBytes, which stays
}

// begin says that the server is ready.
func (s *slot) begin() { s.pid.Store(uint64(os.Getpid())) }

func (s *slot) opened() {
	s.accepted.Add(1)
	held := s.open.Add(1)
	for peak := s.peak.Load(); held > peak && !s.peak.CompareAndSwap(peak, held); {
		peak = s.peak.Load()
	}
}

func (s *slot) ended() {
	s.closed.Add(1)
	s.open.Add(^uint64(0))
}

func (s *slot) refused() {
	s.accepted.Add(1)
	s.closed.Add(1)
	s.limitCode.Store(limitDescriptors)
}
