package template

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	known "github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Limits bound what is read, so that a hostile file cannot take a gigabyte
// (BuildKit's parser needs about fifty times the size of a file). A zero field
// means the default.
type Limits struct {
	// Bytes of the whole file: 4 MB.
	Bytes int
	// Instructions in it: 10,000.
	Instructions int
	// Lines in it, comments, continuations and heredocs included: 500,000. (A file
	// of nothing but continuations takes BuildKit's parser seconds.)
	Lines int
}

// MaxBytes is the length of the longest file that Parse reads.
const MaxBytes = 4 << 20

const (
	defaultInstructions = 10_000
	defaultLines        = 100_000
)

// state is what evaluation and rewriting need besides the exported fields.
type state struct {
	escape       byte
	instructions []instruction
	nodes        []*parser.Node
	// from lists the instructions that begin a stage.
	from    []int
	globals globals
	// details has one element for each of References.
	details []detail
	// byName leads from a lower-case name to all stages that have it, in order.
	byName map[string][]int
	// rulesOf leads from a reference to its rules that have an effect.
	rulesOf map[int][]int
	// filled tells that placeholders outside of references are filled in.
	filled bool
	// remark is the comment that readRules is at.
	remark string
}

// detail is the inner side of a Reference.
type detail struct {
	// word is what BuildKit evaluates: quotes of FROM are still there.
	word string
	// instruction is the index in state.instructions.
	instruction int
	// flag is the index of the flag that holds the reference, or -1.
	flag int
	// gaps are the continuations inside the span, tail the quotes to add after
	// a new text.
	gaps, tail string
}

// Syntax returns the frontend image that a file asks for in a `# syntax=`
// directive, written with #, with //, as JSON, or below a #! line; empty when
// there is none. It works for files that Parse refuses, too.
func Syntax(source []byte) string {
	text := bytes.TrimPrefix(source, []byte("\ufeff"))
	switch {
	case len(text) == 0 || text[0] >= 'A' && text[0] <= 'z':
		return "" // begins with an instruction, as most files do
	case text[0] == '#' && !bytes.HasPrefix(text, []byte("#!")):
		return usualSyntax(text)
	}
	reference, _, _, _ := parser.DetectSyntax(source)
	return reference
}

// usualSyntax is Syntax for a file that begins with a comment: the other forms
// are ruled out, and one line after the other can be looked at.
func usualSyntax(text []byte) string {
	var directives parser.DirectiveParser
	for {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		if len(line) > maxLine {
			return ""
		}
		switch d, err := directives.ParseLine(line); {
		case err != nil || d == nil:
			return ""
		case d.Name == "syntax":
			reference, _, _ := strings.Cut(d.Value, " ")
			return reference
		}
		text = rest
	}
}

// Parse reads a Dockerfile within the default limits. The errors are
// *LimitError, *SyntaxError and *MismatchError; name is what they call the
// file, a path. The Template keeps source: the caller must not change it.
func Parse(name string, source []byte) (*Template, error) {
	return ParseLimited(name, source, Limits{})
}

// ParseLimited is Parse with other limits.
func ParseLimited(name string, source []byte, limits Limits) (*Template, error) {
	if limits.Bytes == 0 {
		limits.Bytes = MaxBytes
	}
	if limits.Instructions == 0 {
		limits.Instructions = defaultInstructions
	}
	if limits.Lines == 0 {
		limits.Lines = defaultLines
	}
	if len(source) > limits.Bytes {
		return nil, &LimitError{File: name, What: "bytes", Limit: limits.Bytes}
	}
	s := scan(string(source), limits)
	switch {
	case s.tooLong > 0:
		return nil, &LimitError{File: name, Line: s.tooLong, What: lineBytes, Limit: maxLine}
	case s.tooMany:
		return nil, &LimitError{File: name, Line: limits.Lines + 1, What: "lines", Limit: limits.Lines}
	case len(s.found) > limits.Instructions:
		over := s.found[limits.Instructions].first
		return nil, &LimitError{File: name, Line: over, What: "instructions", Limit: limits.Instructions}
	}
	t := &Template{File: name, Name: name[strings.LastIndexByte(name, '/')+1:], Source: source, Syntax: Syntax(source)}
	t.escape, t.instructions = s.escape, s.found
	if s.unterminated > 0 { // no need to let BuildKit read it all to find the same
		return nil, t.syntaxError(errUnterminated, s.unterminated)
	}
	tree, err := t.understand()
	if err != nil {
		return nil, t.syntaxError(err, s.directiveBad)
	}
	if err := t.build(s.source, tree); err != nil {
		return nil, err
	}
	t.readRules(s.remarks, t.from)
	t.findPlaceholders()
	return t, nil
}

