package plan

import (
	"fmt"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// MissingArgError says that a reference needs a build argument that has no value.
type MissingArgError struct {
	File      string
	Line      int
	Reference string
	Names     []string
}

func (e *MissingArgError) Error() string {
	return fmt.Sprintf("%s:%d: %s needs a value for %s", e.File, e.Line, e.Reference, strings.Join(e.Names, ", "))
}

// Hint names the flag that gives the value.
func (e *MissingArgError) Hint() string {
	return fmt.Sprintf("give --build-arg %s=…, or a default: ARG %s=… before the first FROM", e.Names[0], e.Names[0])
}

// NoEmulatorError says that a RUN needs programs of a platform which the node cannot run.
type NoEmulatorError struct {
	File     string
	Line     int
	Platform platform.Platform
	Node     string
	// Missing is the command or the thing that would help.
	Missing string
}

func (e *NoEmulatorError) Error() string {
	return fmt.Sprintf("%s:%d: RUN needs to run %s programs, and %s cannot", e.File, e.Line, e.Platform, e.Node)
}

// Hint says how to get an emulator.
func (e *NoEmulatorError) Hint() string {
	if e.Missing != "" {
		return e.Missing
	}
	return "see `archbuild detect` for the emulator that is missing, or build on a node of that platform with --node"
}
