package cross

import (
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/syntax"

	"github.com/archbuild/archbuild/template"
)

// longestScript is more than any sensible RUN holds, and mostNested bounds what a
// hostile one makes of the stack.
const (
	longestScript = 64 << 10
	mostNested    = 1000
	mostTurns     = 32 // of a loop
)

// command is one simple command, its words evaluated.
type command struct {
	line int
	name string
	args []word
	// vars are the variables that it sees, those that were not exported included.
	vars state
	// kept tells that what it prints goes on: into a file, a pipe or another command.
	kept bool
	// shown is the command as it is written, for messages: what its variables hold may be secret.
	shown string
	// files are those that its output goes to.
	files []string
	// inner tells that the command stands in $(…) or `…`.
	inner bool
	// at and end bound the words of the command in the script, from is where its
	// assignments begin.
	from, at, end int
	// redirected tells that there are redirections, wrapped that env or the like stands before it.
	redirected, wrapped bool
	script              template.Script
}

// shell walks over one script.
type shell struct {
	*walk
	script template.Script
	// kept and inner hold for the commands in hand.
	kept, inner bool
}

// run looks at a RUN.
func (w *walk) run(step template.Step, c *instructions.RunCommand) {
	w.mounts(c)
	script, ok := w.Template.Script(step)
	if !ok {
		w.stay(ShellNotParsed, w.line, "the text of this RUN does not stand in the file as it is run")
		return
	}
	before := w.state.clone()
	switch {
	case script.JSON:
		w.runJSON(script)
	default:
		w.runScript(script)
	}
	w.state = before // a RUN is a process of its own
}

// runJSON looks at the JSON form: one command, no shell.
func (w *walk) runJSON(script template.Script) {
	var args []string
	if err := json.Unmarshal([]byte(script.Text), &args); err != nil || len(args) == 0 {
		w.stay(ShellNotParsed, w.line, "the JSON form is empty")
		return
	}
	c := &command{line: w.line, shown: script.Text, name: args[0], vars: w.state, at: strings.IndexByte(script.Text, '"'), script: script}
	for _, text := range args[1:] {
		c.args = append(c.args, word{text: text, raw: text})
	}
	w.command(c)
}

// runScript looks at the shell form.
func (w *walk) runScript(script template.Script) {
	variant, ok := w.variant(script)
	if !ok {
		w.stay(ShellNotParsed, w.line, "it is run by another shell: %s", w.shell[0])
		return
	}
	nested := strings.Count(script.Text, "(") + strings.Count(script.Text, "{") + strings.Count(script.Text, "`")
	if len(script.Text) > longestScript || nested > mostNested {
		w.stay(ShellNotParsed, w.line, "its script is too long to be looked into")
		return
	}
	file, err := syntax.NewParser(syntax.Variant(variant)).Parse(strings.NewReader(script.Text), "")
	if err != nil {
		w.stay(ShellNotParsed, w.line, "its script is none that can be read: %v", err)
		return
	}
	x := &shell{walk: w, script: script}
	x.stmts(file.Stmts, w.state)
}

// variant tells which language the shell of the stage reads.
func (w *walk) variant(script template.Script) (syntax.LangVariant, bool) {
	words := w.shell
	if script.Heredoc && strings.HasPrefix(script.Text, "#!") {
		first, _, _ := strings.Cut(script.Text[2:], "\n")
		words = strings.Fields(first)
		if len(words) > 1 && path.Base(words[0]) == "env" {
			words = words[1:]
		}
		words = append(slices.Clone(words), "-c")
	}
	if len(words) < 2 || !slices.ContainsFunc(words[1:], func(s string) bool {
		return strings.HasPrefix(s, "-") && !strings.HasPrefix(s, "--") && strings.HasSuffix(s, "c")
	}) {
		return 0, false
	}
	for _, option := range words[1:] {
		if strings.Trim(option, "-ceuxlo") != "" && option != "pipefail" && option != "errexit" && option != "nounset" && option != "xtrace" {
			return 0, false
		}
	}
	switch path.Base(words[0]) {
	case "sh", "ash", "dash":
		return syntax.LangPOSIX, true
	case "bash":
		return syntax.LangBash, true
	}
	return 0, false
}

