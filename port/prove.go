package port

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/syntax"

	"github.com/archbuild/archbuild/template"
)

// prove checks that an edited file says the same as before to the platform that it was
// written for: the same instructions in the same order, but for the ARGs that were
// added, and those that were edited with the same words once their variables are filled in.
func (w *work) prove(source []byte, changes []change) error {
	now, err := template.Parse(w.t.File, source)
	if err != nil {
		return err
	}
	if len(now.Stages) != len(w.t.Stages) || len(now.References) != len(w.t.References) {
		return fmt.Errorf("stages or images appear")
	}
	type place struct{ stage, step int }
	more, was := map[place]int{}, map[place]map[string]string{}
	for _, line := range w.lines(changes) {
		more[place{line.stage, line.step}] = line.count
	}
	free := map[place]bool{}
	for _, c := range changes {
		at := place{c.stage, c.step}
		if was[at] == nil {
			was[at] = map[string]string{}
		}
		for name, text := range c.was {
			was[at][name] = text
		}
		free[at] = free[at] || c.free
	}
	for stage, steps := range w.steps {
		list := now.Steps(stage)
		for i, old := range steps {
			at := place{stage, i}
			for range more[at] {
				if len(list) == 0 {
					return fmt.Errorf("line %d: an instruction is missing", old.Line)
				}
				if _, ok := list[0].Command.(*instructions.ArgCommand); !ok {
					return fmt.Errorf("line %d: what is added is no ARG", old.Line)
				}
				list = list[1:]
			}
			if len(list) == 0 {
				return fmt.Errorf("line %d: an instruction is missing", old.Line)
			}
			if err := w.same(old, now, list[0], was[at], free[at]); err != nil {
				return fmt.Errorf("line %d: %w", old.Line, err)
			}
			list = list[1:]
		}
		if len(list) > 0 {
			return fmt.Errorf("line %d: an instruction appears", list[0].Line)
		}
	}
	return nil
}

// same compares an instruction with what it became.
func (w *work) same(old template.Step, t *template.Template, now template.Step, was map[string]string, free bool) error {
	if was == nil {
		if !bytes.Equal(w.t.Source[old.Span.Start:old.Span.End], t.Source[now.Span.Start:now.Span.End]) {
			return fmt.Errorf("it changes, and nothing was to be changed there")
		}
		return nil
	}
	if reflect.TypeOf(old.Command) != reflect.TypeOf(now.Command) {
		return fmt.Errorf("it becomes another instruction")
	}
	if free {
		return nil
	}
	if _, ok := old.Command.(*instructions.RunCommand); ok {
		before, err := spoken(w.t, old, was)
		if err != nil {
			return err
		}
		after, err := spoken(t, now, was)
		if err != nil {
			return err
		}
		if !slices.Equal(before, after) {
			return fmt.Errorf("its words change")
		}
		return nil
	}
	if !slices.Equal(evaluated(w.t, old, was), evaluated(t, now, was)) {
		return fmt.Errorf("its words change")
	}
	return nil
}

// spoken are the words of a RUN with variables filled in and quotes taken away. The case
// that sets these variables is left out.
func spoken(t *template.Template, step template.Step, was map[string]string) ([]string, error) {
	script, ok := t.Script(step)
	if !ok {
		return nil, fmt.Errorf("its script does not stand in the file as it is run")
	}
	if script.JSON {
		return []string{script.Text}, nil
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(script.Text), "")
	if err != nil {
		return nil, err
	}
	var list []string
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CaseClause:
			return !isOurs(script.Text, n)
		case *syntax.CmdSubst:
			_, replaced := was[script.Text[n.Pos().Offset():n.End().Offset()]]
			return !replaced
		case *syntax.Assign:
			if n.Name != nil {
				list = append(list, n.Name.Value+"=")
			}
		case *syntax.Word:
			list = append(list, flat(script.Text, n.Parts, was))
		case *syntax.Redirect:
			list = append(list, n.Op.String())
		}
		return true
	})
	return list, nil
}

// isOurs tells the case that chooses writes.
func isOurs(text string, n *syntax.CaseClause) bool {
	on := text[n.Word.Pos().Offset():n.Word.End().Offset()]
	all := text[n.Pos().Offset():n.End().Offset()]
	return (strings.HasPrefix(on, `"$TARGETARCH`) || strings.HasPrefix(on, `"$BUILDARCH`)) && strings.Contains(all, ` for `+strings.Trim(on, `"`)+`" >&2; exit 1 ;;`)
}

// flat is a word as its parts are in a row, variables that are known filled in.
func flat(text string, parts []syntax.WordPart, was map[string]string) string {
	var b strings.Builder
	for _, part := range parts {
		switch p := part.(type) {
		case *syntax.Lit:
			b.WriteString(p.Value)
			continue
		case *syntax.SglQuoted:
			if !p.Dollar {
				b.WriteString(p.Value)
				continue
			}
		case *syntax.DblQuoted:
			if !p.Dollar {
				b.WriteString(flat(text, p.Parts, was))
				continue
			}
		case *syntax.ParamExp:
			if value, known := was[p.Param.Value]; known && p.Exp == nil && p.Repl == nil && p.Slice == nil && !p.Length {
				b.WriteString(value)
				continue
			}
		}
		raw := text[part.Pos().Offset():part.End().Offset()]
		if value, known := was[raw]; known {
			raw = value
		}
		b.WriteString(filled(raw, was))
	}
	return b.String()
}

// filled puts values of variables into a command inside of a word, and leaves quotes out.
func filled(raw string, was map[string]string) string {
	pairs := []string{`"`, "", `'`, ""} // the words inside are compared by themselves
	for _, name := range slices.Sorted(maps.Keys(was)) {
		pairs = append(pairs, "${"+name+"}", was[name], "$"+name, was[name])
	}
	return strings.NewReplacer(pairs...).Replace(raw)
}

// evaluated are the words of an instruction that has no shell, as BuildKit fills them in.
func evaluated(t *template.Template, step template.Step, was map[string]string) []string {
	var list []string
	add := func(texts ...string) {
		for _, text := range texts {
			full, ok := t.Expand(text, func(name string) (string, bool) {
				if value, known := was[name]; known {
					return value, true
				}
				return "\x00" + name + "\x00", true
			})
			if !ok {
				full = text
			}
			list = append(list, full)
		}
	}
	switch c := step.Command.(type) {
	case *instructions.EnvCommand:
		for _, p := range c.Env {
			add(p.Key, p.Value)
		}
	case *instructions.ArgCommand:
		for _, a := range c.Args {
			add(a.Key)
			if a.Value != nil {
				add(*a.Value)
			}
		}
	case *instructions.AddCommand:
		add(c.SourcePaths...)
		add(c.DestPath, c.Checksum, c.Chown, c.Chmod)
	case *instructions.CopyCommand:
		add(c.SourcePaths...)
		add(c.DestPath, c.From, c.Chown, c.Chmod)
	case *instructions.WorkdirCommand:
		add(c.Path)
	default:
		list = append(list, string(t.Source[step.Span.Start:step.Span.End]))
	}
	return list
}
