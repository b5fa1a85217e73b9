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

// text is the whole command, for messages and searches.
func (c *command) text() string {
	parts := []string{c.name}
	for _, arg := range c.args {
		parts = append(parts, arg.text)
	}
	return strings.Join(parts, " ")
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
				w.stay(UnknownCommand, c.line, "env %s", c.args[0].text)
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
		run(w, c)
		return
	}
	_, isTool := nodeTools[name]
	isTool = isTool || addonTools[name] || nativeTools[name] || runnerTools[name] || name == "cross-env" || name == "cross-env-shell"
	switch {
	case isTool && (w.depth > 0 || w.used["node"]):
		w.tool(c, append([]string{name}, texts(c.args)...))
	case quiet[name]:
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
	for _, arg := range append([]word{{text: c.name}}, c.args...) {
		_, text, _ := strings.Cut(arg.text, "=")
		for _, name := range []string{arg.text, text} {
			if asksKernel(path.Clean(name)) {
				w.stay(ArchAsked, c.line, "%s tells the machine", name)
			}
		}
		if !isPackages && namesArchitecture(arg.text) && !strings.HasPrefix(arg.text, "--cpu") && c.name != "echo" && c.name != "printf" {
			w.stay(NamesArchitecture, c.line, "%s names an architecture", arg.text)
		}
	}
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
