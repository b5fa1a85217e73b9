package script

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// split keeps the place where an unquoted variable ends a word.
const split = '\x02'

// word evaluates a word as one, whatever is in it.
func (s *state) word(n *syntax.Word) Word {
	var w Word
	if n == nil {
		return w
	}
	w.Raw = s.slice(n)
	w.At, w.End = s.bounds(int(n.Pos().Offset()), int(n.End().Offset()))
	if len(n.Parts) == 1 {
		switch n.Parts[0].(type) {
		case *syntax.SglQuoted:
			w.Quote = '\''
		case *syntax.DblQuoted:
			w.Quote = '"'
		}
	}
	var t builder
	s.parts(&w, &t, n.Parts, false)
	w.fill(t.text())
	return w
}

// words evaluates a word as the arguments of a command are: a variable without quotes
// may become several.
func (s *state) words(n *syntax.Word) []Word {
	before := s.splitting
	s.splitting = true
	w := s.word(n)
	s.splitting = before
	if _, comment := n.Parts[0].(*syntax.CmdSubst); comment && w.Text == "" {
		return nil
	}
	if strings.IndexByte(w.Text, split) < 0 {
		return []Word{w}
	}
	var list []Word
	from := 0
	for i := 0; i <= len(w.Text); i++ {
		if i < len(w.Text) && w.Text[i] != split {
			continue
		}
		if i > from && len(list) < mostWords {
			list = append(list, w.Cut(from, i))
		}
		from = i + 1
	}
	return list
}

// parts adds the parts of a word.
func (s *state) parts(w *Word, t *builder, parts []syntax.WordPart, quoted bool) {
	for _, part := range parts {
		at := s.place(int(part.Pos().Offset()))
		switch p := part.(type) {
		case *syntax.Lit:
			s.literal(t, int(p.ValuePos.Offset()), int(p.ValueEnd.Offset()), quoted)
		case *syntax.SglQuoted:
			from := int(p.Left.Offset()) + 1
			if p.Dollar {
				from++
			}
			s.literalRaw(t, from, int(p.Right.Offset()))
		case *syntax.DblQuoted:
			s.parts(w, t, p.Parts, true)
		case *syntax.ParamExp:
			value := s.parameter(w, p)
			if !quoted && s.splitting {
				value.s = blanksToSplit(value.s)
			}
			t.add(value)
		case *syntax.CmdSubst:
			if s.substitution(p) {
				w.Varying = true
			}
			if len(p.Stmts) > 0 { // else it is a comment: `# like this`
				t.phrase("$()", at)
			}
		case *syntax.ProcSubst:
			s.apart(func() { s.stmts(p.Stmts) })
			t.phrase("$()", at)
		case *syntax.ArithmExp:
			s.touch(p)
			t.phrase("$()", at)
		case *syntax.ExtGlob:
			s.literalRaw(t, int(p.Pos().Offset()), int(p.End().Offset()))
		case *syntax.BraceExp:
			s.literalRaw(t, int(p.Pos().Offset()), int(p.End().Offset()))
		}
	}
}

func blanksToSplit(s string) string {
	return strings.NewReplacer(" ", string(split), "\t", string(split), "\n", string(split)).Replace(s)
}

// literal adds what is written out, its escapes taken away.
func (s *state) literal(t *builder, from, end int, quoted bool) {
	end = min(end, len(s.source))
	for i := from; i < end; i++ {
		if s.source[i] == '\\' && i+1 < end && (!quoted || strings.IndexByte("$`\"\\\n", s.source[i+1]) >= 0) {
			i++
			if s.source[i] == '\n' {
				continue
			}
		}
		if s.source[i] != split {
			t.put(s.source[i], s.place(i))
		}
	}
}

// literalRaw adds bytes as they are.
func (s *state) literalRaw(t *builder, from, end int) {
	for i := from; i < min(end, len(s.source)); i++ {
		t.put(s.source[i], s.place(i))
	}
}