// tree is a file as BuildKit understands it.
type tree struct {
	*parser.Result
	stages []instructions.Stage
}

// understand lets BuildKit read the file.
func (t *Template) understand() (out tree, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("BuildKit's parser fails on this file: %v", r)
		}
	}()
	if out.Result, err = parser.Parse(bytes.NewReader(t.Source)); err != nil {
		return out, err
	}
	var args []instructions.ArgCommand
	out.stages, args, err = instructions.Parse(out.AST, linter.New(&linter.Config{}))
	t.globals = newGlobals(args)
	if err == nil && len(out.stages) == 0 {
		err = errNoStage
	}
	return out, err
}

var (
	errNoStage      = errors.New("no FROM: there is nothing to build")
	errUnterminated = errors.New("unterminated heredoc")
)

// syntaxError finds the line that BuildKit complains of. It is wrong for
// directives (counted from 0), so those lines come from the scanner: known.
func (t *Template) syntaxError(err error, known int) error {
	out := &SyntaxError{File: t.File, Err: err, Syntax: t.Syntax}
	var at *parser.LocationError
	if errors.As(err, &at) {
		out.Err = at.Unwrap()
		if len(at.Locations) > 0 && len(at.Locations[0]) > 0 {
			out.Line = at.Locations[0][0].Start.Line
		}
	}
	switch {
	case known > 0:
		out.Line = known
	case len(t.instructions) == 0:
		out.Line = 0 // comments at most: no line of them is wrong
	}
	out.Text = t.LineText(out.Line)
	out.early = !strings.HasPrefix(strings.TrimSpace(out.Text), "#") && t.early(out.Line)
	return out
}

// early says whether an instruction that only a stage can hold stands in a line
// before any FROM, or anything in a file that has none.
func (t *Template) early(line int) bool {
	for i := range t.instructions {
		word, _, _ := strings.Cut(strings.TrimSpace(t.instructions[i].text), " ")
		word = strings.ToLower(word)
		_, isKnown := known.Commands[word]
		switch {
		case word == known.From:
			return false
		case t.instructions[i].first == line && isKnown && word != known.Arg:
			return true
		}
	}
	return true
}

// LineText returns one line of the file, counted from 1, without its line end.
func (t *Template) LineText(number int) string {
	if number < 1 {
		return ""
	}
	rest := t.Source
	for ; number > 1; number-- {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return ""
		}
		rest = rest[i+1:]
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	return strings.TrimSuffix(string(line), "\r")
}

// build walks BuildKit's tree and the scanner's instructions side by side.
func (t *Template) build(source string, tree tree) error {
	b := builder{Template: t, source: source, nodes: tree.AST.Children}
	if err := b.agree(tree.Result); err != nil {
		return err
	}
	t.nodes = tree.AST.Children
	b.expect(len(tree.stages))
	for i, node := range t.nodes {
		b.at, b.node = i, node
		if strings.EqualFold(node.Value, "from") {
			b.from = append(b.from, i)
			if err := b.stage(&tree.stages[len(t.Stages)]); err != nil {
				return err
			}
			b.commands = tree.stages[len(t.Stages)-1].Commands
			continue
		}
		if len(t.Stages) == 0 {
			continue // a global ARG
		}
		if len(b.commands) == 0 {
			return b.differ("an instruction is missing")
		}
		cmd := b.commands[0]
		b.commands = b.commands[1:]
		if err := b.command(cmd); err != nil {
			return err
		}
	}
	t.resolveKinds()
	return nil
}

