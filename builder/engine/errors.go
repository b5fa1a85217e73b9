package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// MissingRuncError says that no runc was found, or that the one asked for
// cannot be run.
type MissingRuncError struct {
	// Asked is what --runc said, or "".
	Asked string
	Err   error
}

func (e *MissingRuncError) Error() string {
	if e.Asked != "" {
		return fmt.Sprintf("runc %q cannot be run: %v", e.Asked, e.Err)
	}
	return "no runc found beside archbuild or on PATH"
}

// Unwrap gives the cause.
func (e *MissingRuncError) Unwrap() error { return e.Err }

// Hint says how to get a runc.
func (e *MissingRuncError) Hint() string {
	if e.Asked != "" {
		return "give --runc the path of a runc that this user may execute"
	}
	return "apt-get install runc, or put a runc binary beside archbuild"
}

// BusyError says that an engine with other settings is running and that
// somebody is using it.
type BusyError struct {
	// Differs names what differs: "BuildKit version", "configuration", "runc",
	// "set of emulators".
	Differs     []string
	Connections int
	PID         int
	// Stop is the command that ends the engine.
	Stop string
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("the running engine (pid %d) has another %s and %d other client(s) are using it",
		e.PID, strings.Join(e.Differs, " and "), e.Connections)
}

// Hint says how to go on.
func (e *BusyError) Hint() string {
	return "wait for the other builds, use another --state folder, or run: " + e.Stop
}

// StartError says that the engine could not be started.
type StartError struct {
	// Reason is what the engine said, or that it said nothing.
	Reason string
	// Advice is what the engine advises, if it does.
	Advice string
	// Log is the path of engine.log.
	Log string
}

func (e *StartError) Error() string { return "starting the private engine: " + e.Reason }

// Hint says where to look.
func (e *StartError) Hint() string {
	if e.Advice != "" {
		return e.Advice
	}
	return "see " + e.Log
}

// HungError says that an engine lives but does not answer.
type HungError struct {
	PID int
	// Stopped says that a signal has stopped the process.
	Stopped bool
	// Stop is the command that ends it.
	Stop string
	// Err is how that was noticed; nil where the process was seen to be stopped.
	Err error
}

func (e *HungError) Error() string {
	if e.Stopped {
		return fmt.Sprintf("the running engine (pid %d) is stopped by a signal and does not answer", e.PID)
	}
	return fmt.Sprintf("the running engine (pid %d) does not answer", e.PID)
}

// Unwrap gives the cause.
func (e *HungError) Unwrap() error { return e.Err }

// Hint says how to go on.
func (e *HungError) Hint() string {
	if e.Stopped {
		return fmt.Sprintf("let it go on: kill -CONT %d, or end it: %s", e.PID, e.Stop)
	}
	return e.Stop
}

// ForeignDirError says that a folder which must be private is not this user's.
type ForeignDirError struct{ Dir string }

func (e *ForeignDirError) Error() string {
	return e.Dir + " is not a folder of this user"
}

// Hint says what to do.
func (e *ForeignDirError) Hint() string { return "remove it, or give another --state folder" }

// StateError says that the state folder cannot be used by this user.
type StateError struct {
	Dir string
	Err error
}

func (e *StateError) Error() string {
	return fmt.Sprintf("the state folder %s cannot be used: %v", e.Dir, e.Err)
}

// Unwrap gives the cause.
func (e *StateError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *StateError) Hint() string {
	var open *OpenDirError
	if errors.As(e.Err, &open) {
		return open.Hint()
	}
	if errors.Is(e.Err, fs.ErrPermission) {
		return "run archbuild as the user whose folder it is, or give another --state folder"
	}
	return "give another --state folder"
}

// ConfigError says that buildkitd.toml cannot be used.
type ConfigError struct {
	File string
	Err  error
}

func (e *ConfigError) Error() string { return fmt.Sprintf("%s: %v", e.File, e.Err) }

// Unwrap gives the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *ConfigError) Hint() string {
	return "correct the file, or give another one with --engine-config"
}
