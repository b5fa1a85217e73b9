package archbuild

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/wrong"
)

// BaseError says where in the Dockerfile stands what no image could be found for.
type BaseError struct {
	plan.Origin
	// Stages are the names of the file's stages.
	Stages []string
	// Locked says that archbuild.lock names the image that was asked for.
	Locked bool
	Err    error
}

func (e *BaseError) Error() string { return fmt.Sprintf("%s: %v", e.Origin, e.Err) }

// Unwrap gives what went wrong.
func (e *BaseError) Unwrap() error { return e.Err }

// Hint is the cause's own, unless a stage's name is likely to be misspelt.
func (e *BaseError) Hint() string {
	if e.Where != "FROM" && e.Rule == "" && !strings.ContainsAny(e.Image, ":/@") {
		hint := fmt.Sprintf("no stage and no --build-context is called %s", e.Image)
		if len(e.Stages) > 0 {
			hint += "; the stages are: " + strings.Join(e.Stages, ", ")
		}
		return hint
	}
	if e.Locked {
		return fmt.Sprintf("what archbuild.lock names may be gone: archbuild lock PATH --update %s; else %s", e.Image, wrong.Hint(e.Err))
	}
	return wrong.Hint(e.Err)
}

// ofLock notes of failures which images archbuild.lock names: an old lock may be
// to blame.
func ofLock(s service, err error) error {
	lock, found, broken := s.readLock()
	if broken != nil || !found {
		return err
	}
	for _, e := range leaves(err) {
		if base := new(BaseError); errors.As(e, &base) {
			_, base.Locked = lock.Find(base.Image)
		}
	}
	return err
}

// locate gives each failure of resolve the place that asked.
func locate(request plan.Request, answers plan.Answers, err error) error {
	origins, unknown := plan.Origins(request, answers)
	if unknown != nil {
		return err
	}
	var list []error
	for _, e := range leaves(err) {
		list = append(list, locateOne(request, origins, e))
	}
	return errors.Join(list...)
}

func locateOne(request plan.Request, origins []plan.Origin, err error) error {
	var failed *resolve.Error
	if !errors.As(err, &failed) {
		return fmt.Errorf("%s: %w", request.Template.File, err)
	}
	for _, o := range origins {
		if o.Image == failed.Image && slices.Contains(failed.Platforms, o.Platform) {
			return &BaseError{Origin: o, Stages: stageNames(request.Template), Err: err}
		}
	}
	return err
}
