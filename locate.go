package archbuild

import (
	"errors"
	"fmt"
	"strings"

	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/template"
)

// BaseError says where in the Dockerfile stands what no image could be found for.
type BaseError struct {
	File string
	Line int
	// Where is "FROM", "COPY --from" …
	Where  string
	Stages []string
	Err    error
	image  string
}

func (e *BaseError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap gives what went wrong.
func (e *BaseError) Unwrap() error { return e.Err }

// Hint is the cause's own, unless a stage's name is likely to be misspelt.
func (e *BaseError) Hint() string {
	if e.Where != "FROM" && !strings.ContainsAny(e.image, ":/@") {
		hint := fmt.Sprintf("no stage and no --build-context is called %s", e.image)
		if len(e.Stages) > 0 {
			hint += "; the stages are: " + strings.Join(e.Stages, ", ")
		}
		return hint
	}
	var hinted interface{ Hint() string }
	if errors.As(e.Err, &hinted) {
		return hinted.Hint()
	}
	return ""
}

// locate gives each failure of resolve the line of the reference that asked.
func locate(s service, at place, err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return locateOne(s, at, err)
	}
	var list []error
	for _, e := range joined.Unwrap() {
		list = append(list, locate(s, at, e))
	}
	return errors.Join(list...)
}

func locateOne(s service, at place, err error) error {
	var failed *resolve.Error
	if !errors.As(err, &failed) {
		return err
	}
	for _, target := range s.targets {
		uses, _ := s.of(target.Platform).template.Uses(template.Env{Target: target.Platform, Build: at.platform, Args: target.Args, TargetStage: target.Stage})
		for _, use := range uses {
			if use.Image != failed.Image || !use.Needed {
				continue
			}
			from := s.of(target.Platform).template
			ref := from.References[use.Reference]
			return &BaseError{File: from.Name, Line: ref.Line, Where: ref.Where, Stages: stageNames(from), Err: err, image: use.Image}
		}
	}
	return err
}
