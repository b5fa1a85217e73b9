package outside

import (
	"crypto/rand"
	"io"
	"os"

	"github.com/archbuild/archbuild/internal/github"
	"github.com/archbuild/archbuild/internal/ui"
)

// Guarded is the system with streams on which nothing that strangers wrote is obeyed, by a
// terminal or by a CI system; see ui.Stream. On GitHub progress is folded, and errors and warnings are
// shown beside the code, as well. The caller calls flush at the end. A system that is guarded stays as it is.
func (s System) Guarded() (on System, flush func()) {
	s.Stdout = s.guarded(s.Stdout)
	s.Stderr = s.guarded(s.Stderr)
	if below, ok := s.Stderr.(*ui.Stream); ok && s.Getenv("GITHUB_ACTIONS") == "true" {
		s.Stderr = github.New(below, rand.Text)
	}
	return s, func() {
		for _, w := range []io.Writer{s.Stdout, s.Stderr} {
			if waiting, ok := w.(interface{ Flush() error }); ok {
				_ = waiting.Flush() // Where would one say that it cannot be written to?
			}
		}
	}
}

func (s System) guarded(w io.Writer) io.Writer {
	switch w.(type) {
	case *ui.Stream, *github.Log:
		return w
	case nil:
		w = io.Discard
	}
	return ui.NewStream(w, ui.StreamOptions{Terminal: IsTerminal(w), Watched: s.obeysCommands() && !isRegular(w), Headings: s.Getenv("BUILDKITE") == "true"})
}

// obeysCommands says that this is a job of a CI system that reads logs for commands.
func (s System) obeysCommands() bool {
	return s.Getenv("GITHUB_ACTIONS") == "true" || s.Getenv("TF_BUILD") != "" || s.Getenv("TEAMCITY_VERSION") != ""
}

// isRegular says that what is written goes into a file and not into a log.
func isRegular(w io.Writer) bool {
	file, ok := ui.Below(w).(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode().IsRegular()
}

// IsTerminal tells whether a stream is one that a person sits in front of.
func IsTerminal(stream any) bool {
	if guarded, ok := stream.(interface{ Terminal() bool }); ok {
		return guarded.Terminal()
	}
	file, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
