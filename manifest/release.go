package manifest

import (
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/wrong"
)

// Release is what a user can say of moving tags.
type Release struct {
	// Attestations is index, referrers, none or split.
	Attestations string
	// ChildTags is a pattern for a tag of each image; see ChildTag.
	ChildTags string
	// IfMatch is the digest that the tags have to name now.
	IfMatch string
}

// Check looks at the texts before anything is read.
func (r Release) Check(tags []string) error {
	var failed []error
	if r.IfMatch != "" {
		if err := digest.Digest(r.IfMatch).Validate(); err != nil {
			failed = append(failed, &wrong.Usage{fmt.Errorf("--if-match %s: %w", r.IfMatch, err), "give the digest that the tag names now: sha256:…"})
		}
	}
	for _, tag := range tags {
		if _, err := ChildTag(r.ChildTags, tag, ocispec.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}); r.ChildTags != "" && err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// WriteTags prints what became of each tag.
func (p Pushed) WriteTags(w io.Writer) {
	for _, tag := range p.Tags {
		fmt.Fprintf(w, "  %s %s%s\n", tag.State, ui.Line(tag.Name), was(tag))
	}
}

// was tells what a tag named before it was moved.
func was(tag Tag) string {
	if tag.State != TagMoved || tag.Before == "" {
		return ""
	}
	return " (was " + ui.Digest(tag.Before.String()) + ")"
}
