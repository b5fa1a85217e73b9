package template

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// TextEdit puts other bytes in place of some that are no reference: a flag of a
// FROM, words of a RUN, or a line of its own that holds an ARG.
type TextEdit struct {
	Span Span
	New  string
}

// OnBuildPlatform is the edit that puts a stage on the platform of the node: a
// --platform behind FROM, set off as the image is, its variable written as the
// file writes others. The stage has no --platform so far.
func (t *Template) OnBuildPlatform(stage int) TextEdit {
	in := &t.instructions[t.from[stage]]
	name := strings.IndexAny(in.text, blanks)
	at := in.source(name-1) + 1
	flag := "--platform=$BUILDPLATFORM"
	if t.writesBraces() {
		flag = "--platform=${BUILDPLATFORM}"
	}
	return TextEdit{Span: Span{at, at}, New: in.text[name:name+1] + flag}
}

// writesBraces says whether the FROMs write their variables as ${NAME} alone.
func (t *Template) writesBraces() bool {
	braces := false
	for _, i := range t.from {
		text := t.instructions[i].text
		if strings.Count(text, "$") > strings.Count(text, "${") {
			return false
		}
		braces = braces || strings.Contains(text, "${")
	}
	return braces
}

// Edit is this file with edits made in it, all of whose Spans are those of this
// file. BuildKit's parser reads what comes of them: it must be the same instructions
// with the same references, but for one --platform=$BUILDPLATFORM for each FROM that
// is edited, for the words of each RUN that is, and for the ARGs that were added.
func (t *Template) Edit(list []TextEdit) (*Template, error) {
	list = slices.SortedStableFunc(slices.Values(list), func(a, b TextEdit) int { return cmp.Compare(a.Span.Start, b.Span.Start) })
	var source []byte
	at, lines := 0, 0
	for _, e := range list {
		if e.Span.Start < at || e.Span.End < e.Span.Start || e.Span.End > len(t.Source) {
			return nil, errors.New("edits overlap")
		}
		source = append(append(source, t.Source[at:e.Span.Start]...), e.New...)
		at = e.Span.End
		lines += strings.Count(e.New, "\n")
	}
	source = append(source, t.Source[at:]...)
	now, err := ParseLimited(t.File, source, Limits{Bytes: len(source), Instructions: len(t.instructions) + lines})
	if err != nil {
		return nil, err
	}
	return now, t.sameEdited(now, list)
}

// sameEdited checks that nothing but the edits makes the difference.
func (t *Template) sameEdited(now *Template, list []TextEdit) error {
	added, j := 0, 0
	for i := range t.instructions {
		in := &t.instructions[i]
		for len(list) > 0 && list[0].isLine(in) {
			if j >= len(now.nodes) || !strings.EqualFold(now.nodes[j].Value, "arg") || now.instructions[j].text+"\n" != strings.ReplaceAll(list[0].New, "\r", "") {
				return fmt.Errorf("line %d: what is added is no ARG", in.first)
			}
			list, added, j = list[1:], added+1, j+1
		}
		n := 0
		for n < len(list) && list[n].isIn(in, len(t.Source)) {
			n++
		}
		if j >= len(now.nodes) {
			return errors.New("instructions are missing")
		}
		if err := t.sameInstruction(now, i, j, added, list[:n]); err != nil {
			return fmt.Errorf("line %d: %w", in.first, err)
		}
		list, j = list[n:], j+1
	}
	same := func(a, b Reference) bool {
		return a.Text == b.Text && a.Where == b.Where && a.Stage == b.Stage && a.Kind == b.Kind && a.Target == b.Target
	}
	switch {
	case len(list) > 0:
		return errors.New("an edit stands in no instruction")
	case j != len(now.nodes):
		return errors.New("instructions appear")
	case !slices.EqualFunc(t.References, now.References, same):
		return errors.New("a reference changes")
	}
	return nil
}

// isLine says whether an edit is a line of its own before an instruction.
func (e TextEdit) isLine(in *instruction) bool {
	return e.Span == Span{in.begin, in.begin} && strings.HasSuffix(e.New, "\n")
}

// isIn says whether an edit stands in an instruction of a source with some length.
func (e TextEdit) isIn(in *instruction, length int) bool {
	return e.Span.Start >= in.begin && e.Span.End <= in.end && (e.Span.Start < in.end || in.end == length)
}

