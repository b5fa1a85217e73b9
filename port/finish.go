package port

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/template"
)

// finish makes the edits of all changes, and leaves those out that would not be
// what they are meant to be.
func (w *work) finish() (Result, error) {
	w.oneOrigin()
	kept := slices.Clone(w.changes)
	source, err := w.apply(kept)
	if err == nil {
		err = w.prove(source, kept)
	}
	if err != nil {
		kept = slices.DeleteFunc(kept, func(c change) bool {
			alone, err := w.apply([]change{c})
			return err != nil || w.prove(alone, []change{c}) != nil
		})
		if source, err = w.apply(kept); err == nil {
			err = w.prove(source, kept)
		}
	}
	if err != nil {
		return Result{}, fmt.Errorf("porting %s: %w", w.t.File, err)
	}
	out := Result{Source: source, Config: w.Config}
	done := map[int]bool{}
	for _, c := range kept {
		for _, i := range c.findings {
			if !done[i] {
				done[i] = true
				out.Done = append(out.Done, w.Findings[i])
			}
		}
		out.Args = append(out.Args, c.args...)
		out.Bases = append(out.Bases, c.rules...)
		out.Gaps = append(out.Gaps, c.gaps...)
	}
	slices.SortFunc(out.Done, func(a, b lint.Finding) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.ID, b.ID)) })
	out.Args, out.Bases = unique(out.Args), unique(out.Bases)
	if len(kept) > 0 {
		if out.Config, err = extend(w.Config, w.wanted, out.Args, out.Bases); err != nil {
			return Result{}, err
		}
	}
	out.Gaps = locate(out)
	return out, nil
}

// oneOrigin keeps the changes of one platform that the file was written for: that of most.
func (w *work) oneOrigin() {
	count := make([]int, len(w.Platforms))
	for _, c := range w.changes {
		if c.written >= 0 {
			count[c.written] += len(c.edits)
		}
	}
	if len(count) == 0 {
		return
	}
	most := slices.Index(count, slices.Max(count))
	w.changes = slices.DeleteFunc(w.changes, func(c change) bool { return c.written >= 0 && c.written != most })
}

// apply makes the edits, and adds the lines that they need.
func (w *work) apply(changes []change) ([]byte, error) {
	var list []edit
	for _, c := range changes {
		list = append(list, c.edits...)
	}
	for _, line := range w.lines(changes) {
		list = append(list, line.edit)
	}
	slices.SortStableFunc(list, func(a, b edit) int {
		return cmp.Or(cmp.Compare(a.span.Start, b.span.Start), cmp.Compare(a.span.End, b.span.End))
	})
	var out []byte
	at := 0
	for _, e := range list {
		if e.span.Start < at {
			return nil, fmt.Errorf("two edits of line %d overlap", lineOf(w.t.Source, e.span.Start))
		}
		out = append(append(out, w.t.Source[at:e.span.Start]...), e.new...)
		at = e.span.End
	}
	return append(out, w.t.Source[at:]...), nil
}

// added are lines with ARGs that are put before a step.
type added struct {
	edit
	stage, step int
	// count is the number of instructions.
	count int
}

// lines are the ARGs that changes need, each before the first step that needs it.
func (w *work) lines(changes []change) []added {
	type place struct{ stage, step int }
	needs := map[place][]string{}
	have := map[int]map[string]bool{}
	sorted := slices.Clone(changes)
	slices.SortStableFunc(sorted, func(a, b change) int { return cmp.Or(cmp.Compare(a.stage, b.stage), cmp.Compare(a.step, b.step)) })
	var order []place
	for _, c := range sorted {
		at := place{c.stage, c.step}
		if have[c.stage] == nil {
			have[c.stage] = map[string]bool{}
		}
		for _, arg := range c.declares {
			if have[c.stage][arg] || w.declared(c.stage, c.step, arg) {
				continue
			}
			have[c.stage][arg] = true
			if len(needs[at]) == 0 {
				order = append(order, at)
			}
			needs[at] = append(needs[at], arg)
		}
	}
	var list []added
	for _, at := range order {
		offset := w.above(at.stage, at.step)
		lines := argLines(needs[at])
		text := ""
		for _, line := range lines {
			text += line + w.newline(offset)
		}
		list = append(list, added{edit{template.Span{Start: offset, End: offset}, text}, at.stage, at.step, len(lines)})
	}
	return list
}

// argLines writes ARGs: those that BuildKit sets in one line, each other in its own.
func argLines(args []string) []string {
	var automatic, others []string
	for _, arg := range args {
		if strings.Contains(arg, "=") {
			others = append(others, "ARG "+arg)
		} else {
			automatic = append(automatic, arg)
		}
	}
	if len(automatic) > 0 {
		others = append([]string{"ARG " + strings.Join(automatic, " ")}, others...)
	}
	return others
}

// above is where lines go that are put before a step: above the comment that belongs to it.
func (w *work) above(stage, step int) int {
	at := w.steps[stage][step].Span.Start
	for at > 0 {
		begin := bytes.LastIndexByte(w.t.Source[:at-1], '\n') + 1
		line := strings.TrimSpace(string(w.t.Source[begin:at]))
		if !strings.HasPrefix(line, "#") || w.isRule(lineOf(w.t.Source, begin)) {
			break
		}
		at = begin
	}
	return at
}

// isRule says whether a line is a comment that says what a FROM stands for.
func (w *work) isRule(line int) bool {
	return slices.ContainsFunc(w.t.Rules, func(r template.InFileRule) bool { return r.Line == line })
}

// newline is the line end of the line before a place.
func (w *work) newline(at int) string {
	if bytes.HasSuffix(w.t.Source[:at], []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

// locate finds the lines of the gaps in the ported files.
func locate(out Result) []Gap {
	gaps := slices.Clone(out.Gaps)
	for i := range gaps {
		text := out.Source
		if gaps[i].File == ConfigName {
			text = out.Config
		}
		at := bytes.Index(text, []byte(gaps[i].mark))
		if at >= 0 {
			gaps[i].Line = lineOf(text, at)
		}
	}
	slices.SortStableFunc(gaps, func(a, b Gap) int { return cmp.Or(-cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line)) })
	return slices.Compact(gaps)
}

func unique[T comparable](list []T) []T {
	var out []T
	for _, e := range list {
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}
