package rewrite

import (
	"cmp"
	"slices"

	"github.com/archbuild/archbuild/template"
)

// Template is Dockerfile for a file with placeholders, which are filled in first.
// Each filling is an Edit of its own, and all spans are those of the file as it
// was given.
func Template(t *template.Template, fillings []template.Filling, replacements []Replacement) (Output, error) {
	if len(fillings) == 0 {
		return Dockerfile(t, replacements)
	}
	filled, err := t.Fill(fillings)
	if err != nil {
		return Output{}, &ProofError{File: t.File, Err: err}
	}
	out, err := Dockerfile(filled, replacements)
	if err != nil {
		return Output{}, err
	}
	moved, next := 0, 0
	before := func(at int) int { // where a place of the filled file was
		for ; next < len(fillings); next++ {
			span := fillings[next].Span
			if span.Start+moved >= at {
				break
			}
			moved += len(fillings[next].Value) - (span.End - span.Start)
		}
		return at - moved
	}
	for i := range out.Edits {
		span := &out.Edits[i].Span
		span.Start, span.End = before(span.Start), before(span.End)
	}
	for _, f := range fillings {
		out.Edits = append(out.Edits, Edit{f.Line, f.Where, "%%" + f.Name + "%%", f.Value, "placeholder", f.Span})
	}
	slices.SortFunc(out.Edits, func(a, b Edit) int { return cmp.Compare(a.Span.Start, b.Span.Start) })
	return out, nil
}