// expect makes room for what most files hold.
func (b *builder) expect(stages int) {
	references := stages + min(strings.Count(b.source, "from="), len(b.nodes))
	b.Stages = make([]Stage, 0, stages)
	b.from = make([]int, 0, stages)
	b.References = make([]Reference, 0, references)
	b.details = make([]detail, 0, references)
}

// builder fills a Template.
type builder struct {
	*Template
	source   string
	nodes    []*parser.Node
	at       int // of the instruction in hand
	node     *parser.Node
	commands []instructions.Command // of the stage in hand, from here on
	memory   []flag                 // for split
}

// differ makes the error for the instruction in hand.
func (b *builder) differ(format string, args ...any) error {
	line := 0
	if b.at < len(b.instructions) {
		line = b.instructions[b.at].first
	}
	return &MismatchError{File: b.File, Line: line, Detail: fmt.Sprintf(format, args...)}
}

// agree holds the joined lines and the escape character against BuildKit's.
// With equal lines and an equal escape character everything that BuildKit
// derives from a line is equal too.
func (b *builder) agree(result *parser.Result) error {
	if rune(b.escape) != result.EscapeToken {
		return b.differ("escape character %q, BuildKit %q", b.escape, result.EscapeToken)
	}
	for i, node := range b.nodes {
		b.at = i
		if i >= len(b.instructions) {
			return b.differ("%d instructions, BuildKit %d", len(b.instructions), len(b.nodes))
		}
		in := &b.instructions[i]
		if in.text != node.Original || in.first != node.StartLine || in.last != node.EndLine {
			return b.differ("lines %d–%d, BuildKit %d–%d", in.first, in.last, node.StartLine, node.EndLine)
		}
	}
	if len(b.instructions) != len(b.nodes) {
		return b.differ("%d instructions, BuildKit %d", len(b.instructions), len(b.nodes))
	}
	return nil
}

// stage begins one at the FROM in hand.
func (b *builder) stage(s *instructions.Stage) error {
	in := &b.instructions[b.at]
	c := b.split(in.text, b.node)
	if err := b.sameFlags(c, b.node); err != nil {
		return err
	}
	from, to := c.first(in.text)
	if got := in.text[from:to]; got != s.BaseName {
		return b.differ("FROM %q, BuildKit %q", got, s.BaseName)
	}
	b.Stages = append(b.Stages, Stage{
		Name:         stageName(b.node, s.Name),
		Line:         in.first,
		Base:         len(b.References),
		PlatformFlag: s.Platform,
	})
	if s.Name != "" {
		if b.byName == nil {
			b.byName = map[string][]int{}
		}
		b.byName[s.Name] = append(b.byName[s.Name], len(b.Stages)-1)
	}
	b.baseReference(in, from, to)
	b.Stages[len(b.Stages)-1].workdir = b.beginsIn(b.References[len(b.References)-1])
	return nil
}

// split is splitCommand for an instruction that BuildKit has read, in the memory
// of the one before it.
func (b *builder) split(text string, node *parser.Node) command {
	c := splitCommand(text, b.escape, slices.Grow(b.memory[:0], len(node.Flags)))
	b.memory = c.flags
	return c
}

// stageName finds the name as written; BuildKit keeps it in lower case.
func stageName(node *parser.Node, lower string) string {
	if lower == "" {
		return ""
	}
	return node.Next.Next.Next.Value
}

// sameFlags holds the scanner's flags against BuildKit's.
func (b *builder) sameFlags(c command, node *parser.Node) error {
	if !strings.EqualFold(c.name, node.Value) {
		return b.differ("instruction %q, BuildKit %q", c.name, node.Value)
	}
	same := slices.EqualFunc(c.flags, node.Flags, func(f flag, want string) bool { return f.text == want })
	if !same {
		return b.differ("flags, BuildKit %q", node.Flags)
	}
	return nil
}
