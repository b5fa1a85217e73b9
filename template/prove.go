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
// A plain name in place of a plain name cannot do more (see isObvious). All other
// changed instructions are given to BuildKit's parser again, and they alone. It
// reads one instruction after the other and keeps nothing between them, so the
// bytes that are the same mean the same, as long as each changed instruction ends
// where it ended before.
func (t *Template) Prove(result []byte, changes []Change) error {
	if !t.explains(result, changes) {
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
		t.apply(&file, g)
	}
	small, err := ParseLimited(t.File, file.Bytes(), Limits{Bytes: file.Len(), Instructions: len(groups) + 1})
	if err != nil {
		return err
	}
	return t.sameGroups(small, groups)
}

// explains tells whether result is the source with the changes made in it.
func (t *Template) explains(result []byte, changes []Change) bool {
	at := 0
	for _, c := range changes {
		span, text := t.References[c.Reference].Span, t.Spell(c.Reference, c.Text)
		if span.Start < at {
			return false // out of order
		}
		kept := t.Source[at:span.Start]
		before, end := len(kept), len(kept)+len(text)
		if len(result) < end || !bytes.Equal(result[:before], kept) || string(result[before:end]) != text {
			return false
		}
		result, at = result[end:], span.End
	}
	return bytes.Equal(result, t.Source[at:])
}

// apply writes an instruction with its changes made.
func (t *Template) apply(file *bytes.Buffer, g group) {
	in := &t.instructions[g.instruction]
	at := in.begin
	for _, c := range g.changes {
		span := t.References[c.Reference].Span
		file.Write(t.Source[at:span.Start])
		file.WriteString(t.Spell(c.Reference, c.Text))
		at = span.End
	}
	file.Write(t.Source[at:in.end])
}

// isObvious tells whether the changes of an instruction are such that no parser
// takes it apart in another way: each name has letters, digits and the signs of
// image names alone, now and before, and they stand in one piece. What separates
// words, fields and keys, what quotes, escapes and continues, stays where it was,
// and the lines stay short enough. In a FROM, words are separated by blanks only,
// so the one that is replaced may hold anything else.
func (t *Template) isObvious(g group) bool {
	in := &t.instructions[g.instruction]
	if strings.Contains(in.text, "<<") {
		return false
	}
	size := in.end - in.begin
	for _, c := range g.changes {
		r := &t.References[c.Reference]
		size += len(c.Text)
		whole := string(t.Source[r.Span.Start:r.Span.End]) == t.details[c.Reference].word
		if !whole || !isNameText(c.Text) || r.Where != inFrom && !isNameText(r.Text) {
			return false
		}
	}
	return size <= maxLine
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

// group gathers the changes of each instruction that are not obvious.
func (t *Template) group(changes []Change) []group {
	var list []group
	for len(changes) > 0 {
		g := group{instruction: t.details[changes[0].Reference].instruction}
		n := slices.IndexFunc(changes, func(c Change) bool { return t.details[c.Reference].instruction != g.instruction })
		if n < 0 {
			n = len(changes)
		}
		g.changes, changes = changes[:n], changes[n:]
		if !t.isObvious(g) {
			list = append(list, g)
		}
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
