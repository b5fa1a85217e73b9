package template

import (
	"regexp"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// Step is one instruction of a stage, its FROM left out.
type Step struct {
	// Line it begins in, counted from 1.
	Line int
	// Command is the instruction as BuildKit reads it.
	Command instructions.Command
	// Span of the whole instruction, its heredocs included.
	Span Span
	// index in the file's instructions.
	index int
}

// Steps lists the instructions of a stage in their order.
func (t *Template) Steps(stage int) []Step {
	if stage < 0 || stage >= len(t.from) {
		return nil
	}
	to := len(t.nodes)
	if stage+1 < len(t.from) {
		to = t.from[stage+1]
	}
	return t.steps(t.from[stage]+1, to)
}

// steps lists instructions by their index.
func (t *Template) steps(from, to int) []Step {
	list := make([]Step, 0, to-from)
	for i := from; i < to; i++ {
		v, err := instructions.ParseInstructionWithLinter(t.nodes[i], linter.New(&linter.Config{}))
		cmd, ok := v.(instructions.Command)
		if err != nil || !ok {
			continue // not possible: Parse has read the same
		}
		in := &t.instructions[i]
		list = append(list, Step{Line: in.first, Command: cmd, Span: Span{in.begin, in.end}, index: i})
	}
	return list
}

// Expand evaluates a word the way BuildKit does in ENV, ARG, COPY and WORKDIR. It
// reports false for one that BuildKit refuses, that holds a variable that get does
// not know, or that becomes longer than any sensible one.
func (t *Template) Expand(text string, get func(string) (string, bool)) (string, bool) {
	const long, many = 8192, 64
	switch {
	case isPlain(text, t.escape):
		return text, true
	case len(text) > long || strings.Count(text, "$") > many || tooDeep(text) || patterns.MatchString(text):
		return "", false
	}
	result, err := shell.NewLex(rune(t.escape)).ProcessWordWithMatches(readable(text), lookup(get))
	return result.Result, err == nil && len(result.Unmatched) == 0 && len(result.Result) <= long
}

// Global is the value that an ARG before the first FROM gives to an ARG of a stage
// without a default. It reports false where there is none.
func (t *Template) Global(env Env, name string) (string, bool) {
	i, ok := t.globals.number[name]
	if !ok {
		return "", false
	}
	v := t.arguments(env).values[i]
	return v.text, v.set
}

// patterns matches the expansions that replace or cut by a pattern: ${NAME/a/b}.
var patterns = regexp.MustCompile(`\$\{[\pL_][\pL\d_]*[/#%]`)

// lookup are the variables of a function, for BuildKit's shell lexer.
type lookup func(string) (string, bool)

func (l lookup) Get(name string) (string, bool) { return l(name) }
func (l lookup) Keys() []string                 { return nil }

// Script is what a RUN gives to its shell.
type Script struct {
	// Text is the script. Continuations and the comments between them are gone.
	Text string
	// JSON tells that it is no script but the arguments of one command, as JSON.
	JSON bool
	// Heredoc tells that it is the body of a heredoc that is run as a whole.
	Heredoc bool
	pieces  []piece
}

// Script gives the text that the shell runs for a RUN. It reports false for other
// instructions, and where bytes of the text do not stand in the file as they are, as
// in a heredoc whose tabs are taken away (<<-).
func (t *Template) Script(s Step) (Script, bool) { return t.script(s, false) }

// TabbedScript is Script for heredocs whose tabs are taken away (<<-) as well: the text has
// no byte that does not stand in the file, but what stands there is not all in one piece.
func (t *Template) TabbedScript(s Step) (Script, bool) { return t.script(s, true) }

func (t *Template) script(s Step, tabs bool) (Script, bool) {
	if s.index <= 0 || s.index >= len(t.nodes) {
		return Script{}, false
	}
	node, in := t.nodes[s.index], &t.instructions[s.index]
	if !strings.EqualFold(node.Value, "run") || node.Next == nil {
		return Script{}, false
	}
	c := splitCommand(in.text, t.escape, nil)
	text := in.text[c.from:c.to]
	out := Script{Text: text, JSON: node.Attributes["json"], pieces: in.cut(c.from, c.to)}
	if out.JSON {
		return out, true
	}
	if node.Next.Value != text || text == "" {
		return Script{}, false
	}
	if len(node.Heredocs) == 0 {
		return out, true
	}
	return t.withHeredocs(out, node.Heredocs, in, tabs)
}

// withHeredocs adds the bodies that follow a RUN, or takes the only one in place of
// it, as BuildKit does.
func (t *Template) withHeredocs(out Script, docs []parser.Heredoc, in *instruction, tabs bool) (Script, bool) {
	at, line := t.bodies(in)
	alone := parser.MustParseHeredoc(out.Text) != nil
	if alone {
		out = Script{Heredoc: true}
	}
	for _, doc := range docs {
		if doc.Chomp && !tabs || !strings.HasPrefix(string(t.Source[at:]), doc.Content) {
			return Script{}, false
		}
		if !alone {
			out.Text += "\n"
		}
		for rest := doc.Content; rest != ""; line++ {
			size := strings.IndexByte(rest, '\n') + 1
			if size == 0 {
				size = len(rest)
			}
			begin := t.behindTabs(at, doc.Chomp)
			rest, size, at = rest[begin-at:], size-(begin-at), begin
			out.pieces = append(out.pieces, newPiece(len(out.Text), at, size, line))
			out.Text += rest[:size]
			at, rest = at+size, rest[size:]
		}
		if alone {
			return out, true
		}
		at = t.behindTabs(at, doc.Chomp)
		out.pieces = append(out.pieces, newPiece(len(out.Text), at, len(doc.Name), line))
		if !strings.HasPrefix(string(t.Source[at:]), doc.Name) {
			return Script{}, false
		}
		out.Text += doc.Name
		if n := strings.IndexByte(string(t.Source[at:]), '\n'); n >= 0 {
			at += n + 1
		}
		line++
	}
	return out, true
}

// behindTabs passes over the tabs that a line of <<- begins with.
func (t *Template) behindTabs(at int, chomp bool) int {
	for chomp && at < len(t.Source) && t.Source[at] == '\t' {
		at++
	}
	return at
}

// bodies is where the heredocs of an instruction begin, and in which line.
func (t *Template) bodies(in *instruction) (at, line int) {
	last := in.pieces[len(in.pieces)-1]
	at, line = int(last.source+last.size), int(last.line)
	n := strings.IndexByte(string(t.Source[at:]), '\n')
	if n < 0 {
		return len(t.Source), line
	}
	return at + n + 1, line + 1
}

// cut gives the pieces of a range of the joined line, counted from its begin.
func (in *instruction) cut(from, to int) []piece {
	var list []piece
	for _, p := range in.pieces {
		first, last := max(int(p.at), from), min(int(p.at+p.size), to)
		if first < last {
			list = append(list, newPiece(first-from, int(p.source)+first-int(p.at), last-first, int(p.line)))
		}
	}
	return list
}

// Place is where a byte of the script stands in the file. It reports false for the
// newlines that stand between the command and its heredocs.
func (s Script) Place(at int) (offset, line int, ok bool) {
	for _, p := range s.pieces {
		if at >= int(p.at) && at < int(p.at+p.size) {
			return int(p.source) + at - int(p.at), int(p.line), true
		}
	}
	return 0, 0, false
}
