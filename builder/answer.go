package builder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/moby/buildkit/frontend/subrequests"
	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/moby/buildkit/frontend/subrequests/outline"
	"github.com/moby/buildkit/frontend/subrequests/targets"
)

// Methods of Session.Call.
const (
	CallLint     = "lint"
	CallOutline  = "outline"
	CallTargets  = "targets"
	CallDescribe = "subrequests.describe"
)

// Answer is what the frontend says to a call.
type Answer struct {
	method string
	json   []byte
}

// Write prints an answer as buildx does, as text or as JSON. A lint's speaks of the
// bytes that BuildKit got under the name file; source is shown in their place, and
// in text the path is. It returns the number of warnings, and an error that names the line where BuildKit
// gave up.
func (a Answer) Write(w io.Writer, asJSON bool, file, path string, source []byte) (warnings int, err error) {
	if a.method == CallLint {
		return a.writeLint(w, asJSON, file, path, source)
	}
	if asJSON {
		_, err = fmt.Fprintf(w, "%s\n", ui.SafeJSON(a.json))
		return 0, err
	}
	text := map[string]func([]byte, io.Writer) error{
		CallOutline: outline.PrintOutline, CallTargets: targets.PrintTargets, CallDescribe: subrequests.PrintDescribe,
	}[a.method]
	return 0, text(a.json, w)
}

func (a Answer) writeLint(w io.Writer, asJSON bool, file, path string, source []byte) (int, error) {
	var found lint.LintResults
	if err := json.Unmarshal(a.json, &found); err != nil {
		return 0, fmt.Errorf("reading BuildKit's answer: %w", err)
	}
	for _, s := range found.Sources {
		if s.Filename == file {
			s.Data = source
			if !asJSON {
				s.Filename = path
			}
		}
	}
	count := len(found.Warnings)
	if asJSON {
		text, err := json.MarshalIndent(found, "", "  ")
		if err != nil {
			return count, fmt.Errorf("writing BuildKit's answer: %w", err)
		}
		if _, err := fmt.Fprintf(w, "%s\n", ui.SafeJSON(text)); err != nil {
			return count, err
		}
		return count, gaveUp(found)
	}
	summary := "no warnings found."
	switch {
	case count == 1:
		summary = "1 warning has been found!"
	case count > 1:
		summary = fmt.Sprintf("%d warnings have been found!", count)
	}
	if count > 0 || found.Error == nil {
		if _, err := fmt.Fprintln(w, "Check complete, "+summary); err != nil {
			return count, err
		}
	}
	if err := found.PrintTo(w, nil); err != nil {
		return count, err
	}
	return count, gaveUp(found)
}

// gaveUp is the error of a Dockerfile that BuildKit could not read to its end.
func gaveUp(found lint.LintResults) error {
	if found.Error == nil {
		return nil
	}
	var text strings.Builder
	found.PrintErrorTo(&text, nil)
	return errors.New(strings.TrimSpace(text.String()))
}
