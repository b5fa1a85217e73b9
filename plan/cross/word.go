package cross

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// word is one word of a command, evaluated. Parts of it may be unknown.
type word struct {
	text string
	// raw is the word as it is written, for messages.
	raw string
	// loose tells that it may be any number of words, varies that a variable is in it.
	loose, varies bool
}

// longestValue is more than any sensible word has; what is longer is unknown.
const longestValue = 4096

// guard keeps a blank that was quoted from splitting a word.
const guard = "\x01"

// fields evaluates a word as the arguments of a command are.
func (x *shell) fields(w *syntax.Word, s state) []word {
	e := &evaluation{shell: x, state: s}
	e.parts(w.Parts, false)
	text := e.text.String()
	if !e.bare { // nothing that could split it
		return []word{{text: strings.ReplaceAll(text, guard, ""), raw: slice(x.script.Text, w), varies: e.varies}}
	}
	var list []word
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == '\x02' }) {
		list = append(list, word{text: strings.ReplaceAll(part, guard, ""), raw: slice(x.script.Text, w), loose: e.loose && !known(part), varies: e.varies})
	}
	return list
}

// field evaluates a word as one, whatever is in it.
func (x *shell) field(w *syntax.Word, s state) word {
	e := &evaluation{shell: x, state: s}
	e.parts(w.Parts, true)
	return word{text: strings.ReplaceAll(e.text.String(), guard, ""), raw: slice(x.script.Text, w), varies: e.varies}
}

// evaluation puts a word together.
type evaluation struct {
	*shell
	state state
	text  strings.Builder
	// bare tells that a variable stands in it without quotes, loose that its value is
	// not known.
	bare, loose, varies bool
}

func (e *evaluation) parts(parts []syntax.WordPart, quoted bool) {
	for _, part := range parts {
		switch p := part.(type) {
		case *syntax.Lit:
			e.literal(p.Value, quoted)
		case *syntax.SglQuoted:
			if p.Dollar {
				e.text.WriteString(unknown)
				continue
			}
			e.text.WriteString(guard + p.Value)
		case *syntax.DblQuoted:
			e.text.WriteString(guard)
			e.parts(p.Parts, true)
		case *syntax.ParamExp:
			e.varies = true
			e.value(e.parameter(p, e.state), quoted)
		case *syntax.CmdSubst:
			e.varies = true
			e.substitution(p, e.state)
			e.value(unknown, quoted)
		case *syntax.ArithmExp:
			e.varies = true
			e.touch(p.X, e.state)
			e.value(unknown, true)
		default:
			e.stay(ShellNotParsed, e.line, "a word of its script is too special to be looked into")
			e.value(unknown, quoted)
		}
		if e.text.Len() > longestValue {
			e.text.Reset()
			e.text.WriteString(unknown)
		}
	}
}

// literal adds what is written out, its escapes taken away.
func (e *evaluation) literal(text string, quoted bool) {
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) && (!quoted || strings.IndexByte("$`\"\\\n", text[i+1]) >= 0) {
			i++
			e.text.WriteString(guard)
		}
		if text[i] != 0 && text[i] != 1 && text[i] != 2 {
			e.text.WriteByte(text[i])
		}
	}
}

// value adds what a variable or a command gives.
func (e *evaluation) value(text string, quoted bool) {
	if quoted {
		e.text.WriteString(text)
		return
	}
	e.bare = true
	e.loose = e.loose || !known(text)
	e.text.WriteString(strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\n' {
			return '\x02'
		}
		return r
	}, text))
}

// substitution walks over the commands of $(…).
func (x *shell) substitution(c *syntax.CmdSubst, s state) {
	kept, inner := x.kept, x.inner
	x.kept, x.inner = true, true
	x.stmts(c.Stmts, s.clone())
	x.kept, x.inner = kept, inner
}

// parameter evaluates ${…}.
func (x *shell) parameter(p *syntax.ParamExp, s state) string {
	if p.Param == nil || p.Excl || p.NestedParam != nil || p.Names != 0 {
		x.stay(ShellNotParsed, x.line, "a variable is named by another one")
		return unknown
	}
	name := p.Param.Value
	x.asks(name, s)
	v, set := s.vars[name]
	if p.Index != nil || p.Slice != nil || p.Repl != nil || p.Length || p.Width || p.IsSet {
		x.inside(p, s)
		return unknown
	}
	if p.Exp == nil {
		if !set {
			return unknown
		}
		return v.text
	}
	alternative := ""
	if p.Exp.Word != nil {
		alternative = x.field(p.Exp.Word, s).text
	}
	switch p.Exp.Op {
	case syntax.DefaultUnset, syntax.DefaultUnsetOrNull:
		if set && known(v.text) && v.text != "" {
			return v.text
		}
		if set && v.text == "" && p.Exp.Op == syntax.DefaultUnsetOrNull {
			return alternative
		}
		return unknown
	case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
		if set {
			return v.text
		}
	case syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
		if set && known(v.text) && v.text != "" {
			return alternative
		}
	}
	return unknown
}

// inside evaluates the words that an expansion holds.
func (x *shell) inside(p *syntax.ParamExp, s state) {
	if p.Index != nil {
		x.touch(p.Index, s)
	}
	if p.Slice != nil {
		for _, n := range []syntax.ArithmExpr{p.Slice.Offset, p.Slice.Length} {
			if n != nil {
				x.touch(n, s)
			}
		}
	}
	if p.Repl != nil {
		for _, n := range []*syntax.Word{p.Repl.Orig, p.Repl.With} {
			if n != nil {
				x.field(n, s)
			}
		}
	}
}

// asks notes a variable that holds the machine.
func (x *shell) asks(name string, s state) {
	v, set := s.vars[name]
	for _, known := range machine {
		if name == known && (!set || v.line == 0) {
			x.stay(ArchAsked, x.line, "$%s tells the machine", name)
		}
	}
	if isPlatformArg(name) && !set {
		x.stay(AuthorDecided, x.line, "its author uses %s", name)
	}
}
