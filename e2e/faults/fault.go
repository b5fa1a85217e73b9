//go:build linux && amd64

package faults

import "golang.org/x/sys/unix"

// Fault is what happens at the chosen call.
type Fault string

// The faults.
const (
	// NoSpace fails a call that needs room, and all such calls after it: a full
	// disk stays full. Removing files works.
	NoSpace Fault = "no space"
	// IOError fails one call; the next ones work.
	IOError Fault = "I/O error"
	// ShortWrite has the kernel write half of what was to be written. The disk
	// is full from then on.
	ShortWrite Fault = "short write"
	// KillBefore and KillAfter end the program by SIGKILL, before the call is
	// made or when it is done.
	KillBefore Fault = "kill before"
	KillAfter  Fault = "kill after"
)

// All are the faults, in the order of tables.
var All = []Fault{NoSpace, IOError, ShortWrite, KillBefore, KillAfter}

// hits says whether a fault can happen at a call; only such calls are counted.
func (f Fault) hits(c Call) bool {
	switch f {
	case NoSpace:
		return c.room
	case ShortWrite:
		return c.length > 1
	}
	return true
}

// fails is the error that the call is to give instead of being made, or 0.
func (f Fault) fails() unix.Errno {
	switch f {
	case NoSpace:
		return unix.ENOSPC
	case IOError:
		return unix.EIO
	}
	return 0
}
