package cross

import (
	"path"
	"slices"
	"strings"
)

// copies is cp and mv, which carry what they copy.
func copies(w *walk, c *command) {
	args := c.operands("-S --suffix -t --target-directory")
	dest, given := c.option("-t", "--target-directory")
	if !given {
		if len(args) < 2 {
			w.stay(UnknownCommand, c.line, "%s: what it copies is not known", c.text())
			return
		}
		dest, args = args[len(args)-1].text, args[:len(args)-1]
	}
	w.carry(c, args, dest, given || len(args) > 1)
}

func installs(w *walk, c *command) {
	takes := "-m --mode -o --owner -g --group -t --target-directory -S --suffix"
	if c.has("-d", "--directory") || slices.ContainsFunc(c.args, func(a word) bool {
		return strings.HasPrefix(a.text, "-") && !strings.HasPrefix(a.text, "--") && strings.Contains(a.text, "d") && !strings.HasPrefix(a.text, "-m")
	}) {
		makesFolders(w, &command{args: c.operands(takes), vars: c.vars})
		return
	}
	if slices.ContainsFunc(c.args, func(a word) bool { return a.text == "-s" || a.text == "--strip" }) {
		w.stay(WorksOnOutput, c.line, "install -s strips programs of its own machine only")
	}
	args := c.operands(takes)
	dest, given := c.option("-t", "--target-directory")
	if !given {
		if len(args) < 2 {
			return
		}
		dest, args = args[len(args)-1].text, args[:len(args)-1]
	}
	w.carry(c, args, dest, given || len(args) > 1)
}

// carry takes what is known of some paths to another one.
func (w *walk) carry(c *command, sources []word, dest string, many bool) {
	to := c.vars.abs(dest)
	for _, source := range sources {
		from := c.vars.abs(source.text)
		if from == "" || source.loose {
			w.stay(TargetPackagesLeave, c.line, "%s: what is copied is not known", c.text())
			continue
		}
		if i := strings.IndexAny(from, "*?["); i >= 0 {
			from = path.Dir(from[:i] + "x")
		}
		inSystem := to == "" || isSystem(to)
		if w.isNative(from) {
			if !inSystem || to == "" {
				w.stay(TargetPackagesLeave, c.line, "%s: %s is the system's", c.text(), from)
			} else if belowAny(to, commandFolders) {
				w.intoCommands(c, from, to)
			}
			continue
		}
		if to == "" {
			w.carryAnywhere(c, from)
			continue
		}
		if inSystem && slices.Contains(commandFolders, to) || inSystem && belowAny(path.Dir(to), []string{"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/usr/local/go"}) {
			w.intoCommands(c, from, to)
			continue
		}
		target := to
		if many || strings.HasSuffix(dest, "/") {
			target = path.Join(to, path.Base(from))
		}
		w.carryTo(from, target)
		if target == to && !inSystem && w.isFileThere(from) {
			w.carryTo(from, path.Join(to, path.Base(from)))
		}
	}
}

// carryTo takes what is known of a path to another one.
func (w *walk) carryTo(from, to string) {
	if len(w.facts.at(from)) == 0 && len(w.facts.under(from)) == 0 {
		w.wrote(to)
		return
	}
	if below(to, from) || below(from, to) && from != to {
		for _, f := range w.facts.at(from) {
			if f.native || f.made != nil {
				f.path = to
				w.fact(f)
			}
		}
		w.wrote(to)
		return
	}
	w.take(w, from, to)
}

// carryAnywhere is for a destination that is not known: nothing is wrong with data.
func (w *walk) carryAnywhere(c *command, from string) {
	native := slices.ContainsFunc(append(w.facts.at(from), w.facts.under(from)...), func(f fact) bool { return f.native || f.made != nil })
	if native {
		w.stay(OutputNotRecipe, c.line, "%s: where it goes is not known", c.text())
	}
}

// intoCommands is for a copy among the commands of the base: of a recipe's output
// it is only the output's, of other files it may change what commands do.
func (w *walk) intoCommands(c *command, from, to string) {
	if slices.Contains(commandFolders, to) {
		to = path.Join(to, path.Base(from))
	}
	for _, f := range exact(w.facts, from) {
		if f.made != nil {
			f.path = to
			w.fact(f)
			return
		}
	}
	w.fact(fact{path: to})
	if name := path.Base(to); quiet[name] || w.handler(name) != nil {
		w.stay(UnknownCommand, c.line, "%s replaces a command", c.text())
	}
}

// isNative tells whether a path is the machine's: the system's, or a program that was
// made to run in the stage.
func (w *walk) isNative(name string) bool {
	if isSame(name) || belowAny(name, readable) {
		return false
	}
	if isSystem(name) {
		return !slices.ContainsFunc(exact(w.facts, name), func(f fact) bool { return !f.native }) && !freed(w.facts, name)
	}
	return slices.ContainsFunc(w.facts.at(name), func(f fact) bool { return f.native && f.kind == TargetPackagesLeave })
}

func links(w *walk, c *command) {
	args := c.operands("-t -S")
	if len(args) < 2 {
		return
	}
	from, to := c.vars.abs(args[0].text), c.vars.abs(args[len(args)-1].text)
	if from != "" && to != "" && !path.IsAbs(args[0].text) {
		from = path.Join(path.Dir(to), args[0].text)
	}
	switch {
	case from == "" || to == "":
		w.stay(UnknownCommand, c.line, "%s: where it leads is not known", c.text())
	case !c.has("-s") && !slices.ContainsFunc(c.args, func(a word) bool {
		return strings.HasPrefix(a.text, "-") && strings.Contains(a.text, "s") && !strings.HasPrefix(a.text, "--")
	}) && !c.has("--symbolic"):
		copies(w, c)
	case w.isNative(from) && !isSystem(to):
		w.stay(TargetPackagesLeave, c.line, "%s: a link leads to the system", c.text())
	case isSystem(to):
		w.intoCommands(c, from, to)
	default:
		w.carryTo(from, to)
	}
}
