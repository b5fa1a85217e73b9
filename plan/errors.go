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
	// Advice says how it gets one: a FROM sees no ARG after the first FROM.
	Advice string
}

func (e *MissingArgError) Error() string {
	return fmt.Sprintf("%s:%d: %s needs a value for %s", e.File, e.Line, e.Reference, strings.Join(e.Names, ", "))
}

// At is the place, for those who show errors beside the code.
func (e *MissingArgError) At() (file string, line int) { return e.File, e.Line }

// Hint names the flag that gives the value.
func (e *MissingArgError) Hint() string { return e.Advice }

// CannotRunError says that a RUN needs programs of a platform which the node cannot run.
type CannotRunError struct {
	File     string
	Line     int
	Platform platform.Platform
	Node     string
	Ability  Ability
}

func (e *CannotRunError) Error() string {
	text := fmt.Sprintf("%s:%d: %s cannot run the %s programs of this RUN", e.File, e.Line, e.Node, e.Platform)
	if e.Ability.Why != "" {
		text += ": " + e.Ability.Why
	}
	return text
}

// At is the place, for those who show errors beside the code.
func (e *CannotRunError) At() (file string, line int) { return e.File, e.Line }

// Hint says what would help.
func (e *CannotRunError) Hint() string {
	if e.Ability.Hint != "" {
		return e.Ability.Hint
	}
	return "see `archbuild detect` for the emulator that is missing, or build on a node of that platform with --node"
}

// SkippedError says that comments in the file leave out every platform asked for.
type SkippedError struct {
	File      string
	Platforms []platform.Platform
	Rule      string
}

func (e *SkippedError) Error() string {
	var names []string
	for _, p := range e.Platforms {
		names = append(names, p.String())
	}
	return fmt.Sprintf("%s: nothing is left to build: %s says skip for %s", e.File, e.Rule, strings.Join(names, ", "))
}

// Hint says where the decision stands.
func (e *SkippedError) Hint() string {
	return "ask for another --platform, or take skip out of that comment"
}
