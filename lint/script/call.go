package script

import (
	"path"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// redirects gives the files that output goes to, and the texts that come in.
func (s *state) redirects(st *syntax.Stmt) (into, input []Word) {
	for _, r := range st.Redirs {
		switch r.Op {
		case syntax.Hdoc, syntax.DashHdoc:
			if r.Hdoc != nil {
				input = append(input, s.word(r.Hdoc))
			}
		case syntax.WordHdoc:
			input = append(input, s.word(r.Word))
		case syntax.RdrIn, syntax.RdrInOut, syntax.DplIn, syntax.DplOut:
			s.word(r.Word)
		default:
			if target := s.word(r.Word); !strings.HasPrefix(target.Text, "/dev/") {
				into = append(into, target)
			}
		}
	}
	return into, input
}

// call is a simple command.
func (s *state) call(st *syntax.Stmt, c *syntax.CallExpr) {
	into, input := s.redirects(st)
	at, end := s.bounds(int(c.Pos().Offset()), int(c.End().Offset()))
	cmd := Command{At: at, End: end, Into: into, Input: input}
	if len(c.Args) == 0 {
		for _, a := range c.Assigns {
			cmd.Assigns = append(cmd.Assigns, s.assign(a, false))
		}
		if len(c.Assigns) > 0 {
			s.add(cmd)
		}
		return
	}
	outer := s.vars
	s.shared = s.shared || len(c.Assigns) > 0
	for _, a := range c.Assigns {
		cmd.Assigns = append(cmd.Assigns, s.assign(a, true))
	}
	seen := s.vars
	s.vars, s.shared = outer, true
	var words []Word
	for _, w := range c.Args {
		words = append(words, s.words(w)...)
	}
	if len(c.Assigns) == 0 {
		s.simple(words, input, cmd)
		return
	}
	outer, s.vars = s.vars, seen
	s.simple(words, input, cmd)
	s.vars, s.shared = outer, true
}

// assign evaluates NAME=VALUE and does it.
func (s *state) assign(a *syntax.Assign, exported bool) Assign {
	out := Assign{Exported: exported}
	if a.Name == nil {
		out.Value = s.word(a.Value)
		return out
	}
	out.Name = a.Name.Value
	out.At = int(s.place(int(a.Pos().Offset())))
	one := value{known: true, exported: exported || s.vars.values[out.Name].exported}
	switch {
	case a.Array != nil:
		for _, e := range a.Array.Elems {
			s.word(e.Value)
		}
		one.known = false
	case a.Value != nil:
		out.Value = s.word(a.Value)
		one.text, one.varying = out.Value.text(), out.Value.Varying
		if strings.Contains(one.text.s, "$()") && out.Value.Varying {
			one.known = false
		}
	}
	if a.Index != nil {
		one.known = false
	}
	if a.Append {
		old := s.vars.values[out.Name]
		one.known = one.known && old.known
		var joined builder
		joined.add(old.text)
		joined.add(one.text)
		one.text, one.varying = joined.text(), one.varying || old.varying
	}
	out.Exported = one.exported
	s.set(out.Name, one)
	return out
}

// declare is export, local and the like, where the parser takes them for a part of the language.
func (s *state) declare(c *syntax.DeclClause) {
	at, end := s.bounds(int(c.Pos().Offset()), int(c.End().Offset()))
	cmd := Command{Name: c.Variant.Value, At: at, End: end}
	cmd.First = Word{Text: cmd.Name, Raw: cmd.Name, At: at, End: at + len(cmd.Name)}
	for _, a := range c.Args {
		switch {
		case a.Naked && a.Name != nil:
			v := s.vars.values[a.Name.Value]
			v.exported = true
			if _, set := s.vars.values[a.Name.Value]; set {
				s.set(a.Name.Value, v)
			}
		case a.Naked:
			cmd.Args = append(cmd.Args, s.words(a.Value)...)
		default:
			cmd.Assigns = append(cmd.Assigns, s.assign(a, cmd.Name == "export"))
		}
	}
	s.add(cmd)
}

// simple gives a command of words, and walks into what it runs.
func (s *state) simple(words, input []Word, cmd Command) {
	words = unwrap(words, &cmd)
	if len(words) == 0 {
		if len(cmd.Assigns) > 0 {
			s.add(cmd)
		}
		return
	}
	cmd.First, cmd.Args = words[0], words[1:]
	cmd.Name = path.Base(words[0].Text)
	if f, ok := s.functions[cmd.Name]; ok && s.depth < deepestCalls {
		s.add(cmd)
		s.callFunction(f, cmd)
		return
	}
	if inner, ok := commandOf(cmd); ok {
		if len(cmd.Assigns) > 0 {
			s.add(Command{At: cmd.At, End: cmd.End, Assigns: cmd.Assigns})
		}
		if s.nested(inner) {
			return
		}
	}
	s.builtin(&cmd)
	s.add(cmd)
	if isShell(cmd.Name) && len(input) == 1 && len(cmd.Args) == 0 {
		s.nested(input[0])
	}
	if s.condition && (cmd.Name == "[" || cmd.Name == "test" || strings.HasSuffix(cmd.Name, "grep") || cmd.Name == "expr") {
		for _, w := range cmd.Args {
			s.compared(w)
		}
	}
}

// builtin does what commands do to the shell itself.
func (s *state) builtin(cmd *Command) {
	switch cmd.Name {
	case "export", "readonly", "local", "declare", "typeset":
		for _, w := range cmd.Args {
			name, _, given := strings.Cut(w.Text, "=")
			if given && syntax.ValidName(name) {
				part := w.Cut(len(name)+1, len(w.Text))
				cmd.Assigns = append(cmd.Assigns, Assign{Name: name, Value: part, Exported: cmd.Name == "export", At: w.At})
				s.set(name, value{text: part.text(), known: !w.Varying || !strings.Contains(part.Text, "$()"), varying: w.Varying, exported: cmd.Name == "export"})
			}
		}
	case "read":
		for _, w := range cmd.Args {
			if syntax.ValidName(w.Text) {
				s.set(w.Text, value{varying: s.pipe > 0 && s.varyingPipe()})
			}
		}
	case "unset":
		for _, w := range cmd.Args {
			s.set(w.Text, value{known: true})
		}
	case "exit", "return":
		s.ended = true
		s.failed = len(cmd.Args) > 0 && cmd.Args[0].Text != "0"
	}
}

// varyingPipe tells that the pipeline in hand has been given what varies.
func (s *state) varyingPipe() bool {
	for i := len(s.out.Commands) - 1; i >= 0 && s.out.Commands[i].Pipe == s.pipe; i-- {
		c := s.out.Commands[i]
		if Asks(c) != "" || tells(c) {
			return true
		}
		for _, w := range c.Args {
			if w.Varying {
				return true
			}
		}
	}
	return false
}

// callFunction walks over the body of a function.
func (s *state) callFunction(f function, cmd Command) {
	source, place, vars := s.source, s.place, s.vars
	s.source, s.place = f.source, f.place
	s.depth++
	kept := map[string]value{}
	for i := range 10 {
		name := strconv.Itoa(i)
		kept[name] = s.vars.values[name]
		if i == 0 {
			continue
		}
		one := value{known: true}
		if i <= len(cmd.Args) {
			w := cmd.Args[i-1]
			one.text, one.varying = w.text(), w.Varying
		}
		s.set(name, one)
	}
	s.stmt(f.body)
	for name, v := range kept {
		if _, was := vars.values[name]; was {
			s.set(name, v)
		}
	}
	s.depth--
	s.ended = false
	s.source, s.place = source, place
}

// nested walks over a script that is a word of the one in hand: sh -c '…'.
func (s *state) nested(w Word) bool {
	if strings.TrimSpace(w.Text) == "" {
		return false
	}
	source, place := s.source, s.place
	s.source = w.Text
	s.place = func(at int) int32 {
		if at < 0 || at >= len(w.places) {
			return -1
		}
		return w.places[at]
	}
	s.depth++
	first := len(s.out.Commands)
	ok := true
	s.apart(func() { ok = s.parse([]syntax.LangVariant{syntax.LangBash}) })
	s.depth--
	s.source, s.place = source, place
	return ok && len(s.out.Commands) > first
}

func isShell(name string) bool {
	return name == "sh" || name == "bash" || name == "ash" || name == "dash" || name == "zsh" || name == "ksh"
}

// commandOf is the script that a command gives to a shell: sh -c '…', su -c '…', eval.
func commandOf(c Command) (Word, bool) {
	switch {
	case isShell(c.Name) || c.Name == "su" || c.Name == "runuser":
		for i, w := range c.Args {
			if strings.HasPrefix(w.Text, "-") && !strings.HasPrefix(w.Text, "--") && strings.HasSuffix(w.Text, "c") && i+1 < len(c.Args) {
				return c.Args[i+1], true
			}
			if !strings.HasPrefix(w.Text, "-") && isShell(c.Name) && w.Text != "pipefail" {
				return Word{}, false
			}
		}
	case c.Name == "eval" && len(c.Args) == 1:
		return c.Args[0], true
	}
	return Word{}, false
}
