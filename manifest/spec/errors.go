package spec

import "fmt"

// Error is what is wrong with a file, and where.
type Error struct {
	// File is how messages call it.
	File string
	// Line and Column begin at 1; they are 0 where no place is to blame.
	Line, Column int
	Text, Help   string
}

func (e *Error) Error() string { return finding(*e) }

// At is the place, for those who show errors beside the code.
func (e *Error) At() (file string, line int) { return e.File, e.Line }

// Hint is the one thing to do; it may be empty.
func (e *Error) Hint() string { return e.Help }

// Warning is what is read differently from what its author seems to have meant.
type Warning struct {
	// File is how messages call it; empty for flags.
	File         string
	Line, Column int
	Text, Help   string
}

// String is the warning with its place.
func (w Warning) String() string { return finding(Error(w)) }

// Hint is the one thing to do; it may be empty.
func (w Warning) Hint() string { return w.Help }

func finding(e Error) string {
	switch {
	case e.File == "":
		return e.Text
	case e.Line == 0:
		return fmt.Sprintf("%s: %s", e.File, e.Text)
	case e.Column == 0:
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Text)
}

// ArgError is what is wrong with a flag.
type ArgError struct{ Flag, Problem, Help string }

func (e *ArgError) Error() string { return fmt.Sprintf("--%s: %s", e.Flag, e.Problem) }

// Hint is the one thing to do next.
func (e *ArgError) Hint() string { return e.Help }

// ExitStatus is 2, as for every wrong usage.
func (e *ArgError) ExitStatus() int { return 2 }