// slice is a part of the script in hand.
func (s *state) slice(n syntax.Node) string {
	from, to := int(n.Pos().Offset()), int(n.End().Offset())
	if from > to || to > len(s.source) {
		return ""
	}
	return s.source[from:to]
}

// substitution walks over $(…), and tells whether what it prints depends on the architecture.
func (s *state) substitution(c *syntax.CmdSubst) bool {
	before, inner, pipe, condition := s.asked, s.inner, s.pipe, s.condition
	s.inner, s.pipe, s.condition = true, 0, false
	first := len(s.out.Commands)
	s.apart(func() { s.stmts(c.Stmts) })
	s.inner, s.pipe, s.condition = inner, pipe, condition
	if s.asked > before {
		return true
	}
	for _, c := range s.out.Commands[first:] {
		for _, w := range c.Args {
			if w.Varying {
				s.asked++
				return true
			}
		}
		for _, a := range c.Assigns {
			if a.Value.Varying {
				s.asked++
				return true
			}
		}
	}
	return false
}

// parameter evaluates ${…}.
func (s *state) parameter(w *Word, p *syntax.ParamExp) text {
	at := s.place(int(p.Pos().Offset()))
	if p.Param == nil {
		return phrase("$()", at)
	}
	name := p.Param.Value
	unknown := phrase("${"+name+"}", at)
	one := s.vars.values[name]
	w.note(name, s.vars)
	if s.vars.Varying(name) && s.condition {
		s.asked++
	}
	switch {
	case p.Excl || p.Length || p.Index != nil || p.Slice != nil || p.Repl != nil || p.Names != 0:
		return unknown
	case p.Exp == nil && one.known:
		return one.text
	case p.Exp == nil:
		return unknown
	}
	return s.expansion(p, one, unknown)
}

// expansion evaluates ${NAME:-word} and its like.
func (s *state) expansion(p *syntax.ParamExp, one value, unknown text) text {
	full := one.known && one.text.s != ""
	switch p.Exp.Op {
	case syntax.DefaultUnset, syntax.DefaultUnsetOrNull, syntax.AssignUnset, syntax.AssignUnsetOrNull:
		switch {
		case full:
			return one.text
		case s.vars.unlessGiven(p.Param.Value):
			other := s.word(p.Exp.Word)
			if strings.HasPrefix(p.Exp.Op.String(), ":=") || p.Exp.Op == syntax.AssignUnset {
				s.set(p.Param.Value, value{text: other.text(), known: true, varying: other.Varying})
			}
			return other.text()
		}
	case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
		if one.known {
			return one.text
		}
	case syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
		if full {
			return s.word(p.Exp.Word).text()
		}
	case syntax.RemSmallSuffix, syntax.RemLargeSuffix, syntax.RemSmallPrefix, syntax.RemLargePrefix:
		return s.trimmed(p, one, unknown)
	}
	return unknown
}

// trimmed evaluates ${NAME%suffix} and ${NAME#prefix} where they are plain.
func (s *state) trimmed(p *syntax.ParamExp, one value, unknown text) text {
	pattern := s.word(p.Exp.Word)
	if !one.known || pattern.Text == "" || pattern.Varying {
		return unknown
	}
	plain := !strings.ContainsAny(pattern.Text, "*?[\\$")
	t := one.text
	switch p.Exp.Op {
	case syntax.RemSmallSuffix, syntax.RemLargeSuffix:
		if plain && strings.HasSuffix(t.s, pattern.Text) {
			return t.cut(0, len(t.s)-len(pattern.Text))
		}
	default:
		if plain && strings.HasPrefix(t.s, pattern.Text) {
			return t.cut(len(pattern.Text), len(t.s))
		}
		if pattern.Text == "*/" && p.Exp.Op == syntax.RemLargePrefix {
			return t.cut(strings.LastIndexByte(t.s, '/')+1, len(t.s))
		}
	}
	if plain {
		return t
	}
	return unknown
}
