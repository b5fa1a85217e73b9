package cross

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// handler notes what a command does to the stage, and whether it may run on
// another machine.
type handler func(*walk, *command)

// first is the first argument, for messages.
func (c *command) first() string {
	if len(c.args) == 0 {
		return ""
	}
	return c.args[0].text
}

// operands are the arguments that are no options. takes lists the options that are
// followed by a value, between blanks.
func (c *command) operands(takes string) []word {
	var list []word
	for i := 0; i < len(c.args); i++ {
		text := c.args[i].text
		switch {
		case text == "--":
			return append(list, c.args[i+1:]...)
		case strings.HasPrefix(text, "-") && text != "-":
			if slices.Contains(strings.Fields(takes), text) {
				i++
			}
		default:
			list = append(list, c.args[i])
		}
	}
	return list
}

// option is the value of an option: -o VALUE, -oVALUE for a single letter, --out VALUE or --out=VALUE.
func (c *command) option(names ...string) (string, bool) {
	for i, arg := range c.args {
		for _, name := range names {
			switch {
			case arg.text == name && i+1 < len(c.args):
				return c.args[i+1].text, true
			case strings.HasPrefix(arg.text, name+"="):
				return arg.text[len(name)+1:], true
			case len(name) == 2 && strings.HasPrefix(arg.text, name) && len(arg.text) > 2 && !strings.HasPrefix(arg.text, "--"):
				return arg.text[2:], true
			}
		}
	}
	return "", false
}

// has tells whether one of some words is among the arguments.
func (c *command) has(names ...string) bool {
	return slices.ContainsFunc(c.args, func(w word) bool { return slices.Contains(names, w.text) })
}

// text is the whole command as it is written, for messages.
func (c *command) text() string { return c.shown }

// mentions tells whether one of its words holds a text.
func (c *command) mentions(text string) bool {
	return slices.ContainsFunc(c.args, func(w word) bool { return strings.Contains(w.text, text) })
}

// handler is that of a command, or nil.
func (a *analysis) handler(name string) handler {
	for _, table := range a.tables {
		if run := table[name]; run != nil {
			return run
		}
	}
	return nil
}

// unwrap takes away the commands that run the one after them.
func (w *walk) unwrap(c *command) bool {
	for {
		switch c.name {
		case "command", "exec", "nohup", "builtin":
			if len(c.args) == 0 || strings.HasPrefix(c.args[0].text, "-") {
				return c.name == "command"
			}
		case "env", "/usr/bin/env":
			c.copyVars()
			for len(c.args) > 0 && !strings.HasPrefix(c.args[0].text, "-") {
				name, text, given := strings.Cut(c.args[0].text, "=")
				if !given || !syntax.ValidName(name) {
					break
				}
				w.judge(name, text, c.line)
				c.vars.vars[name] = value{text: text, exported: true, line: c.line}
				c.args = c.args[1:]
			}
			if len(c.args) == 0 {
				if c.kept {
					w.stay(ArchAsked, c.line, "env tells what the base image says")
				}
				return false
			}
			if strings.HasPrefix(c.args[0].text, "-") {
				w.stay(UnknownCommand, c.line, "%s", c.text())
				return false
			}
		default:
			return true
		}
		if c.args[0].varies || !known(c.args[0].text) {
			w.stay(ShellNotParsed, c.line, "which command is run is in a variable")
			return false
		}
		c.wrapped = true
		c.name, c.args = c.args[0].text, c.args[1:]
	}
}

// command judges one command.
func (w *walk) command(c *command) {
	if !w.unwrap(c) {
		return
	}
	w.words(c)
	name := c.name
	if strings.Contains(name, "/") {
		var ok bool
		if name, ok = w.program(c); !ok {
			return
		}
	} else if w.own(c, name) {
		return
	}
	if run := w.handler(name); run != nil {
		if c.kept && w.talks(name) {
			w.stay(UnknownCommand, c.line, "%s: what it prints goes on", c.text())
		}
		run(w, c)
		return
	}
	_, isTool := nodeTools[name]
	isTool = isTool || addonTools[name] || nativeTools[name] || runnerTools[name] || name == "cross-env" || name == "cross-env-shell"
	switch {
	case isTool && (w.depth > 0 || w.used["node"]):
		w.tool(c, append([]string{name}, texts(c.args)...))
	case quiet[name]:
		w.quietly(c, name)
	case notYet[name] != "":
		w.stay(RecipeNotThereYet, c.line, "%s: there is no recipe for %s yet", name, notYet[name])
	case compilers.MatchString(name):
		w.stay(RecipeNotThereYet, c.line, "%s: there is no recipe for C and C++ yet", name)
	case slices.Contains(askers, name):
		w.stay(ArchAsked, c.line, "%s tells the machine", name)
	case slices.Contains(ownMachine, name):
		w.stay(WorksOnOutput, c.line, "%s knows the programs of its own machine only", name)
	case slices.Contains(shells, name):
		w.shellCommand(c)
	default:
		w.stay(UnknownCommand, c.line, "%s is no command whose effect is known", name)
	}
}

// words looks at the words of a command for what names or asks for a machine.
func (w *walk) words(c *command) {
	isPackages := w.tables[0][c.name] != nil
	for _, arg := range append([]word{{text: c.name, raw: c.name}}, c.args...) {
		_, text, _ := strings.Cut(arg.text, "=")
		for _, name := range []string{arg.text, text} {
			if asksKernel(path.Clean(name)) {
				w.stay(ArchAsked, c.line, "%s tells the machine", arg.raw)
			}
		}
		w.patterns(c, arg)
		if !isPackages && namesArchitecture(arg.text) && !strings.HasPrefix(arg.text, "--cpu") && c.name != "echo" && c.name != "printf" {
			w.stay(NamesArchitecture, c.line, "%s names an architecture", arg.raw)
		}
	}
}

