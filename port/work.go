package port

import (
	"bytes"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// edit puts text in place of some bytes of the Dockerfile.
type edit struct {
	span template.Span
	new  string
}

// change is what is done to one instruction: all of it or nothing.
type change struct {
	stage int
	// step is the instruction's index in Template.Steps(stage); below 0 for a FROM
	// and what stands before the first.
	step  int
	edits []edit
	// declares are the ARGs that it needs before it, as they are written.
	declares []string
	// was are the values of variables with which it says what it said before.
	was map[string]string
	// written is the platform that it was written for, an index in Request.Platforms.
	written int
	// free says that another proof holds than that of equal words: a FROM, a cache id.
	free     bool
	findings []int
	args     []Arg
	rules    []Base
	gaps     []Gap
}

// work is a Dockerfile while it is ported.
type work struct {
	Request
	t *template.Template
	// wanted are the platforms of the request, Platforms those with the one it was written for.
	wanted []platform.Platform
	steps  [][]template.Step
	names  names
	flags  []flag
	// stems are the names of files that are edited, up to the architecture, with what
	// the platforms have in its place; kept are those that stay: of files of the context,
	// which has them for one platform only, and of commands that hold no variables.
	stems   map[string]origin
	kept    map[string]bool
	changes []change
}

// origin is what a name is made of.
type origin struct {
	values choice
	own    int
	// fetched says that it stands in a URL, whose project's names count.
	fetched bool
}

// remember notes the name of a file that is edited, and gives what it is made of.
func (w *work) remember(stem, raw string, values choice, own int) (choice, int) {
	if stem == "" {
		return values, own
	}
	if known, ok := w.stems[stem]; ok && (known.fetched || !looksFetched(raw)) {
		return known.values, known.own
	}
	w.stems[stem] = origin{values, own, looksFetched(raw)}
	return values, own
}

// flag is a finding as the bytes that it is about.
type flag struct {
	finding int
	id      string
	spans   []template.Span
}

func newWork(r Request) *work {
	wanted := r.Platforms
	if r.Written != (platform.Platform{}) && !slices.Contains(wanted, r.Written) {
		r.Platforms = append([]platform.Platform{r.Written}, wanted...)
	}
	w := &work{wanted: wanted, Request: r, t: r.Template, stems: map[string]origin{}, kept: map[string]bool{}}
	w.names = names{source: string(r.Template.Source) + "\n" + string(r.Config), taken: map[string]string{}}
	for stage := range w.t.Stages {
		w.steps = append(w.steps, w.t.Steps(stage))
	}
	w.keep()
	for i, f := range r.Findings {
		if f.Severity == lint.Info || f.File != w.t.File {
			continue
		}
		spans := f.Spans
		if len(spans) == 0 {
			spans = []template.Span{w.line(f.Line)}
		}
		w.flags = append(w.flags, flag{i, f.ID, spans})
	}
	return w
}

// line is the span of a line, counted from 1.
func (w *work) line(number int) template.Span {
	at := 0
	for i := 1; i < number; i++ {
		n := bytes.IndexByte(w.t.Source[at:], '\n')
		if n < 0 {
			return template.Span{Start: len(w.t.Source), End: len(w.t.Source)}
		}
		at += n + 1
	}
	end := len(w.t.Source)
	if n := bytes.IndexByte(w.t.Source[at:], '\n'); n >= 0 {
		end = at + n
	}
	return template.Span{Start: at, End: end}
}

// flagged gives the findings of some rules that are about some bytes.
func (w *work) flagged(start, end int, ids ...string) []int {
	var list []int
	for _, f := range w.flags {
		if !slices.Contains(ids, f.id) {
			continue
		}
		if slices.ContainsFunc(f.spans, func(s template.Span) bool { return start < s.End && end > s.Start }) {
			list = append(list, f.finding)
		}
	}
	return list
}

// about gives the findings about a word of an instruction, in one part of which stands
// what a span is about. Of several findings of a rule in one line lint reports the first:
// another URL or path in that line, and all of a command that makes links, are meant as well.
func (w *work) about(word, part template.Span) []int {
	if list := w.flagged(word.Start, word.End, literal...); len(list) > 0 {
		return list
	}
	if list := w.flaggedLine(lineOf(w.t.Source, part.Start), "arch-link"); len(list) > 0 {
		return list
	}
	if strings.Contains(w.text(word), "/") {
		return w.flaggedLine(lineOf(w.t.Source, part.Start), "arch-literal")
	}
	return nil
}

// stage ports the instructions of a stage.
func (w *work) stage(stage int) {
	for i, step := range w.steps[stage] {
		if len(w.flagged(step.Span.Start, step.Span.End, portable...)) == 0 && !w.follows(step) {
			continue
		}
		w.instruction(stage, i)
	}
}

// portable are the rules whose findings are in instructions of a stage and can be edited.
var portable = []string{"arch-literal", "arch-link", "arch-asked", "checksum-one-arch", "download-unnamed-arch", "cache-shared"}

// literal are those that are about the word for an architecture.
var literal = []string{"arch-literal", "arch-link"}

// follows says whether an instruction names a file as an edited one does.
func (w *work) follows(step template.Step) bool {
	text := string(w.t.Source[step.Span.Start:step.Span.End])
	for stem := range w.stems {
		if strings.Contains(text, stem) {
			return true
		}
	}
	return false
}

// add takes a change up, unless there is nothing in it.
func (w *work) add(c change) {
	if len(c.edits) > 0 || len(c.args) > 0 || len(c.rules) > 0 {
		w.changes = append(w.changes, c)
	}
}

// inQuotes takes the quotes that a variable leaves empty into its edit. Single quotes hold
// no others, so one beside the edit opens or closes those that it stands in.
func (w *work) inQuotes(e edit, quote quoting) edit {
	source := w.t.Source
	if quote != single {
		return e
	}
	if e.span.Start > 0 && source[e.span.Start-1] == '\'' {
		e.span.Start--
		e.new = strings.TrimPrefix(e.new, "'")
	}
	if e.span.End < len(source) && source[e.span.End] == '\'' {
		e.span.End++
		e.new = strings.TrimSuffix(e.new, "'")
	}
	return e
}

// text is what stands in some bytes of the file.
func (w *work) text(s template.Span) string { return string(w.t.Source[s.Start:s.End]) }

// lineOf is the number of the line of a byte, counted from 1.
func lineOf(source []byte, at int) int { return bytes.Count(source[:at], []byte("\n")) + 1 }