// sameInstruction compares an instruction with what edits made of it, which is the
// one of another number in now, some lines further down.
func (t *Template) sameInstruction(now *Template, i, j, added int, edits []TextEdit) error {
	in, node := &t.instructions[i], t.nodes[i]
	is := now.nodes[j]
	text, err := in.edited(edits)
	if err != nil {
		return err
	}
	if now.instructions[j].text != text {
		return errors.New("BuildKit reads another line")
	}
	if is.StartLine != node.StartLine+added || is.EndLine != node.EndLine+added {
		return errors.New("the number of its lines changes")
	}
	if err := t.sameBodies(in, node.Heredocs, is.Heredocs, edits); err != nil {
		return err
	}
	if len(edits) == 0 {
		return nil
	}
	switch {
	case !strings.EqualFold(node.Value, is.Value):
		return errors.New("the instruction changes")
	case strings.EqualFold(node.Value, "from"):
		return sameFrom(node, is)
	case !strings.EqualFold(node.Value, "run"):
		return errors.New("only FROM and RUN are edited")
	case !slices.Equal(node.Flags, is.Flags) || node.Attributes["json"] != is.Attributes["json"]:
		return errors.New("its flags change")
	}
	return nil
}

// sameFrom checks that a FROM has got a --platform=$BUILDPLATFORM.
func sameFrom(old, now *parser.Node) error {
	is := func(flag string) bool {
		return flag == "--platform=$BUILDPLATFORM" || flag == "--platform=${BUILDPLATFORM}"
	}
	if len(now.Flags) != len(old.Flags)+1 || !is(now.Flags[0]) || !slices.Equal(now.Flags[1:], old.Flags) {
		return errors.New("its flags change")
	}
	a, b := old.Next, now.Next
	for ; a != nil && b != nil && a.Value == b.Value; a, b = a.Next, b.Next {
	}
	if a != nil || b != nil {
		return errors.New("its arguments change")
	}
	return nil
}

// edited is the joined line with the edits made in it that are not in a heredoc.
func (in *instruction) edited(edits []TextEdit) (string, error) {
	var b strings.Builder
	at := 0
	for _, e := range edits {
		if last := in.pieces[len(in.pieces)-1]; e.Span.Start > int(last.source+last.size) {
			break // in a heredoc
		}
		from, ok := in.joined(e.Span.Start)
		to := from
		if ok && e.Span.End > e.Span.Start {
			to, ok = in.joined(e.Span.End - 1)
			to++
		}
		if !ok || from < at {
			return "", errors.New("an edit stands in no word")
		}
		b.WriteString(in.text[at:from])
		b.WriteString(e.New)
		at = to
	}
	b.WriteString(in.text[at:])
	return b.String(), nil
}

// joined is the place in the joined line of an offset in the file, which may be
// the end of a piece.
func (in *instruction) joined(offset int) (int, bool) {
	end, ok := 0, false
	for _, p := range in.pieces {
		switch {
		case offset >= int(p.source) && offset < int(p.source+p.size):
			return int(p.at) + offset - int(p.source), true
		case offset == int(p.source+p.size):
			end, ok = int(p.at+p.size), true
		}
	}
	return end, ok
}

// sameBodies compares the heredocs of an instruction with what they became.
func (t *Template) sameBodies(in *instruction, old, now []parser.Heredoc, edits []TextEdit) error {
	if len(old) != len(now) {
		return errors.New("its heredocs change")
	}
	if len(old) == 0 {
		return nil
	}
	at, _ := t.bodies(in)
	for i, doc := range old {
		want := doc.Content
		if !doc.Chomp { // else its bytes are not those of the file, and it has to stay
			want = t.editedBody(at, doc.Content, edits)
			at += len(doc.Content) + len(doc.Name) + 1
		} else if slices.ContainsFunc(edits, func(e TextEdit) bool { return e.Span.Start >= at }) {
			return errors.New("an edit stands in a heredoc whose tabs are taken away")
		}
		if now[i].Name != doc.Name || now[i].Expand != doc.Expand || now[i].Chomp != doc.Chomp || now[i].Content != want {
			return errors.New("its heredocs change")
		}
	}
	return nil
}

// editedBody is a heredoc's content, which begins at an offset, with its edits.
func (t *Template) editedBody(begin int, content string, edits []TextEdit) string {
	var b strings.Builder
	at := begin
	for _, e := range edits {
		if e.Span.Start >= at && e.Span.End <= begin+len(content) {
			b.WriteString(content[at-begin : e.Span.Start-begin])
			b.WriteString(e.New)
			at = e.Span.End
		}
	}
	b.WriteString(content[at-begin:])
	return b.String()
}
