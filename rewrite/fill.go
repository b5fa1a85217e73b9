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
	list := make([]Edit, len(fillings))
	for i, f := range fillings {
		list[i] = Edit{f.Line, f.Where, "%%" + f.Name + "%%", f.Value, "placeholder", f.Span}
	}
	return edited(t, filled, list, replacements)
}

// edited is Dockerfile for a file in which other edits were made first, which are
// in the order of the file; now is what came of them.
func edited(t, now *template.Template, list []Edit, replacements []Replacement) (Output, error) {
	out, err := Dockerfile(now, replacements)
	if err != nil {
		return Output{}, err
	}
	moved, next := 0, 0
	before := func(at int) int { // where a place of the edited file was
		for ; next < len(list); next++ {
			span := list[next].Span
			if span.Start+moved >= at {
				break
			}
			moved += len(list[next].New) - (span.End - span.Start)
		}
		return at - moved
	}
	for i := range out.Edits {
		e := &out.Edits[i]
		e.Span.Start, e.Span.End = before(e.Span.Start), before(e.Span.End)
		if i := slices.IndexFunc(t.References, func(r template.Reference) bool { return r.Span == e.Span }); i >= 0 {
			e.Line = t.References[i].Line // lines may have been added above it
		}
	}
	out.Edits = append(out.Edits, list...)
	slices.SortStableFunc(out.Edits, func(a, b Edit) int { return cmp.Compare(a.Span.Start, b.Span.Start) })
	return out, nil
}
