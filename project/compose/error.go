package compose

import (
	"errors"
	"fmt"

	"github.com/archbuild/archbuild/project"
)

// Error is what is wrong with a file, and where.
type Error struct {
	File string
	// Line counts from 1; 0 is the whole file.
	Line int
	Text string
	hint string
	err  error
}

func (e *Error) Error() string {
	switch {
	case e.File == "":
		return e.Text
	case e.Line == 0:
		return fmt.Sprintf("%s: %s", e.File, e.Text)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
}

// At is the place, for those who show errors beside the code.
func (e *Error) At() (file string, line int) { return e.File, e.Line }

// Hint is the one thing to do.
func (e *Error) Hint() string { return e.hint }

// Unwrap gives the cause, if another package found it.
func (e *Error) Unwrap() error { return e.err }

func wrong(at project.Place, hint, format string, args ...any) *Error {
	return &Error{File: at.File, Line: at.Line, Text: fmt.Sprintf(format, args...), hint: hint}
}

// fail collects an error, so that the user learns of all in one go.
func (l *files) fail(at project.Place, hint, format string, args ...any) {
	l.errs = append(l.errs, wrong(at, hint, format, args...))
}

// add collects an error that was made elsewhere.
func (l *files) add(err error) {
	if err != nil && !errors.Is(err, errFull) {
		l.errs = append(l.errs, err)
	}
}
