package template

import (
	"bytes"
	"errors"
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

// Change is a new text for one reference.
type Change struct {
	// Reference is the index in Template.References.
	Reference int
	Text      string
}

// Prove checks that result is this file with the changes, which are in the
// order of the references, and nothing else: the same instructions on the same
// lines, with the same flags and arguments but for the new texts, and every new
// text an image and no stage.
//
// Only the changed instructions are given to BuildKit's parser again. It reads
// one instruction after the other and keeps nothing between them, so the bytes
// that are the same mean the same, as long as each changed instruction ends
// where it ended before.
func (t *Template) Prove(result []byte, changes []Change) error {
	if !bytes.Equal(result, t.apply(0, len(t.Source), changes)) {
		return errors.New("bytes outside of the references change")
	}
	for _, c := range changes {
		if err := t.meaning(c); err != nil {
			return err
		}
	}
	groups := t.group(changes)
	if len(groups) == 0 {
		return nil
	}
	var file bytes.Buffer
	if t.escape == '`' {
		file.WriteString("# escape=`\n")
	}
	file.WriteString("FROM scratch\n")
	for _, g := range groups {
		in := t.instructions[g.instruction]
		file.Write(t.apply(in.begin, in.end, g.changes))
	}
	small, err := ParseLimited(t.Name, file.Bytes(), Limits{Bytes: file.Len(), Instructions: len(groups) + 1})
	if err != nil {
		return err
	}
	return t.sameGroups(small, groups)
}

// apply returns a part of the source with the changes made in it.
func (t *Template) apply(from, to int, changes []Change) []byte {
	out := make([]byte, 0, to-from+64*len(changes))
	for _, c := range changes {
		span := t.References[c.Reference].Span
		if span.Start < from {
			return nil // out of order
		}
		out = append(out, t.Source[from:span.Start]...)
		out = append(out, t.Spell(c.Reference, c.Text)...)
		from = span.End
	}
	return append(out, t.Source[from:to]...)
}

// meaning checks that a new text is an image at its place, not a stage.
func (t *Template) meaning(c Change) error {
	r := t.References[c.Reference]
	var kind Kind
	switch {
	case r.Where == inFrom:
		kind, _ = t.base(c.Text, r.Stage)
	case strings.HasSuffix(r.Where, inCopy):
		kind, _ = t.source(c.Text)
	default:
		kind, _ = t.byLastName(c.Text)
	}
	if kind != External && kind != Scratch {
		return fmt.Errorf("line %d: %q is the name of a stage there", r.Line, c.Text)
	}
	return nil
}

// group is one instruction and the changes in it.
type group struct {
	instruction int
	changes     []Change
}

func (t *Template) group(changes []Change) []group {
	var list []group
	for i, c := range changes {
		index := t.details[c.Reference].instruction
		if n := len(list) - 1; n < 0 || list[n].instruction != index {
			list = append(list, group{instruction: index, changes: changes[i:i]})
		}
		last := &list[len(list)-1]
		last.changes = last.changes[:len(last.changes)+1]
	}
	return list
}

// sameGroups compares the changed instructions, which follow a FROM in a small
// file of their own, with what they were.
func (t *Template) sameGroups(small *Template, groups []group) error {
	if len(small.nodes) != len(groups)+1 {
		return fmt.Errorf("%d changed instructions become %d", len(groups), len(small.nodes)-1)
	}
	found := small.References[1:]
	for i, g := range groups {
		old := t.nodes[g.instruction]
		count, flags, err := t.sameReferences(found, g)
		if err == nil {
			err = sameNode(old, small.nodes[i+1], flags)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", old.StartLine, err)
		}
		found = found[count:]
	}
	if len(found) > 0 {
		return fmt.Errorf("a reference to %q appears", found[0].Text)
	}
	return nil
}

// sameReferences compares the references of one instruction, of which found
// are the new ones and those of later instructions. It returns their number
// and which flags are changed; -1 is the image of FROM.
func (t *Template) sameReferences(found []Reference, g group) (count int, flags []int, err error) {
	first := g.changes[0].Reference
	for first > 0 && t.details[first-1].instruction == g.instruction {
		first--
	}
	changes := g.changes
	for i := first; i < len(t.References) && t.details[i].instruction == g.instruction; i++ {
		want := t.References[i].Text
		if len(changes) > 0 && changes[0].Reference == i {
			want = changes[0].Text
			flags = append(flags, t.details[i].flag)
			changes = changes[1:]
		}
		if count == len(found) || found[count].Text != want || found[count].Where != t.References[i].Where {
			return 0, nil, fmt.Errorf("%q is not read there", want)
		}
		count++
	}
	return count, flags, nil
}

// sameNode compares what BuildKit makes of one instruction: everything but the
// flags listed, or the first argument (-1).
func sameNode(old, now *parser.Node, edited []int) error {
	if old.EndLine-old.StartLine != now.EndLine-now.StartLine {
		return errors.New("the number of its lines changes")
	}
	if !slices.Equal(old.Heredocs, now.Heredocs) {
		return errors.New("its heredocs change")
	}
	if strings.EqualFold(old.Value, "onbuild") && strings.EqualFold(now.Value, "onbuild") {
		old, now = old.Next.Children[0], now.Next.Children[0]
	}
	if old.Value != now.Value || len(old.Flags) != len(now.Flags) {
		return errors.New("its flags change")
	}
	for i := range old.Flags {
		if old.Flags[i] != now.Flags[i] && !slices.Contains(edited, i) {
			return errors.New("another flag changes")
		}
	}
	a, b := old.Next, now.Next
	if slices.Contains(edited, -1) {
		a, b = a.Next, b.Next
	}
	for ; a != nil && b != nil; a, b = a.Next, b.Next {
		if a.Value != b.Value {
			return errors.New("its arguments change")
		}
	}
	if a != nil || b != nil {
		return errors.New("the number of its arguments changes")
	}
	return nil
}
