package rewrite

import (
	"cmp"
	"slices"

	"github.com/archbuild/archbuild/template"
)

// CacheID is an id for a cache mount that has none.
type CacheID struct {
	// Mount is the index in Template.CacheMounts.
	Mount int
	ID    string
	// Rule says why; it is copied to the Edit.
	Rule string
}

// CacheIDs gives ids to cache mounts in what Template made of a template, and
// changes nothing else. Each is an Edit of its own, with its place in the template.
// The error is a *ProofError.
func CacheIDs(t *template.Template, done Output, ids []CacheID) (Output, error) {
	if len(ids) == 0 {
		return done, nil
	}
	now, err := template.ParseLimited(t.File, done.Bytes, template.Limits{Bytes: len(done.Bytes)})
	if err != nil {
		return Output{}, &ProofError{File: t.File, Err: err}
	}
	ids = slices.SortedFunc(slices.Values(ids), func(a, b CacheID) int { return cmp.Compare(a.Mount, b.Mount) })
	before, mounts := t.CacheMounts(), now.CacheMounts()
	out := Output{Edits: slices.Clone(done.Edits)}
	wanted := map[int]string{}
	at := 0
	for _, id := range ids {
		if id.Mount >= len(before) || id.Mount >= len(mounts) || mounts[id.Mount].Span == (template.Span{}) {
			continue // ProveIDs tells of it
		}
		wanted[id.Mount] = id.ID
		m, was := mounts[id.Mount], before[id.Mount]
		added := m.GiveID(id.ID)
		out.Bytes = append(append(out.Bytes, now.Source[at:m.Span.End]...), added...)
		at = m.Span.End
		old := string(t.Source[was.Span.Start:was.Span.End])
		out.Edits = append(out.Edits, Edit{Line: was.Line, Where: "RUN --mount", Old: old, New: old + added, Rule: id.Rule, Span: was.Span})
	}
	out.Bytes = append(out.Bytes, now.Source[at:]...)
	if err := now.ProveIDs(out.Bytes, wanted); err != nil {
		return Output{}, &ProofError{File: t.File, Err: err}
	}
	slices.SortStableFunc(out.Edits, func(a, b Edit) int { return cmp.Compare(a.Span.Start, b.Span.Start) })
	return out, nil
}
