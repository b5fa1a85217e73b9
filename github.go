package archbuild

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/internal/github"
	"github.com/archbuild/archbuild/internal/ui"
)

// OnGitHub is the system as a step of a GitHub workflow has it: nothing that strangers
// print to Stderr is taken for a command, progress is folded, errors and warnings
// are shown beside the code. Elsewhere it is the system itself. The caller calls flush at the end.
func (s System) OnGitHub() (on System, flush func()) {
	if s.Getenv("GITHUB_ACTIONS") != "true" || s.Stderr == nil {
		return s, func() {}
	}
	log := github.New(s.Stderr, rand.Text)
	s.Stderr = log
	return s, func() { _ = log.Flush() } // Where would one say that it cannot be written to?
}

// gitHub is the log of a step, nil elsewhere.
func (s System) gitHub() *github.Log {
	log, _ := s.Stderr.(*github.Log)
	return log
}

// inCI says that nobody watches: CI is what all CI systems set.
func (s System) inCI() bool {
	text := s.Getenv("CI")
	value, err := strconv.ParseBool(text)
	return text != "" && (err != nil || value)
}

// AnnotateError shows an error on the page of a GitHub run, beside the line of the file that it
// is about, if it is about one. Elsewhere it does nothing.
func (s System) AnnotateError(err error) {
	if s.gitHub() == nil || errors.As(err, new(*LintError)) { // its findings are shown one by one
		return
	}
	var at interface{ At() (string, int) }
	file, line := "", 0
	if errors.As(err, &at) {
		file, line = at.At()
	}
	message := err.Error()
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) && hinted.Hint() != "" {
		message += "\n" + hinted.Hint()
	}
	s.annotate("error", file, line, message)
}

// AnnotateWarnings shows the warnings of a rewriting beside the Dockerfile's lines. Elsewhere than on
// GitHub it does nothing.
func (s System) AnnotateWarnings(r Rewriting) {
	if s.gitHub() == nil {
		return
	}
	for _, w := range r.Warnings {
		s.annotate("warning", w.file, w.Line, w.Message+"\n"+w.Hint)
	}
}

// annotate shows a message of archbuild on the page of a run.
func (s System) annotate(level, file string, line int, message string) {
	s.gitHub().Annotate(github.Annotation{Level: level, File: s.inWorkspace(file), Line: line, Title: "archbuild", Message: ui.Clean(message)})
}

// inWorkspace is a file as GitHub names it: relative to the checkout. It is empty for what is
// not a file there.
func (s System) inWorkspace(file string) string {
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	root := s.Getenv("GITHUB_WORKSPACE")
	if root == "" {
		root = "."
	}
	whole, err := filepath.Abs(file)
	if err != nil {
		return ""
	}
	if root, err = filepath.Abs(root); err != nil {
		return ""
	}
	inside, err := filepath.Rel(root, whole)
	if err != nil || !filepath.IsLocal(inside) {
		return ""
	}
	return filepath.ToSlash(inside)
}

// grouped folds the progress that follows, on GitHub, where no command is obeyed in it but
// archbuild's own. The caller calls end.
func (r run) grouped(title string) (end func()) {
	if mode := r.progressMode(); mode == "quiet" || mode == "rawjson" {
		return func() {}
	}
	log := r.gitHub()
	log.Group(title)
	return log.EndGroup
}

// WriteGitHub gives a GitHub run what came of a build: a table on the page of the job, and of one
// image that did not fail the outputs digest, image and metadata of the step. Elsewhere it does nothing.
func (s System) WriteGitHub(o Outcome, failed error) error {
	if s.Getenv("GITHUB_ACTIONS") != "true" || len(o.Images) == 0 {
		return nil
	}
	var page strings.Builder
	for _, image := range o.Images {
		page.WriteString(image.markdown())
	}
	err := s.addTo("GITHUB_STEP_SUMMARY", page.String())
	if len(o.Images) != 1 || failed != nil {
		return err
	}
	image := o.Images[0]
	if len(image.Records) == 1 {
		var marshalled error
		image.metadata, marshalled = json.Marshal(image.Records[0].Record)
		err = errors.Join(err, marshalled)
	}
	var tags []string
	if image.Pushed != nil {
		tags = image.Tags
	}
	return errors.Join(err, s.writeOutputs(image.ID(), tags, image.metadata))
}

// writeOutputs sets the outputs of the step. Tags are those that name the image now.
func (s System) writeOutputs(digest string, tags []string, metadata []byte) error {
	if s.Getenv("GITHUB_ACTIONS") != "true" || digest == "" {
		return nil
	}
	image := ""
	if len(tags) > 0 {
		image = tags[0] + "@" + digest
	}
	return s.addTo("GITHUB_OUTPUT", github.Output("digest", digest)+github.Output("image", image)+github.Output("metadata", oneLine(metadata)))
}

// addTo adds to the file that a variable names, if it names one.
func (s System) addTo(variable, text string) error {
	path := s.Getenv(variable)
	if path == "" || text == "" {
		return nil
	}
	if err := appendFile(path, []byte(text)); err != nil {
		return fmt.Errorf("%s: %w", variable, err)
	}
	return nil
}
