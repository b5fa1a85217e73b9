package cross

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// redirects notes where output goes; it returns the files.
func (x *shell) redirects(st *syntax.Stmt, s state) []string {
	var files []string
	for _, r := range st.Redirs {
		if r.Hdoc != nil {
			x.field(r.Hdoc, s)
		}
		target := word{text: unknown}
		if r.Word != nil {
			target = x.field(r.Word, s)
		}
		first := r.N == nil || r.N.Value == "1"
		switch r.Op {
		case syntax.RdrIn, syntax.RdrInOut:
			x.reads(target, s)
		case syntax.WordHdoc, syntax.Hdoc, syntax.DashHdoc, syntax.DplIn:
		case syntax.DplOut:
			if first && target.text == "2" {
				x.kept = false
			}
		default:
			if !known(target.text) {
				x.kept = true
				files = append(files, unknown)
				continue
			}
			if name := s.abs(target.text); strings.HasPrefix(name, "/dev/") {
				if first && name != "/dev/stdout" {
					x.kept = false
				}
				continue
			}
			x.kept = x.kept || first || r.Op == syntax.RdrAll || r.Op == syntax.AppAll
			files = append(files, target.text)
		}
	}
	return files
}

// reads notes that a command reads a file.
func (x *shell) reads(target word, s state) {
	switch name := s.abs(target.text); {
	case asksKernel(name):
		x.stay(ArchAsked, x.line, "%s tells the machine", name)
	case target.text != "" && (name == "" || x.isNative(name)) && !strings.HasPrefix(target.text, unknown):
		x.stay(TargetPackagesLeave, x.line, "what %s holds goes on", target.raw)
	}
}

// asksKernel tells whether a file is one of those by which the kernel tells the machine.
func asksKernel(name string) bool {
	return (strings.HasPrefix(name, "/proc/") && !strings.HasPrefix(name, "/proc/self/fd")) || strings.HasPrefix(name, "/sys/") || name == "/proc" || name == "/sys"
}

// call evaluates a simple command.
func (x *shell) call(st *syntax.Stmt, c *syntax.CallExpr, s state, files []string) state {
	if len(c.Args) == 0 {
		for _, a := range c.Assigns {
			s = x.assignment(a, s, false)
		}
		return s
	}
	vars := s
	for _, a := range c.Assigns {
		vars = x.assignment(a, vars, true)
	}
	var words []word
	for _, w := range c.Args {
		words = append(words, x.fields(w, s)...)
	}
	if len(words) == 0 || !known(words[0].text) || words[0].loose || words[0].varies {
		x.stay(ShellNotParsed, x.line, "which command is run is in a variable")
		return s
	}
	cmd := &command{
		line: x.line, name: words[0].text, args: words[1:], vars: vars, kept: x.kept, inner: x.inner, script: x.script,
		shown: slice(x.script.Text, c), from: int(c.Pos().Offset()), at: int(c.Args[0].Pos().Offset()), end: int(c.End().Offset()), redirected: len(st.Redirs) > 0,
	}
	for _, name := range files {
		name = s.abs(name)
		if belowAny(name, commandFolders) {
			x.stay(UnknownCommand, x.line, "a command writes among the commands of the base: %s", name)
		}
		cmd.files = append(cmd.files, name)
	}
	if out, ok := x.builtin(cmd, s); ok {
		return out
	}
	x.command(cmd)
	for _, name := range cmd.files {
		x.wrote(name)
	}
	return s
}

// slice is the text of a part of the tree, as it is written.
func slice(text string, n syntax.Node) string {
	from, to := int(n.Pos().Offset()), int(n.End().Offset())
	if from > to || to > len(text) {
		return ""
	}
	return text[from:to]
}

// builtin are the commands that change the shell itself.
func (x *shell) builtin(c *command, s state) (state, bool) {
	switch c.name {
	case "cd":
		s = s.clone()
		dir := s.vars["HOME"].text
		if args := c.operands(""); len(args) > 0 {
			dir = args[0].text
		}
		s.dir = s.abs(dir)
	case "export", "readonly":
		s = s.clone()
		if c.kept && len(c.args) == 0 {
			x.stay(ArchAsked, c.line, "%s tells what the base image says", c.name)
		}
		for _, arg := range c.args {
			name, text, given := strings.Cut(arg.text, "=")
			if !syntax.ValidName(name) || arg.loose {
				x.stay(ShellNotParsed, c.line, "%s", c.text())
				continue
			}
			v := s.vars[name]
			if given {
				v.text, v.line = text, c.line
				x.judge(name, text, c.line)
			}
			v.exported = v.exported || c.name == "export"
			s.vars[name] = v
		}
	case "unset":
		s = s.clone()
		for _, arg := range c.args {
			delete(s.vars, arg.text)
		}
	case "read":
		s = s.clone()
		for _, arg := range c.args {
			s.set(arg.text, unknown, c.line)
		}
	case "set":
		if c.kept && len(c.args) == 0 {
			x.stay(ArchAsked, c.line, "set tells what the shell knows of the machine")
		}
		for _, arg := range c.args {
			if arg.text == "-a" || arg.text == "allexport" || strings.HasPrefix(arg.text, "-") && !strings.HasPrefix(arg.text, "--") && strings.Contains(arg.text, "a") {
				x.stay(ShellNotParsed, c.line, "set -a exports what follows")
			}
		}
	case "exit", "return":
		s = s.clone()
		s.dead = true
	case ".", "source":
		x.stay(ScriptNotSeen, c.line, "%s reads a script into the shell", c.text())
	case "eval":
		x.stay(ShellNotParsed, c.line, "eval runs what cannot be read")
	case "trap", "alias", "pushd", "popd", "enable", "hash", "local", "declare", "typeset", "shopt", "unalias":
		if c.name == "shopt" {
			break
		}
		x.stay(ShellNotParsed, c.line, "%s changes what the script does", c.name)
	default:
		return s, false
	}
	return s, true
}
