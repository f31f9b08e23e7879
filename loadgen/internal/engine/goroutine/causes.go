package goroutine

import (
	"context"
	"errors"
	"io"
	"net"
	"os"

	"c10k/loadgen/internal/errs"

	"golang.org/x/sys/unix"
)

// errMismatched is a whole reply that was not the one expected.
var errMismatched = errors.New("the reply is not the record")

// causeOf names what an error of package net means.
func causeOf(err error) (errs.Cause, unix.Errno) {
	var errno unix.Errno
	var call *os.SyscallError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errs.PeerClosed, 0
	case errors.Is(err, errMismatched):
		return errs.Mismatched, 0
	case timeIsUp(err):
		return errs.Timeout, 0
	case errors.As(err, &call) && call.Syscall == "bind" && errors.As(err, &errno):
		return errs.Source, errno
	case errors.As(err, &errno):
		return errs.CauseOf(errno), errno
	}
	return errs.Other, 0
}

// timeIsUp tells whether this side gave up.
func timeIsUp(err error) bool {
	var errno unix.Errno
	var failure net.Error
	return !errors.As(err, &errno) && (errors.Is(err, context.Canceled) || errors.As(err, &failure) && failure.Timeout())
}
