package archbuild

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/archbuild/archbuild/outside"
)

// AnnotateError shows an error on the page of a GitHub run, beside the line of the file that it
// is about, if it is about one. Elsewhere it does nothing.
func AnnotateError(s outside.System, err error) {
	if s.GitHub() == nil || errors.As(err, new(*LintError)) { // its findings are shown one by one
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
	s.Annotate("error", file, line, message)
}

// AnnotateWarnings shows the warnings of a rewriting beside the Dockerfile's lines. Elsewhere than on
// GitHub it does nothing.
func AnnotateWarnings(s outside.System, r Rewriting) {
	if s.GitHub() == nil {
		return
	}
	for _, w := range r.Warnings {
		s.Annotate("warning", w.file, w.Line, w.Message+"\n"+w.Hint)
	}
}

// grouped folds the progress that follows, on GitHub, where no command is obeyed in it but
// archbuild's own. The caller calls end.
func (r run) grouped(title string) (end func()) {
	if mode := r.progressMode(); mode == "quiet" || mode == "rawjson" {
		return func() {}
	}
	log := r.GitHub()
	log.Group(title)
	return log.EndGroup
}

// WriteGitHub gives a GitHub run what came of a build: a table on the page of the job, and of one
// image that did not fail the outputs digest, image and metadata of the step. Elsewhere it does nothing.
func WriteGitHub(s outside.System, o Outcome, failed error) error {
	if s.Getenv("GITHUB_ACTIONS") != "true" || len(o.Images) == 0 {
		return nil
	}
	var page strings.Builder
	for _, image := range o.Images {
		page.WriteString(image.markdown())
	}
	err := s.WriteSummary(page.String())
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
	return errors.Join(err, s.WriteOutputs(image.ID(), tags, image.metadata))
}
