package resolve

import (
	"errors"
	"fmt"
	"sync"
)

// Step is one reference that was tried for a question.
type Step struct {
	// Image is the reference that was tried.
	Image string `json:"image"`
	// Rule says what named it: a rule, a convention, "as written".
	Rule string `json:"rule"`
	// Outcome says what became of it: "serves linux/arm64: sha256:…", "offers linux/amd64", "does not exist".
	Outcome string `json:"outcome"`
	// Serves tells that it was proven to serve the platform.
	Serves bool `json:"serves"`
}

func (s Step) String() string { return fmt.Sprintf("%s (%s): %s", s.Image, s.Rule, s.Outcome) }

// note leaves a step behind.
func (a *asker) note(use, rule string, answer Answer, err error) {
	switch {
	case a.because != "":
		rule = a.because
	case rule == "":
		rule = "as written"
	}
	step := Step{Image: use, Rule: rule, Serves: err == nil}
	var none *PlatformError
	var lies *MismatchError
	switch {
	case err == nil:
		step.Outcome = fmt.Sprintf("serves %s: %s", a.question.Platform, answer.Digest)
		if answer.Locked {
			step.Outcome += ", by archbuild.lock"
		}
	case errors.As(err, &none) && len(none.Offers) == 0:
		step.Outcome = "offers no image"
	case errors.As(err, &none):
		step.Outcome = "offers " + list(none.Offers)
	case errors.As(err, &lies):
		step.Outcome = fmt.Sprintf("lists an image for %s that is for %s", a.question.Platform, lies.Found)
	case isNotLocked(err) && a.offline:
		step.Outcome = "not asked: offline, and not in archbuild.lock"
	case isNotLocked(err):
		step.Outcome = "is not in archbuild.lock"
	case IsNotFound(err):
		step.Outcome = "does not exist"
	default:
		step.Outcome = err.Error()
	}
	a.trail = append(a.trail, step)
}

// together calls do for each of a list at once, or for the first alone.
func together[T any](list []T, alone bool, do func(int)) {
	if alone {
		list = list[:1]
	}
	var wait sync.WaitGroup
	for i := range list {
		wait.Go(func() { do(i) })
	}
	wait.Wait()
}
