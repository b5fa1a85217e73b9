package outside

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/archbuild/archbuild/internal/github"
)

// GitHub is the log of a step, nil elsewhere.
func (s System) GitHub() *github.Log {
	log, _ := s.Stderr.(*github.Log)
	return log
}

// InCI says that nobody watches: CI is what all CI systems set.
func (s System) InCI() bool {
	text := s.Getenv("CI")
	value, err := strconv.ParseBool(text)
	return text != "" && (err != nil || value)
}

// Annotate shows a message of archbuild on the page of a run.
func (s System) Annotate(level, file string, line int, message string) {
	s.GitHub().Annotate(github.Annotation{Level: level, File: s.InWorkspace(file), Line: line, Title: "archbuild", Message: message})
}

// InWorkspace is a file as GitHub names it: relative to the checkout. It is empty for what is
// not a file there.
func (s System) InWorkspace(file string) string {
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

// WriteSummary adds to the page of the job. Elsewhere it does nothing.
func (s System) WriteSummary(markdown string) error {
	return s.addTo("GITHUB_STEP_SUMMARY", markdown)
}

// WriteOutputs sets the outputs of the step. Tags are those that name the image now.
func (s System) WriteOutputs(digest string, tags []string, metadata []byte) error {
	if s.Getenv("GITHUB_ACTIONS") != "true" || digest == "" {
		return nil
	}
	image := ""
	if len(tags) > 0 {
		image = tags[0] + "@" + digest
	}
	return s.addTo("GITHUB_OUTPUT", github.Output("digest", digest)+github.Output("image", image)+github.Output("metadata", oneLine(metadata)))
}

// WriteMetadata sets the output metadata alone, of several images. Elsewhere than on GitHub it does nothing.
func (s System) WriteMetadata(metadata []byte) error {
	if s.Getenv("GITHUB_ACTIONS") != "true" {
		return nil
	}
	return s.addTo("GITHUB_OUTPUT", github.Output("metadata", oneLine(metadata)))
}

// addTo adds to the file that a variable names, if it names one.
func (s System) addTo(variable, text string) error {
	path := s.Getenv(variable)
	if path == "" || text == "" {
		return nil
	}
	if err := AppendFile(path, []byte(text)); err != nil {
		return fmt.Errorf("%s: %w", variable, err)
	}
	return nil
}

// oneLine is a JSON document without line breaks; empty if it is none.
func oneLine(document []byte) string {
	var out bytes.Buffer
	if json.Compact(&out, document) != nil {
		return ""
	}
	return out.String()
}
