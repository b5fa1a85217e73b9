package config

import (
	"errors"
	"fmt"
	"slices"
)

// Error is what is wrong with a file, and where.
type Error struct {
	File         string
	Line, Column int
	Text         string
	hint         string
	err          error
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Text)
}

// At is the place, for those who show errors beside the code.
func (e *Error) At() (file string, line int) { return e.File, e.Line }

// Hint is the one thing to do; it may be empty.
func (e *Error) Hint() string { return e.hint }

// Unwrap gives the cause, if another package found it.
func (e *Error) Unwrap() error { return e.err }

// mistakes are all that were found, joined, unless they are too many to be read.
func (r *reader) mistakes() error {
	if len(r.errs) > maxMistakes {
		more := &Error{File: r.file, Text: fmt.Sprintf("%d more mistakes", len(r.errs)-maxMistakes), hint: "correct the first ones: they are often the cause of others"}
		return errors.Join(append(slices.Clone(r.errs[:maxMistakes]), more)...)
	}
	return errors.Join(r.errs...)
}

func (r *reader) error(at text, message, hint string) *Error {
	return &Error{File: r.file, Line: at.line, Column: at.column, Text: message, hint: hint}
}

func (r *reader) fail(at text, message, hint string) {
	r.errs = append(r.errs, r.error(at, message, hint))
}

// wrap reports an error of another package at a place of the file.
func (r *reader) wrap(at text, err error) {
	e := r.error(at, err.Error(), "")
	e.err = err
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		e.hint = hinted.Hint()
	}
	r.errs = append(r.errs, e)
}
