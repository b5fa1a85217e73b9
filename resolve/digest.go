package resolve

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// repin finds what serves the platform in the place of a reference that is
// pinned to the digest of one image, for another platform. The tag beside the
// digest names an index; if that still holds the digest, its image for the
// platform is the same image for another machine. Otherwise nothing is: another
// digest would be another image.
func (a *asker) repin(ctx context.Context, none *PlatformError) (Answer, error) {
	bad := &PinError{PlatformError: *none}
	if a.name.tag == "" {
		return Answer{}, bad
	}
	tagged, _, _ := strings.Cut(a.name.written, "@")
	image, err := a.reg.Image(ctx, tagged)
	if err != nil {
		a.note(tagged, "the tag beside the digest", Answer{}, err)
		if a.offline && isNotLocked(err) {
			return Answer{Question: a.question, Use: a.question.Image, Rule: "kept: offline", Undecided: true}, nil
		}
		if !isMissing(err) {
			return Answer{}, err
		}
		bad.Tag = tagged
		return Answer{}, bad
	}
	best, ok := pick(image.Offers, a.question.Platform)
	holds := slices.ContainsFunc(image.Offers, func(o Offer) bool { return o.Digest == a.name.digest })
	if !ok || !holds || !image.Index {
		outcome := "its index does not hold " + a.name.digest
		if holds {
			outcome = "offers " + list(platformsOf(image.Offers))
		}
		a.trail = append(a.trail, Step{Image: tagged, Rule: "the tag beside the digest", Outcome: outcome})
		bad.Tag, bad.Holds = tagged, holds
		if ok && image.Index {
			bad.Index = tagged + "@" + image.Digest
		}
		return Answer{}, bad
	}
	return a.try(ctx, tagged+"@"+best.Digest, "same index as the digest: "+tagged)
}

// PinError says that a reference is pinned to the digest of a single image for
// another platform, and that no image of the same index takes its place.
type PinError struct {
	PlatformError
	// Tag is the reference by its tag; empty when it has none.
	Tag string
	// Holds tells that the tag's index holds the digest, but none for the platform.
	Holds bool
	// Index is the reference pinned to what the tag names now, if that serves the platform.
	Index string
}

func (e *PinError) Error() string {
	text := e.PlatformError.Error()
	switch {
	case e.Tag == "":
		return text + ", and no tag says which index it is of"
	case e.Holds:
		return fmt.Sprintf("%s, and the index of %s holds none for it", text, e.Tag)
	}
	return fmt.Sprintf("%s, and no index of %s holds it (any more)", text, e.Tag)
}

// Hint shows the reference, or the rule, that would help.
func (e *PinError) Hint() string {
	switch {
	case e.Index != "":
		return "pin the digest of the index: " + e.Index
	case e.Tag == "":
		return fmt.Sprintf("pin the digest of the index instead, or write the tag too (NAME:TAG@sha256:…), or map it: --base %s=NEW@%s", e.Image, e.Platform)
	}
	return e.PlatformError.Hint()
}

// Unwrap gives the error without what the tag said.
func (e *PinError) Unwrap() error { return &e.PlatformError }
