package archbuild

import (
	"errors"
	"fmt"
	"slices"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
)

// The words of --emulation.
const (
	emulationAllow    = "allow"
	emulationFallback = "fallback"
	emulationNever    = "never"
)

// mayEmulate says why a job cannot be built in a worse way than natively.
func (c *roster) mayEmulate(p platform.Platform, tried trial, at place, lost *lostNative) error {
	switch {
	case tried.err != nil:
		return tried.err
	case tried.job.How != plan.Emulated:
		return nil
	case c.Emulation == emulationNever:
		return &EmulationError{Platform: p, Node: at.name}
	case lost != nil && c.Emulation != emulationFallback:
		return &LostNativeError{Platform: p, Node: lost.name, Err: lost.err, Other: at.name}
	}
	return nil
}

// lostNative is a node that would have run a platform itself.
type lostNative struct {
	name string
	err  error
}

// nativeNode finds the node that was declared, or last seen, to run a platform itself.
// Where it still answers it is asked for because it was lost since.
func (c *roster) nativeNode(p platform.Platform) *lostNative {
	for _, gone := range c.away {
		if slices.ContainsFunc(gone.native, p.Serves) {
			return &lostNative{gone.spec.Name, gone.err}
		}
	}
	for i, at := range c.list {
		if !at.native(p) {
			continue
		}
		if c.lost != nil && c.lost()[i] != nil {
			return &lostNative{at.name, c.lost()[i]}
		}
		return &lostNative{at.name, errLostSince}
	}
	return nil
}

var errLostSince = errors.New("it was lost while it built")

// EmulationError says that a platform would have to be emulated, which may not be.
type EmulationError struct {
	Platform platform.Platform
	Node     string
}

func (e *EmulationError) Error() string {
	return fmt.Sprintf("%s would be emulated on node %s, and --emulation is never", e.Platform, e.Node)
}

// Hint names a native node.
func (e *EmulationError) Hint() string {
	return fmt.Sprintf("name a node that runs it: --node ADDRESS,platform=%s; or leave --emulation out", e.Platform)
}

// LostNativeError says that the node which runs a platform itself is not there, and that
// nobody has said that an emulator may take its place.
type LostNativeError struct {
	Platform platform.Platform
	Node     string
	Err      error
	// Other could emulate it.
	Other string
}

func (e *LostNativeError) Error() string {
	if silent := new(SilentNodeError); errors.As(e.Err, &silent) {
		return fmt.Sprintf("%s: %v", e.Platform, silent)
	}
	if errors.Is(e.Err, errLostSince) {
		return fmt.Sprintf("%s: its node %s was lost while it built, and no other runs it natively", e.Platform, e.Node)
	}
	return fmt.Sprintf("%s: its node %s is lost: %s", e.Platform, e.Node, firstLine(e.Err))
}

// Unwrap gives what the node said.
func (e *LostNativeError) Unwrap() error { return e.Err }

// Hint names the flag that has it emulated.
func (e *LostNativeError) Hint() string {
	return fmt.Sprintf("start node %s again, or have %s emulated on node %s: --emulation fallback", e.Node, e.Platform, e.Other)
}
