// Package rewrite turns a template into the Dockerfile of one platform: other
// image references, and not a byte changed outside of them.
//
// Comments, directives, line ends, a byte-order mark and a missing final
// newline stay as they are, and no line is added, so a line number in a build
// error is one of the template. A header line would be an edit too: it could
// switch off a `# syntax=` or `# escape=` directive below it.
//
// Every result is proven before it is returned: it must be the same Dockerfile but
// for the new references. Where more than a plain name was put in place of another,
// BuildKit's parser reads again what was edited.
package rewrite

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/template"
)

// Replacement is a new text for one reference.
type Replacement struct {
	// Reference is the index in Template.References.
	Reference int
	// New is the image, as it shall be written: docker.io/arm64v8/debian:12.
	New string
	// Rule says what decided it; it is copied to the Edit.
	Rule string
}

// Edit is one change that was made.
type Edit struct {
	Line  int    `json:"line"`
	Where string `json:"where"`
	Old   string `json:"old"`
	New   string `json:"new"`
	Rule  string `json:"rule,omitempty"`
	// Span of the template's source that was replaced.
	Span template.Span `json:"span"`
}

// Output is a rewritten Dockerfile.
type Output struct {
	// Bytes may be the template's source itself: do not change them.
	Bytes []byte
	// Edits in the order of the file. A replacement that says what is there
	// already makes none.
	Edits []Edit
}

// Dockerfile writes the replacements into a template. Without any the result
// is the source, byte for byte. The errors are *ReplacementError, for one that
// cannot be made, and *ProofError.
func Dockerfile(t *template.Template, replacements []Replacement) (Output, error) {
	chosen, err := choose(t, replacements)
	if err != nil {
		return Output{}, err
	}
	if len(chosen) == 0 {
		return Output{Bytes: slices.Clip(t.Source)}, nil
	}
	size := len(t.Source)
	for _, r := range chosen {
		span := t.References[r.Reference].Span
		size += len(t.Spell(r.Reference, r.New)) - (span.End - span.Start)
	}
	var at int
	out := Output{Bytes: make([]byte, 0, size), Edits: make([]Edit, 0, len(chosen))}
	changes := make([]template.Change, 0, len(chosen))
	for _, r := range chosen {
		ref := &t.References[r.Reference]
		out.Bytes = append(out.Bytes, t.Source[at:ref.Span.Start]...)
		out.Bytes = append(out.Bytes, t.Spell(r.Reference, r.New)...)
		at = ref.Span.End
		changes = append(changes, template.Change{Reference: r.Reference, Text: r.New})
		out.Edits = append(out.Edits, Edit{ref.Line, ref.Where, ref.Text, r.New, r.Rule, ref.Span})
	}
	out.Bytes = append(out.Bytes, t.Source[at:]...)
	if err := t.Prove(out.Bytes, changes); err != nil {
		return Output{}, &ProofError{File: t.File, Err: err}
	}
	return out, nil
}

// choose checks the replacements, drops those that change nothing, and orders
// the rest by their place in the file.
func choose(t *template.Template, replacements []Replacement) ([]Replacement, error) {
	chosen := make([]Replacement, 0, len(replacements))
	for _, r := range replacements {
		if err := check(t, r); err != nil {
			return nil, err
		}
		if t.References[r.Reference].Text != r.New {
			chosen = append(chosen, r)
		}
	}
	slices.SortStableFunc(chosen, func(a, b Replacement) int {
		return cmp.Compare(a.Reference, b.Reference)
	})
	for i := 1; i < len(chosen); i++ {
		if chosen[i].Reference == chosen[i-1].Reference {
			return nil, refuse(t, chosen[i], "it is replaced twice")
		}
	}
	return chosen, nil
}

// check accepts a replacement of an image by an image.
func check(t *template.Template, r Replacement) error {
	if r.Reference < 0 || r.Reference >= len(t.References) {
		return &ReplacementError{File: t.File, New: r.New, Reason: fmt.Sprintf("there is no reference %d", r.Reference)}
	}
	ref := t.References[r.Reference]
	if ref.Text == r.New {
		return nil
	}
	if ref.Kind == template.StageKind {
		return refuse(t, r, "it names a stage")
	}
	if r.New == "scratch" {
		return nil
	}
	if err := template.CheckName(r.New); err != nil {
		return refuse(t, r, err.Error())
	}
	return nil
}

func refuse(t *template.Template, r Replacement, reason string) error {
	ref := t.References[r.Reference]
	return &ReplacementError{File: t.File, Line: ref.Line, Old: ref.Text, New: r.New, Rule: r.Rule, Reason: reason}
}

// ReplacementError says that a replacement cannot be made.
type ReplacementError struct {
	File     string
	Line     int
	Old, New string
	Rule     string
	Reason   string
}

func (e *ReplacementError) Error() string {
	rule := ""
	if e.Rule != "" {
		rule = fmt.Sprintf(" (%s)", e.Rule)
	}
	return fmt.Sprintf("%s:%d: cannot replace %q by %q%s: %s", e.File, e.Line, e.Old, e.New, rule, e.Reason)
}

// At is the place, for those who show errors beside the code.
func (e *ReplacementError) At() (file string, line int) { return e.File, e.Line }

// Hint says what can be replaced by what.
func (e *ReplacementError) Hint() string {
	return "replace an image by a whole reference such as docker.io/library/debian:12"
}

// ProofError says that the rewritten file would not be the same Dockerfile, so
// it was not returned.
type ProofError struct {
	File string
	Err  error
}

func (e *ProofError) Error() string {
	return fmt.Sprintf("%s: the rewritten file would mean something else: %v", e.File, e.Err)
}

func (e *ProofError) Unwrap() error { return e.Err }

// Hint names the usual reason.
func (e *ProofError) Hint() string {
	return "if an image has the name of a stage, write it with its registry: docker.io/library/NAME"
}

// Name is the Dockerfile of one platform beside its template: Dockerfile.arm64.
func Name(dockerfile, suffix string) string { return dockerfile + "." + suffix }

// DockerignoreName is the ignore file that BuildKit looks for beside a
// Dockerfile before it takes .dockerignore.
func DockerignoreName(dockerfile string) string {
	return strings.TrimSuffix(dockerfile, "/") + ".dockerignore"
}
