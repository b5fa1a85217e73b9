package ui

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// Stream stands between the program and one of its two output streams. All that is
// written to it is made harmless: what a terminal obeys is taken out as by Clean, what
// a CI system obeys is broken as by Harmless. So nobody who writes has to think of it,
// and nobody can forget it. What has no line end is passed on as well; only the
// beginning of a sequence waits for its rest.
//
// There are doors past it, for those who know why: Exact and WriteExact, Screen, Own. It may be used by several goroutines.
type Stream struct {
	below    io.Writer
	terminal bool
	watched  bool

	mu      sync.Mutex
	cleaner Cleaner
	out     []byte
}

// StreamOptions are what the caller knows of a stream.
type StreamOptions struct {
	// Terminal says that somebody looks at it.
	Terminal bool
	// Watched says that it may be the log of a CI system: it is not known to be a file.
	Watched bool
	// Headings says that lines which begin with ---, +++, ~~~ or ^^^ fold a log, as Buildkite has it.
	Headings bool
}

// NewStream makes what is written to below harmless.
func NewStream(below io.Writer, o StreamOptions) *Stream {
	return &Stream{below: below, terminal: o.Terminal, watched: o.Watched, cleaner: Cleaner{marks: marks{headings: o.Headings}}}
}

// Write passes on what is harmless.
func (s *Stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = s.cleaner.Append(s.out[:0], p)
	if err := s.pass(); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (s *Stream) pass() error {
	if len(s.out) == 0 {
		return nil
	}
	_, err := s.below.Write(s.out)
	return err
}

// Flush ends what still waits for its rest. It is called when the program ends.
func (s *Stream) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flush()
}

func (s *Stream) flush() error {
	s.out = s.cleaner.End(s.out[:0])
	return s.pass()
}

// Own writes lines of the program's own as they are: commands to whoever reads the
// stream. A line that has begun ends before.
func (s *Stream) Own(lines string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.flush()
	if err == nil && s.cleaner.marks.inLine {
		lines = "\n" + lines
	}
	s.cleaner.marks.restart()
	if err == nil {
		_, err = io.WriteString(s.below, lines)
	}
	return err
}

// Terminal says that somebody looks at the stream.
func (s *Stream) Terminal() bool { return s.terminal }

// Below is what is under a stream, or what was given.
func Below(w io.Writer) io.Writer {
	if s, ok := w.(*Stream); ok {
		return s.below
	}
	return w
}

// Exact is where an archive is written: byte for byte, unless it is a terminal.
func Exact(w io.Writer) io.Writer {
	if s, ok := w.(*Stream); ok && s.terminal {
		return w
	}
	return Below(w)
}

// WriteExact writes a text that must stay as it is for whoever reads it from a pipe or a file: a
// Dockerfile, a manifest, a diff. On a terminal it is made harmless; and where a CI system
// would obey something in it, it is not written: the error is a *CommandError.
func WriteExact(w io.Writer, text []byte) error {
	if s, ok := w.(*Stream); ok && s.watched && !s.terminal {
		if at := command(text); at > 0 {
			return &CommandError{Line: at}
		}
	}
	_, err := Exact(w).Write(text)
	return err
}

// command is the first line of a text that a CI system would obey, from 1; 0 is none.
func command(text []byte) int {
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if s := strings.ToValidUTF8(string(line), "\ufffd"); Harmless(s) != s {
			return n
		}
	}
	return 0
}

// CommandError says that a text was not written, because a CI system would take a line of it for a
// command.
type CommandError struct{ Line int }

func (e *CommandError) Error() string {
	return fmt.Sprintf("line %d of what is to be printed is a command to the CI system that reads the log", e.Line)
}

// Hint names the way round the log.
func (e *CommandError) Hint() string { return "send standard output into a file: > FILE" }

// Screen is the terminal below a stream, for whoever draws on it and has made harmless
// what it draws. What is no terminal stays what it is.
func Screen(w io.Writer) io.Writer {
	if s, ok := w.(*Stream); ok && s.terminal {
		return s.below
	}
	return w
}
