package rewrite

import (
	"cmp"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/plan/cross"
	"github.com/archbuild/archbuild/template"
)

// Crossed is Template for a file of which stages move to the build platform: each
// gets a --platform, and its RUNs the words that the decisions give them. Each is an
// Edit of its own, and all spans are those of the file as it was given. In a file
// in which placeholders are filled in no stage moves.
func Crossed(t *template.Template, decisions []cross.Decision, fillings []template.Filling, replacements []Replacement) (Output, error) {
	list := crossEdits(t, decisions)
	if len(list) == 0 {
		return Template(t, fillings, replacements)
	}
	now, err := CrossProof(t, decisions)
	if err != nil {
		return Output{}, err
	}
	return edited(t, now, list, replacements)
}

// CrossProof makes the edits of the decisions alone. What comes of them is a
// template with the same stages and references. A *ProofError says why they cannot be made.
func CrossProof(t *template.Template, decisions []cross.Decision) (*template.Template, error) {
	var edits []template.TextEdit
	for _, e := range crossEdits(t, decisions) {
		edits = append(edits, template.TextEdit{Span: e.Span, New: e.New})
	}
	now, err := t.Edit(edits)
	if err != nil {
		return nil, &ProofError{File: t.File, Err: err}
	}
	return now, nil
}

// crossEdits lists what the decisions change in a file, in its order.
func crossEdits(t *template.Template, decisions []cross.Decision) []Edit {
	var list []Edit
	for _, d := range decisions {
		if !d.Move {
			continue
		}
		if stage := t.Stages[d.Stage]; t.References[stage.Base].Kind != template.StageKind {
			e := t.OnBuildPlatform(d.Stage)
			list = append(list, Edit{Line: stage.Line, Where: "FROM", New: e.New, Rule: "cross " + d.Recipe, Span: e.Span})
		}
		for _, e := range d.Edits {
			where := "RUN"
			if strings.HasPrefix(e.New, "ARG ") {
				where = "ARG"
			}
			old := string(t.Source[e.Span.Start:e.Span.End])
			list = append(list, Edit{Line: e.Line, Where: where, Old: old, New: e.New, Rule: e.Rule, Span: e.Span})
		}
	}
	slices.SortStableFunc(list, func(a, b Edit) int { return cmp.Compare(a.Span.Start, b.Span.Start) })
	return list
}
