package template

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Spell returns the bytes that have to stand in the span of a reference so
// that BuildKit reads text there: quotes that the span opens or closes are
// kept in balance, and continuations inside it stay, before the new text, so
// that no line after it moves.
func (t *Template) Spell(reference int, text string) string {
	d := t.details[reference]
	return d.gaps + text + d.tail
}

// Becomes proves that other is this file with new texts for the references in
// changed and nothing else: the same instructions on the same lines, the same
// flags and arguments, the same stages, the same references. What differs
// otherwise is an error.
func (t *Template) Becomes(other *Template, changed map[int]string) error {
	if len(t.nodes) != len(other.nodes) || len(t.References) != len(other.References) || len(t.Stages) != len(other.Stages) {
		return fmt.Errorf("%d instructions, %d stages, %d references become %d, %d, %d", len(t.nodes), len(t.Stages), len(t.References),
			len(other.nodes), len(other.Stages), len(other.References))
	}
	if t.escape != other.escape || t.Syntax != other.Syntax {
		return fmt.Errorf("the directives change")
	}
	edits := map[int][]int{}
	for i := range t.References {
		if err := t.sameReference(other, i, changed); err != nil {
			return err
		}
		if _, ok := changed[i]; ok {
			at := t.details[i].instruction
			edits[at] = append(edits[at], t.details[i].flag)
		}
	}
	for i, node := range t.nodes {
		if err := sameNode(node, other.nodes[i], edits[i]); err != nil {
			return fmt.Errorf("line %d: %w", node.StartLine, err)
		}
	}
	return nil
}

// sameReference compares one reference, or looks for its new text.
func (t *Template) sameReference(other *Template, i int, changed map[int]string) error {
	old, now := t.References[i], other.References[i]
	if want, ok := changed[i]; ok {
		if now.Text != want {
			return fmt.Errorf("line %d reads %q instead of %q", now.Line, now.Text, want)
		}
		if now.Kind != External && now.Kind != Scratch {
			return fmt.Errorf("line %d: %q is the name of a %s there", now.Line, now.Text, now.Kind)
		}
	} else if old.Text != now.Text || old.Kind != now.Kind || old.Target != now.Target {
		return fmt.Errorf("line %d: %q changes its meaning", now.Line, old.Text)
	}
	if old.Where != now.Where || old.Stage != now.Stage {
		return fmt.Errorf("line %d moves", now.Line)
	}
	return nil
}

// sameNode compares what BuildKit makes of one instruction. Equal joined lines
// give equal trees; in an edited one the flags listed, or the first argument
// of FROM (-1), may differ.
func sameNode(old, now *parser.Node, edited []int) error {
	if old.StartLine != now.StartLine || old.EndLine != now.EndLine {
		return fmt.Errorf("moves to line %d", now.StartLine)
	}
	if !slices.Equal(old.Heredocs, now.Heredocs) || !slices.Equal(old.PrevComment, now.PrevComment) {
		return fmt.Errorf("its heredocs or comments change")
	}
	if len(edited) == 0 {
		if old.Original != now.Original {
			return fmt.Errorf("changes")
		}
		return nil
	}
	if strings.EqualFold(old.Value, "onbuild") && strings.EqualFold(now.Value, "onbuild") {
		old, now = old.Next.Children[0], now.Next.Children[0]
	}
	if old.Value != now.Value || len(old.Flags) != len(now.Flags) {
		return fmt.Errorf("its flags change")
	}
	for i := range old.Flags {
		if old.Flags[i] != now.Flags[i] && !slices.Contains(edited, i) {
			return fmt.Errorf("another flag changes")
		}
	}
	a, b := old.Next, now.Next
	if slices.Contains(edited, -1) {
		a, b = a.Next, b.Next
	}
	for ; a != nil && b != nil; a, b = a.Next, b.Next {
		if a.Value != b.Value {
			return fmt.Errorf("its arguments change")
		}
	}
	if a != nil || b != nil {
		return fmt.Errorf("the number of its arguments changes")
	}
	return nil
}
