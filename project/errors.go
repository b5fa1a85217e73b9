package project

import (
	"errors"
	"fmt"
	"strings"

	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/archbuild/archbuild/platform"
)

// ServiceTwiceError says that two services have one name.
type ServiceTwiceError struct {
	Name          string
	First, Second Place
}

func (e *ServiceTwiceError) Error() string {
	return located(e.Second, "there is a service %s already%s", e.Name, bracketed(e.First))
}

// At is the place, for those who show errors beside the code.
func (e *ServiceTwiceError) At() (file string, line int) { return e.Second.File, e.Second.Line }

// Hint says what to change.
func (e *ServiceTwiceError) Hint() string { return "give one of them another name" }

// TwoMakersError says that two services make an image of one name.
type TwoMakersError struct {
	// Name of the image as the second one has it.
	Name string
	// First and Second are the services, with what of them makes the name.
	First, Second         string
	FirstMade, SecondMade Made
}

func (e *TwoMakersError) Error() string {
	return located(e.SecondMade.At, "%s makes the image %s, and %s makes it as well%s", e.Second, e.Name, e.First, bracketed(e.FirstMade.At))
}

// At is the place, for those who show errors beside the code.
func (e *TwoMakersError) At() (file string, line int) {
	return e.SecondMade.At.File, e.SecondMade.At.Line
}

// Hint says what to change.
func (e *TwoMakersError) Hint() string { return "give the image of one of them another name or tag" }

// CycleError says that services need each other in a circle.
type CycleError struct {
	// Steps are the edges of the circle: the base of each is the user of the next, that of
	// the last is the user of the first.
	Steps []Edge
}

func (e *CycleError) Error() string {
	var way strings.Builder
	way.WriteString(e.Steps[0].User)
	for _, step := range e.Steps {
		fmt.Fprintf(&way, " → %s%s", step.Base, bracketed(step.At))
	}
	if len(e.Steps) == 1 {
		return located(e.Steps[0].At, "%s is to be built on itself: %s", e.Steps[0].User, &way)
	}
	return located(e.Steps[0].At, "%d services need each other in a circle: %s", len(e.Steps), &way)
}

// At is the place, for those who show errors beside the code.
func (e *CycleError) At() (file string, line int) { return e.Steps[0].At.File, e.Steps[0].At.Line }

// Hint says how a circle is broken.
func (e *CycleError) Hint() string {
	for _, step := range e.Steps {
		if step.Name != "" && step.Why == linked(step) {
			return "leave out " + step.Why
		}
	}
	for _, step := range e.Steps {
		if step.Name != "" {
			return "let one of these lines name another image; the one that a registry holds by now is named with its digest: NAME@sha256:…"
		}
	}
	return "take one of these needs out"
}

// UnknownServiceError says that something names a service that there is not.
type UnknownServiceError struct {
	// From is what names it: "--link web:base=bsae", "the context base of web".
	From string
	Name string
	// Place is where that stands; on a command line it is nowhere.
	Place Place
	// Known are the services that there are.
	Known []string
}

func (e *UnknownServiceError) Error() string {
	return located(e.Place, "%s: there is no service %q", e.From, e.Name)
}

// At is the place, for those who show errors beside the code.
func (e *UnknownServiceError) At() (file string, line int) { return e.Place.File, e.Place.Line }

// Hint names the service that was meant.
func (e *UnknownServiceError) Hint() string { return meant(e.Name, e.Known, "the services are ") }

// UntakenError says that a link stands for an image that no Dockerfile asks for.
type UntakenError struct {
	Link Link
	// Taken are the names that the link's user asks for, or all users.
	Taken []string
}

func (e *UntakenError) Error() string {
	who := "no Dockerfile of the project asks"
	if e.Link.User != "" {
		who = e.Link.User + " does not ask"
	}
	return fmt.Sprintf("%s: %s for %s", e.Link, who, e.Link.Name)
}

// Hint names an image that is asked for.
func (e *UntakenError) Hint() string {
	if len(e.Taken) == 0 {
		return "leave the link out: no image is asked for at all"
	}
	return meant(e.Link.Name, e.Taken, "asked for are ")
}

// TwoLinksError says that two links give one image to one user.
type TwoLinksError struct{ First, Second Link }

func (e *TwoLinksError) Error() string {
	return fmt.Sprintf("%s: %s says something else of the same image", e.Second, e.First)
}

// Hint says what to do.
func (e *TwoLinksError) Hint() string { return "leave one of them out" }

// LacksPlatformError says that a service stands on a base whose file lists platforms, and
// not the one that it needs.
type LacksPlatformError struct {
	Edge Edge
	// Listed are the platforms of the base, ListedAt is where.
	Listed   []platform.Platform
	ListedAt Place
}

func (e *LacksPlatformError) Error() string {
	return located(e.Edge.At, "%s takes %s from %s for %s, and that is built for %s alone%s", e.Edge.User, e.Edge.Name, e.Edge.Base, e.Edge.On, list(e.Listed), bracketed(e.ListedAt))
}

// At is the place, for those who show errors beside the code.
func (e *LacksPlatformError) At() (file string, line int) { return e.Edge.At.File, e.Edge.At.Line }

// Hint says which list lacks what.
func (e *LacksPlatformError) Hint() string {
	return fmt.Sprintf("add %s to the platforms of %s%s", e.Edge.On, e.Edge.Base, bracketed(e.ListedAt))
}

// String is the link as it is written on a command line.
func (l Link) String() string {
	if l.User == "" {
		return fmt.Sprintf("--link %s=%s", l.Name, l.Base)
	}
	return fmt.Sprintf("--link %s:%s=%s", l.User, l.Name, l.Base)
}

func located(at Place, format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	if at == (Place{}) {
		return text
	}
	return at.String() + ": " + text
}

func bracketed(at Place) string {
	if at == (Place{}) {
		return ""
	}
	return " (" + at.String() + ")"
}

// meant names the nearest word, or all that there are.
func meant(word string, known []string, all string) string {
	if near := nearest.Word(word, known); near != "" {
		return "did you mean " + near + "?"
	}
	if len(known) == 0 {
		return "there are none"
	}
	const few = 12
	if len(known) > few {
		return all + strings.Join(known[:few], ", ") + fmt.Sprintf(" and %d more", len(known)-few)
	}
	return all + strings.Join(known, ", ")
}

func list(platforms []platform.Platform) string {
	names := make([]string, len(platforms))
	for i, p := range platforms {
		names[i] = p.String()
	}
	return strings.Join(names, ", ")
}

// joinOnce is errors.Join with equal messages said once.
func joinOnce(failed []error) error {
	said := map[string]bool{}
	var kept []error
	for _, err := range failed {
		if err != nil && !said[err.Error()] {
			said[err.Error()] = true
			kept = append(kept, err)
		}
	}
	return errors.Join(kept...)
}