// notParsed is a part of the shell's language that is not looked into.
func (x *shell) notParsed(s state, what string) (ok, failed state) {
	x.stay(ShellNotParsed, x.line, "%s", what)
	return s, s
}

// stmts walks over a list. ok and failed are the states after it succeeded and failed.
func (x *shell) stmts(list []*syntax.Stmt, s state) (ok, failed state) {
	ok, failed = s, s
	for i, stmt := range list {
		if i > 0 {
			ok = merge(ok, failed)
		}
		ok, failed = x.stmt(stmt, ok)
	}
	return ok, failed
}

// stmt walks over one statement.
func (x *shell) stmt(st *syntax.Stmt, s state) (ok, failed state) {
	if x.budget, x.work = x.budget-1, x.work-1; x.budget < 0 || x.work < 0 {
		return x.notParsed(s, "its scripts are too long to be looked into")
	}
	if st.Background || st.Coprocess || st.Disown {
		return x.notParsed(s, "a command runs in the background")
	}
	kept := x.kept
	files := x.redirects(st, s)
	switch c := st.Cmd.(type) {
	case nil:
		for _, name := range files {
			x.wrote(s.abs(name))
		}
		ok, failed = s, s
	case *syntax.CallExpr:
		ok = x.call(st, c, s, files)
		failed = ok
	default:
		ok, failed = x.compound(st, s)
		for _, name := range files {
			x.wrote(s.abs(name))
		}
	}
	x.kept = kept
	if st.Negated {
		ok, failed = failed, ok
	}
	return ok, failed
}

// compound walks over a command that holds others.
func (x *shell) compound(st *syntax.Stmt, s state) (ok, failed state) {
	switch c := st.Cmd.(type) {
	case *syntax.BinaryCmd:
		return x.binary(c, s)
	case *syntax.Block:
		return x.stmts(c.Stmts, s)
	case *syntax.Subshell:
		x.stmts(c.Stmts, s.clone())
		return s, s
	case *syntax.IfClause:
		out := x.ifClause(c, s)
		return out, out
	case *syntax.CaseClause:
		x.field(c.Word, s)
		out := s // none of them
		for _, item := range c.Items {
			for _, pattern := range item.Patterns {
				x.field(pattern, s)
			}
			a, b := x.stmts(item.Stmts, s.clone())
			out = merge(out, merge(a, b))
		}
		return out, out
	case *syntax.WhileClause:
		s = x.unsettle(c, s)
		a, b := x.stmts(c.Cond, s)
		s = merge(a, b)
		a, b = x.stmts(c.Do, s.clone())
		s = merge(s, merge(a, b))
		return s, s
	case *syntax.ForClause:
		return x.forClause(c, s)
	case *syntax.DeclClause:
		s = x.declare(c, s)
		return s, s
	case *syntax.TimeClause:
		if c.Stmt == nil {
			return s, s
		}
		return x.stmt(c.Stmt, s)
	case *syntax.TestClause, *syntax.ArithmCmd:
		x.touch(c, s)
		return s, s
	case *syntax.FuncDecl:
		return x.notParsed(s, "its script declares a function")
	}
	return x.notParsed(s, "its script is too special to be looked into")
}

func (x *shell) binary(c *syntax.BinaryCmd, s state) (ok, failed state) {
	switch c.Op {
	case syntax.AndStmt:
		a, b := x.stmt(c.X, s)
		ok, failed = x.stmt(c.Y, a)
		return ok, merge(b, failed)
	case syntax.OrStmt:
		a, b := x.stmt(c.X, s)
		ok, failed = x.stmt(c.Y, b.clone())
		return merge(a, ok), failed
	}
	kept := x.kept
	x.kept = true
	x.stmt(c.X, s.clone())
	x.kept = kept
	x.stmt(c.Y, s.clone())
	return s, s
}

func (x *shell) ifClause(c *syntax.IfClause, s state) state {
	yes, no := x.stmts(c.Cond, s)
	a, b := x.stmts(c.Then, yes.clone())
	then := merge(a, b)
	if c.Else == nil {
		return merge(then, no)
	}
	return merge(then, x.ifClause(c.Else, no.clone()))
}