// patterns looks at a word that stands for files of the system.
func (w *walk) patterns(c *command, arg word) {
	switch c.name {
	case "rm", "ls", "chmod", "chown", "find", "grep", "sed", "awk":
		return
	}
	at := c.vars.abs(globbed(arg.text))
	if strings.ContainsAny(arg.text, "*?[") && strings.Contains(arg.text, "/") && at != "/" && isSystem(at) {
		w.stay(TargetPackagesLeave, c.line, "%s: %s stands for files of the system", c.text(), arg.raw)
	}
}

// globbed is the folder that a pattern looks in, or the text itself when it is none.
func globbed(text string) string {
	if i := strings.IndexAny(text, "*?["); i >= 0 {
		return path.Dir(text[:i] + "x")
	}
	return text
}

// talks tells whether what a command prints may say more than it was told.
func (w *walk) talks(name string) bool {
	for _, table := range []map[string]handler{w.tables[0], w.tables[4], w.tables[5], w.tables[6]} {
		if table[name] != nil {
			return true
		}
	}
	return false
}

// program finds what a command with a slash in it is. It reports false for one that
// is no command of the base image.
func (w *walk) program(c *command) (name string, ok bool) {
	base := path.Base(c.name)
	full := c.vars.abs(c.name)
	if full == "" {
		w.stay(ScriptNotSeen, c.line, "%s is run, and where it is cannot be told", c.name)
		return "", false
	}
	for _, f := range exact(w.facts, full) {
		if f.made != nil {
			f.made.run(w, c)
			return "", false
		}
	}
	switch {
	case base == "gradlew" || base == "mvnw":
		return base, true
	case strings.Contains(full, "/node_modules/.bin/"):
		w.tool(c, append([]string{base}, texts(c.args)...))
		return "", false
	case isSystem(full) && belowAny(full, []string{"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/usr/local/go/bin", "/usr/lib/go"}):
		return base, true
	}
	for _, f := range w.facts.at(full) {
		if f.made != nil {
			f.made.run(w, c)
			return "", false
		}
	}
	w.stay(ScriptNotSeen, c.line, "%s is run, which was not read", c.name)
	return "", false
}

// own tells whether a bare name is that of a program that the stage made.
func (w *walk) own(c *command, name string) bool {
	for i := len(w.products) - 1; i >= 0; i-- {
		p := w.products[i]
		if p.install && p.names(name) {
			p.run(w, c)
			return true
		}
	}
	dirs := []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}
	if v, ok := c.vars.env("PATH"); ok {
		dirs = append(dirs, strings.Split(v.text, ":")...)
	}
	for _, dir := range dirs {
		if inContext, seen := w.facts.context(path.Clean(dir)); seen && !isSystem(path.Clean(dir)) && path.IsAbs(dir) && w.mayHold(inContext) {
			w.stay(UnknownCommand, c.line, "PATH leads to files of the context: %s", dir)
		}
		for _, f := range exact(w.facts, path.Join(dir, name)) {
			if f.made != nil {
				f.made.run(w, c)
				return true
			}
			if !f.native {
				w.stay(ScriptNotSeen, c.line, "%s is run, which came in at %s", name, f.path)
				return true
			}
		}
	}
	return false
}

// mayHold tells whether the context may hold a folder.
func (a *analysis) mayHold(dir string) bool {
	if a.Files == nil {
		return true
	}
	_, ok := a.Files.List(dir)
	return ok
}

// shellCommand is a shell that is run as a command.
func (w *walk) shellCommand(c *command) {
	if c.has("-c") || c.has("-ec") || c.has("-lc") || c.has("-ce") {
		w.stay(ShellNotParsed, c.line, "%s -c is not looked into", c.name)
		return
	}
	w.stay(ScriptNotSeen, c.line, "%s runs a script that was not read", c.name)
}

func texts(list []word) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = w.text
	}
	return out
}

// quietly looks at a command that is quiet but for some of its uses.
func (w *walk) quietly(c *command, name string) {
	switch name {
	case "test", "[", "[[":
		for _, arg := range c.args {
			if at := c.vars.abs(arg.text); strings.HasPrefix(arg.text, "/") && (strings.HasPrefix(at, "/lib") || strings.HasPrefix(at, "/usr/lib")) {
				w.stay(ArchAsked, c.line, "%s: which libraries there are tells the machine", c.text())
			}
		}
	case "readlink", "realpath":
		for _, arg := range c.operands("") {
			if at := c.vars.abs(arg.text); c.kept && (at == "" || w.isNative(at)) {
				w.stay(ArchAsked, c.line, "%s: where a link of the system leads may tell the machine", c.text())
			}
		}
	case "ldconfig", "pwd", "locale-gen", "corepack":
		if name == "ldconfig" && (c.mentions("-C") || c.mentions("-r")) {
			w.stay(TargetPackagesLeave, c.line, "%s: a list of the system's libraries is written elsewhere", c.text())
		}
		if c.kept && (name != "pwd" || c.vars.dir == "" || isSystem(c.vars.dir) && c.vars.dir != "/") {
			w.stay(ArchAsked, c.line, "%s: what it prints may tell the machine", c.text())
		}
	}
}
