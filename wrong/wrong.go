// Package wrong says what is wrong with what a user has said: on the command line (Usage), in a file
// that the user wrote (File), with a file that cannot be read or written (Read, Write).
//
// Each is a cause and a hint, the one thing to do next, in this order:
//
//	&wrong.Usage{errors.New("--push needs a tag"), "name the image: -t REGISTRY/NAME:TAG"}
//
// Exit statuses follow from the type: wrong usage is 2, everything else that failed is 1.
package wrong

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/archbuild/archbuild/internal/nearest"
)

// Usage is a wrong flag or argument: exit status 2.
type Usage struct {
	Err  error
	Help string
}

func (e *Usage) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Usage) Unwrap() error { return e.Err }

// Hint is the one thing to do next.
func (e *Usage) Hint() string { return e.Help }

// ExitStatus is 2, as for every wrong usage.
func (e *Usage) ExitStatus() int { return 2 }

// Read says that something the user named is there but cannot be read.
type Read struct {
	What string
	Err  error
}

func (e *Read) Error() string { return fmt.Sprintf("reading %s: %v", e.What, e.Err) }

// Unwrap gives the cause.
func (e *Read) Unwrap() error { return e.Err }

// Hint is the cause's own, else about permissions: what is not there is another error.
func (e *Read) Hint() string {
	var hinted interface{ Hint() string }
	if errors.As(e.Err, &hinted) && hinted.Hint() != "" {
		return hinted.Hint()
	}
	return "look whether this user may read it"
}

// Write says that a file or a folder cannot be made.
type Write struct {
	Path string
	Err  error
}

// Error leaves out the names of files that are there for a moment only.
func (e *Write) Error() string {
	cause := e.Err
	if at := new(fs.PathError); errors.As(cause, &at) {
		cause = at.Err
	} else if at := new(os.LinkError); errors.As(cause, &at) {
		cause = at.Err
	}
	return fmt.Sprintf("writing %s: %v", e.Path, cause)
}

// Unwrap gives the cause.
func (e *Write) Unwrap() error { return e.Err }

// Hint is about the place: what is written there is fine.
func (e *Write) Hint() string {
	folder := filepath.Dir(e.Path)
	switch {
	case errors.Is(e.Err, syscall.ENOSPC), errors.Is(e.Err, syscall.EDQUOT):
		return "free some space on the disk of " + folder + ", or write elsewhere"
	case errors.Is(e.Err, syscall.EIO):
		return "the disk of " + folder + " fails, dmesg says how: write elsewhere"
	}
	return "look whether this user may write in " + folder + ", or write elsewhere"
}

// File is what is wrong in a file that the user wrote: exit status 1, while
// what is wrong on the command line is a Usage.
type File struct {
	Err  error
	Help string
}

func (e *File) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *File) Unwrap() error { return e.Err }

// Hint is the one thing to do next.
func (e *File) Hint() string { return e.Help }

// AsUsage makes an error about a flag one of wrong usage, whatever package found it.
func AsUsage(err error) error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // They stay independent.
		var each []error
		for _, e := range joined.Unwrap() {
			each = append(each, AsUsage(e))
		}
		return errors.Join(each...)
	}
	if errors.As(err, new(*Usage)) {
		return err
	}
	return &Usage{err, Hint(err)}
}

// Hint is the one thing to do next that an error names; empty where it names none.
func Hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// Word says that a flag has a word that is none of those that it takes.
func Word(flag, value string, words []string) error {
	return &Usage{
		fmt.Errorf("%s %s: no such mode%s", flag, value, nearest.DidYouMean(value, words)),
		"use one of " + strings.Join(words, ", "),
	}
}
