package template

import (
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// The places of a reference, as Reference.Where says them.
const (
	inFrom  = "FROM"
	inCopy  = "COPY --from"
	inMount = "RUN --mount from"
	onbuild = "ONBUILD "
)

// baseReference adds the reference of a FROM: the bytes from one to another of
// the joined line. Quotes around the whole stay outside of its span.
func (b *builder) baseReference(in *instruction, from, to int) {
	d := detail{word: in.text[from:to], instruction: b.at, flag: -1}
	text := d.word
	if n := len(text) - 1; n > 1 && (text[0] == '"' || text[0] == '\'') && text[n] == text[0] {
		inner := text[1:n]
		if strings.IndexByte(inner, text[0]) < 0 && strings.IndexByte(inner, b.escape) < 0 {
			from, to, text = from+1, to-1, inner
		}
	}
	if text == d.word && strings.ContainsAny(text, "\"'"+string(b.escape)) {
		if literal, ok := b.literal(d.word); ok {
			text = literal
		}
	}
	d.gaps = in.gaps(b.source, from, to)
	b.add(in, from, to, text, inFrom, d)
	r := &b.References[len(b.References)-1]
	if text, ok := b.literal(d.word); ok {
		r.Kind, r.Target = b.base(text, r.Stage)
	} else {
		r.Kind = Variable
	}
}

// add appends a reference.
func (b *builder) add(in *instruction, from, to int, text, where string, d detail) {
	b.References = append(b.References, Reference{
		Text:   text,
		Span:   in.span(from, to),
		Line:   in.line(from),
		Where:  where,
		Stage:  len(b.Stages) - 1,
		Target: -1,
	})
	b.details = append(b.details, d)
}

// flagReference adds the reference that a part of a flag holds.
func (b *builder) flagReference(in *instruction, offset int, w word, where string, flag int) {
	first, last := w.mark(0), w.mark(len(w.text)-1)
	from, to := offset+int(first.from), offset+int(last.to)
	d := detail{word: w.text, instruction: b.at, flag: flag, gaps: in.gaps(b.source, from, to)}
	// A new text begins in first's quote and what follows expects last's.
	if first.quote != last.after {
		d.tail = quoted(first.quote) + quoted(last.after)
	}
	b.add(in, from, to, w.text, where, d)
}

func quoted(quote byte) string {
	if quote == 0 {
		return ""
	}
	return string(quote)
}

// command takes what it needs from one instruction of a stage.
func (b *builder) command(cmd instructions.Command) error {
	in := &b.instructions[b.at]
	if !strings.EqualFold(cmd.Name(), b.node.Value) {
		return b.differ("instruction %q, BuildKit %q", b.node.Value, cmd.Name())
	}
	stage := &b.Stages[len(b.Stages)-1]
	switch c := cmd.(type) {
	case *instructions.WorkdirCommand:
		stage.workdir = b.enter(stage.workdir, c.Path)
		return nil
	case *instructions.RunCommand:
		if stage.Run == 0 {
			stage.Run = in.first
		}
	case *instructions.CopyCommand:
		b.copy(stage, "COPY", c.From, c.SourcesAndDest)
	case *instructions.AddCommand:
		b.copy(stage, "ADD", "", c.SourcesAndDest)
		return nil
	case *instructions.OnbuildCommand:
		return b.onbuild(in)
	}
	return b.flags(in, 0, in.text, cmd, b.node, "")
}

// copy notes a COPY or ADD.
func (b *builder) copy(stage *Stage, name, from string, args instructions.SourcesAndDest) {
	sources := args.SourcePaths
	if len(args.SourceContents) > 0 { // heredocs are not among the paths
		sources = nil
		for n := b.node.Next; n.Next != nil; n = n.Next {
			sources = append(sources, n.Value)
		}
	}
	stage.Copies = append(stage.Copies, Copy{
		Line:        b.instructions[b.at].first,
		Instruction: name,
		Sources:     sources,
		Dest:        args.DestPath,
		Workdir:     stage.workdir,
		From:        from,
	})
}

// onbuild looks into the instruction that an ONBUILD holds. BuildKit reads it
// only when it fires, so one that is no valid instruction is left alone.
func (b *builder) onbuild(in *instruction) error {
	outer := b.split(in.text, b.node)
	if b.node.Next == nil || len(b.node.Next.Children) != 1 {
		return nil
	}
	node := b.node.Next.Children[0]
	cmd := trigger(node)
	if cmd == nil {
		return nil
	}
	if stage := &b.Stages[len(b.Stages)-1]; strings.EqualFold(node.Value, "run") && stage.onbuildRun == 0 {
		stage.onbuildRun = in.first
	}
	return b.flags(in, outer.from, in.text[outer.from:outer.to], cmd, node, onbuild)
}

// trigger parses the instruction below an ONBUILD; nil when it is none.
func trigger(node *parser.Node) instructions.Command {
	v, err := instructions.ParseInstructionWithLinter(node, linter.New(&linter.Config{}))
	if err != nil {
		return nil
	}
	cmd, _ := v.(instructions.Command)
	return cmd
}

// flags finds the references in the flags of COPY and RUN. text is the
// instruction, which begins at offset of the joined line.
func (b *builder) flags(in *instruction, offset int, text string, cmd instructions.Command, node *parser.Node, prefix string) error {
	switch cmd.(type) {
	case *instructions.CopyCommand, *instructions.RunCommand:
	default:
		return nil
	}
	c := b.split(text, node)
	if err := b.sameFlags(c, node); err != nil {
		return err
	}
	before := len(b.References)
	switch cmd := cmd.(type) {
	case *instructions.CopyCommand:
		for i, f := range c.flags {
			if strings.HasPrefix(f.text, "--from=") && f.text != "--from=" {
				w := f.word(text, b.escape)
				b.flagReference(in, offset, w.cut(len("--from="), len(w.text)), prefix+inCopy, i)
			}
		}
		return b.agreeReferences(before, cmd.From)
	case *instructions.RunCommand:
		mounts := instructions.GetMounts(cmd)
		froms := make([]string, 0, len(mounts))
		for _, m := range mounts {
			if m.From != "" {
				froms = append(froms, m.From)
			}
		}
		b.References, b.details = slices.Grow(b.References, len(froms)), slices.Grow(b.details, len(froms))
		for i, f := range c.flags {
			if strings.HasPrefix(f.text, "--mount=") {
				w := f.word(text, b.escape)
				b.mount(in, offset, w.cut(len("--mount="), len(w.text)), prefix+inMount, i)
			}
		}
		return b.agreeReferences(before, froms...)
	}
	return nil
}

// mount finds from= among the fields of a mount; the last one counts.
func (b *builder) mount(in *instruction, offset int, w word, where string, flag int) {
	var from word
	for field := range w.fields {
		const key = "from="
		if len(field.text) >= len(key) && strings.EqualFold(field.text[:len(key)], key) {
			from = field.cut(len(key), len(field.text))
		}
	}
	if from.text != "" {
		b.flagReference(in, offset, from, where, flag)
	}
}

// agreeReferences holds the references found since before against BuildKit's.
func (b *builder) agreeReferences(before int, want ...string) error {
	found := b.References[before:]
	for _, text := range want {
		if text == "" {
			continue
		}
		if len(found) == 0 || found[0].Text != text {
			return b.differ("BuildKit finds a reference to %q", text)
		}
		found = found[1:]
	}
	if len(found) > 0 {
		return b.differ("BuildKit finds no reference to %q", found[0].Text)
	}
	return nil
}

// literal evaluates a word that holds no variables. It reports false for one
// that does, and for one that BuildKit cannot evaluate.
func (t *Template) literal(text string) (string, bool) {
	if isPlain(text, t.escape) {
		return text, true
	}
	if onlyNames(text, t.escape) || tooDeep(text) {
		return "", false
	}
	result, err := shell.NewLex(rune(t.escape)).ProcessWordWithMatches(readable(text), noValues{})
	if err != nil || len(result.Unmatched) > 0 {
		return "", false
	}
	return result.Result, true
}

// resolveKinds tells for the references of COPY and mounts what they name, for
// which all stages have to be known.
func (t *Template) resolveKinds() {
	for i := range t.References {
		r := &t.References[i]
		switch {
		case r.Where == inFrom:
		case strings.HasSuffix(r.Where, inCopy):
			r.Kind, r.Target = t.source(r.Text)
		default:
			r.Kind, r.Target = t.byLastName(r.Text)
		}
	}
}

// base tells what a FROM in a stage names: the latest stage before it.
func (t *Template) base(text string, stage int) (Kind, int) {
	list := t.byName[strings.ToLower(text)]
	if i, _ := slices.BinarySearch(list, stage); i > 0 {
		return StageKind, list[i-1]
	}
	if text == "scratch" {
		return Scratch, -1
	}
	return External, -1
}

// source tells what COPY --from names. BuildKit expands no variables there and
// refuses them when it builds; a number always is a stage's.
func (t *Template) source(text string) (Kind, int) {
	if literal, ok := t.literal(text); !ok || literal != text {
		return Variable, -1
	}
	if n, ok := number(text); ok {
		if n < 0 || n >= len(t.Stages) {
			return Variable, -1
		}
		return StageKind, n
	}
	return t.byLastName(text)
}

// byLastName finds the stage that COPY --from and mounts mean by a name.
func (t *Template) byLastName(text string) (Kind, int) {
	if list := t.byName[strings.ToLower(text)]; len(list) > 0 {
		return StageKind, list[len(list)-1]
	}
	if text == "scratch" {
		return Scratch, -1
	}
	return External, -1
}
