package ci

import (
	"fmt"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// RecordError says that something is no record, or not a whole one.
type RecordError struct{ From, Problem, Help string }

func (e *RecordError) Error() string { return fmt.Sprintf("record %s: %s", e.From, e.Problem) }

// Hint is the one thing to do next.
func (e *RecordError) Hint() string { return e.Help }

// IncompleteError says that platforms of the set have no record.
type IncompleteError struct {
	Missing, Have []platform.Platform
	// Legs are those of the plan that are missing, where it has several services.
	Legs []Leg
}

func (e *IncompleteError) Error() string {
	have := "there is none at all"
	if len(e.Have) > 0 {
		have = "there are " + list(e.Have)
	}
	return fmt.Sprintf("the set is incomplete: no record for %s (%s); no tag was moved", list(e.Missing), have)
}

// Hint tells how to go on.
func (e *IncompleteError) Hint() string {
	if len(e.Legs) > 0 {
		var names []string
		for _, leg := range e.Legs[1:] {
			names = append(names, leg.Name)
		}
		then := ", then assemble again"
		if len(names) > 0 {
			then = ", and likewise " + strings.Join(names, ", ") + then
		}
		return "run the missing leg " + e.Legs[0].Name + ", archbuild build " + Quoted(e.Legs[0].Args) + then
	}
	return "run the missing legs, archbuild build --platform " + e.Missing[0].String() + " --push --record …, then assemble again"
}

func list(platforms []platform.Platform) string {
	var names []string
	for _, p := range platforms {
		names = append(names, p.String())
	}
	return strings.Join(names, ", ")
}

// DuplicateError says that two records have different images of one platform.
type DuplicateError struct {
	Platform      platform.Platform
	First, Second Sourced
}

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("two images for %s: %s in %s and %s in %s", e.Platform, e.First.Image.Digest, e.First.From, e.Second.Image.Digest, e.Second.From)
}

// Hint names the ways out.
func (e *DuplicateError) Hint() string {
	return "keep the record of the leg that counts, or give each run a folder of its own"
}

// MixedError says that two records are not of one state of one source. First is
// empty where the plan is what the second is held against.
type MixedError struct {
	First, Second Sourced
	What          string
}

func (e *MixedError) Error() string {
	if e.First.From == "" {
		return fmt.Sprintf("mixed records: %s (%s) has %s", e.Second.From, e.Second.Platform, e.What)
	}
	return fmt.Sprintf("mixed records: %s (%s) has %s, compared with %s (%s)", e.Second.From, e.Second.Platform, e.What, e.First.From, e.First.Platform)
}

// Hint tells how it comes about.
func (e *MixedError) Hint() string {
	return "build all legs from the same checkout with the same arguments, and collect the records of one run only"
}

// UnexpectedError says that a record is for a platform that is not in the set.
type UnexpectedError struct {
	From     string
	Platform platform.Platform
	Want     []platform.Platform
}

func (e *UnexpectedError) Error() string {
	return fmt.Sprintf("record %s is for %s, which is not among %s", e.From, e.Platform, list(e.Want))
}

// Hint names the ways out.
func (e *UnexpectedError) Hint() string {
	return "add the platform to --require, or leave the record out"
}

// RepositoryError says that a record's image lies in other repositories than the
// one that a tag is of.
type RepositoryError struct {
	From     string
	Platform platform.Platform
	Want     string
	Have     []string
}

func (e *RepositoryError) Error() string {
	return fmt.Sprintf("record %s: its image for %s is in %s, not in %s", e.From, e.Platform, strings.Join(e.Have, ", "), e.Want)
}

// Hint says how the two come together.
func (e *RepositoryError) Hint() string {
	return "give the legs and ci assemble the same -t"
}

// UnknownSetError says that nobody told which platforms make the image whole.
type UnknownSetError struct{ Have []platform.Platform }

func (e *UnknownSetError) Error() string {
	return "which platforms the image must have is not known: neither --require nor --plan says so, and no archbuild.yaml did"
}

// Hint is the flag, with what there is.
func (e *UnknownSetError) Hint() string {
	if len(e.Have) == 0 {
		return "name them: --require linux/amd64,linux/arm64"
	}
	return "name them: --require " + strings.ReplaceAll(list(e.Have), " ", "")
}

// ExitStatus is 2, as for every wrong usage.
func (e *UnknownSetError) ExitStatus() int { return 2 }

// PlanError says that a document is no plan.
type PlanError struct{ From, Problem, Help string }

func (e *PlanError) Error() string { return fmt.Sprintf("plan %s: %s", e.From, e.Problem) }

// Hint is the one thing to do next.
func (e *PlanError) Hint() string { return e.Help }
