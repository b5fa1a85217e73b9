// Package files reads what others wrote about services and machines, for package placement: compose and stack files, objects of
// Kubernetes, what docker and kubectl say of nodes.
//
// It reads no more than placement needs: which images run together, and what is written by hand on where they do. Files are
// strangers': their size, depth and aliases are bounded, and each mistake says FILE:LINE. What a key means that is not about
// placement is not asked, so a file that a newer compose understands is read as well. Compose files are read by project/compose,
// as builds read them.
package files

import (
	"errors"
	"fmt"

	"github.com/archbuild/archbuild/placement"
)

// File is what was found in one file.
type File struct {
	// Name as the user gave it; "standard input" for -.
	Name string
	// Over are the files that are laid over it.
	Over []string
	// For is the scheduler whose file it is: Swarm for compose files, Kubernetes.
	For placement.Scheduler
	// Version is compose's version key as it is written, or empty.
	Version string
	// Services in the order of the file.
	Services []placement.Service
	// Builds are the images that a compose file also says how to build, by the name that Services have for them.
	Builds map[string]Build
	// Notes are what a reader should know.
	Notes []string
}

// Build is an image that a file says how to build.
type Build struct {
	// Platforms as the file lists them; none is that it does not.
	Platforms []string
	// Named says that the image has a name, so that a registry can be asked for it.
	Named bool
	At    string
}

// Error is what is wrong with a file, and where.
type Error struct {
	File string
	Line int
	Text string
	hint string
	err  error
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Text)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
}

// At is the place, for those who show errors beside the code.
func (e *Error) At() (file string, line int) { return e.File, e.Line }

// Hint is the one thing to do.
func (e *Error) Hint() string {
	var hinted interface{ Hint() string }
	if e.hint == "" && errors.As(e.err, &hinted) {
		return hinted.Hint()
	}
	return e.hint
}

// Unwrap gives the cause, if there is another one.
func (e *Error) Unwrap() error { return e.err }
