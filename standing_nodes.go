package archbuild

import (
	"fmt"
	"slices"

	"github.com/archbuild/archbuild/platform"
)

// Which images of others a service stands on is found out before there are plans, for the node that will most likely
// build each platform. On a node of another platform, FROM --platform=$BUILDPLATFORM asks for other ones, which nobody
// has built: BuildKit would look for them in a registry, and find an image of some other day. So no job goes there.

// OtherBaseError says that a node would need another image of the project than the one that is built.
type OtherBaseError struct {
	// File and Line ask for the image Name, which on this node means its platform On.
	File     string
	Line     int
	Name     string
	On       platform.Platform
	Platform platform.Platform
	Node     string
}

func (e *OtherBaseError) Error() string {
	return fmt.Sprintf("%s:%d: %s cannot build %s: it would need %s for %s, and the project does not build that", e.File, e.Line, e.Node, e.Platform, e.Name, e.On)
}

// At is the line that asks, for those who show errors beside the code.
func (e *OtherBaseError) At() (file string, line int) { return e.File, e.Line }

// Hint is to have it built.
func (e *OtherBaseError) Hint() string {
	return fmt.Sprintf("ask for %s, too, or leave --platform=$BUILDPLATFORM out there; else wait for a node like the one that was planned", e.On)
}

// standsOn looks whether a job on a place asks for the images of others that were found for it, and for no other ones.
func (r run) standsOn(s service, on platform.Platform, at place) error {
	if len(s.stands) == 0 {
		return nil
	}
	taken, err := r.with(s).takes(s, on, at.platform)
	if err != nil {
		return nil // which the plan says
	}
	for _, t := range taken {
		name := contextForm(t.Name)
		made := slices.ContainsFunc(s.stands, func(st stand) bool { return st.name != "" && st.name == name })
		found := slices.ContainsFunc(s.stands, func(st stand) bool { return st.on == on && st.at == t.On && st.name == name })
		if made && !found && !t.Waits {
			return &OtherBaseError{File: t.At.File, Line: t.At.Line, Name: t.Name, On: t.On, Platform: on, Node: at.name}
		}
	}
	return nil
}