// unsettle makes unknown what a loop changes while it turns.
func (x *shell) unsettle(loop syntax.Node, s state) state {
	s = s.clone()
	syntax.Walk(loop, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Assign:
			if n.Name != nil {
				s.set(n.Name.Value, unknown, x.line)
			}
		case *syntax.CallExpr:
			if len(n.Args) > 0 {
				switch n.Args[0].Lit() {
				case "cd", "pushd", "popd":
					s.dir = ""
				case "export", "read", "unset", "local", "readonly":
					for _, arg := range n.Args[1:] {
						name, _, _ := strings.Cut(strings.TrimLeft(arg.Lit(), "-"), "=")
						s.vars[name] = value{text: unknown, exported: true, line: x.line}
					}
				}
			}
		}
		return true
	})
	return s
}

// forClause walks over a loop: once for each word when all of them are known.
func (x *shell) forClause(c *syntax.ForClause, s state) (ok, failed state) {
	words, isWords := c.Loop.(*syntax.WordIter)
	var items []string
	settled := isWords && words.InPos.IsValid() && !c.Select
	if settled {
		for _, item := range words.Items {
			for _, f := range x.fields(item, s) {
				if at := s.abs(globbed(f.text)); at != f.text && isSystem(at) && strings.ContainsAny(f.text, "*?[") {
					x.stay(TargetPackagesLeave, x.line, "a loop goes over files of the system: %s", f.raw)
				}
				settled = settled && known(f.text) && !f.loose && !strings.ContainsAny(f.text, "*?[{")
				items = append(items, f.text)
			}
		}
	}
	if settled && len(items) <= mostTurns {
		for _, item := range items {
			s = s.clone()
			s.set(words.Name.Value, item, x.line)
			a, b := x.stmts(c.Do, s)
			s = merge(a, b)
			if s.dead {
				break
			}
		}
		return s, s
	}
	s = x.unsettle(c, s)
	if isWords {
		s.set(words.Name.Value, unknown, x.line)
	} else {
		x.touch(c.Loop, s)
	}
	a, b := x.stmts(c.Do, s.clone())
	s = merge(s, merge(a, b))
	return s, s
}

// declare is export and its like in bash.
func (x *shell) declare(c *syntax.DeclClause, s state) state {
	s = s.clone()
	export := c.Variant.Value == "export"
	for _, a := range c.Args {
		switch {
		case a.Name == nil && a.Value != nil:
			if x.field(a.Value, s).text != "-x" {
				x.stay(ShellNotParsed, x.line, "%s", slice(x.script.Text, c))
			}
			export = true
		case a.Name != nil && a.Naked:
			v := s.vars[a.Name.Value]
			v.exported = v.exported || export
			s.vars[a.Name.Value] = v
		case a.Name != nil:
			s = x.assignment(a, s, export)
		}
	}
	return s
}

// assignment evaluates NAME=VALUE.
func (x *shell) assignment(a *syntax.Assign, s state, export bool) state {
	s = s.clone()
	name, text := a.Name.Value, ""
	switch {
	case a.Array != nil || a.Index != nil || a.Append:
		x.touch(a, s)
		text = unknown
	case a.Value != nil:
		text = x.field(a.Value, s).text
	}
	s.set(name, text, x.line)
	if export {
		v := s.vars[name]
		v.exported = true
		s.vars[name] = v
	}
	if export || s.vars[name].exported {
		x.judge(name, text, x.line)
	}
	return s
}

// touch evaluates whatever is inside of a part of the tree, for what is run there.
func (x *shell) touch(n syntax.Node, s state) {
	syntax.Walk(n, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Word:
			x.field(n, s)
			return false
		case *syntax.ParamExp:
			x.parameter(n, s)
			return false
		case *syntax.CmdSubst:
			x.substitution(n, s)
			return false
		}
		return true
	})
}

// copyVars is a set of variables that can be changed.
func (c *command) copyVars() { c.vars.vars = maps.Clone(c.vars.vars) }
