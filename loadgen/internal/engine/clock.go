package engine

import _ "unsafe" // for the name of another package's function

// Monotonic is CLOCK_MONOTONIC in ns, read without a system call. The runtime promises to keep its function for those who name
// it so; package time has the same clock from another origin only.
//
//go:linkname Monotonic runtime.nanotime
func Monotonic() int64
