package cross

import (
	"path"
	"slices"
	"strings"
)

// tar packs and unpacks.
func tar(w *walk, c *command) {
	if c.has("--to-command", "-I", "--use-compress-program", "-F") || slices.ContainsFunc(c.args, func(a word) bool {
		return strings.HasPrefix(a.text, "--to-command") || strings.HasPrefix(a.text, "--use-compress") || strings.HasPrefix(a.text, "--checkpoint") || strings.HasPrefix(a.text, "--info-script")
	}) {
		w.stay(UnknownCommand, c.line, "tar runs another command")
	}
	mode := ""
	for i, arg := range c.args {
		if i == 0 || strings.HasPrefix(arg.text, "-") && !strings.HasPrefix(arg.text, "--") {
			mode += arg.text
		}
	}
	dir, inDir := c.option("-C", "--directory", "--cd")
	state := c.vars
	if inDir {
		state.dir = state.abs(dir)
	}
	if !strings.ContainsAny(mode, "cr") && !c.has("--create", "--append") {
		if state.dir != "" && !isSystem(state.dir) {
			w.wrote(state.dir)
		} else if state.dir != "" && !below(state.dir, "/usr") && state.dir != "/opt" {
			w.stay(UnknownCommand, c.line, "%s: an archive is unpacked over the system", c.text())
		}
		return
	}
	w.pack(c, state)
}

// pack notes an archive that is made of some paths.
func (w *walk) pack(c *command, in state) {
	name, _ := c.option("-f", "--file")
	if name == "" {
		for i, arg := range c.args {
			if (i == 0 || strings.HasPrefix(arg.text, "-")) && strings.HasSuffix(arg.text, "f") && i+1 < len(c.args) {
				name = c.args[i+1].text
			}
		}
	}
	to := c.vars.abs(name)
	for _, arg := range c.operands("-C --directory -f --file --exclude --transform -X") {
		if arg.text == name || arg.text == c.first() && !strings.ContainsAny(arg.text, "/.") {
			continue
		}
		from := in.abs(arg.text)
		if from == "" || w.isNative(from) {
			w.stay(TargetPackagesLeave, c.line, "%s: %s is the system's, or not known", c.text(), arg.raw)
			continue
		}
		w.packed(from, to)
	}
	w.wrote(to)
}

// packed carries into one file what is at and below a path.
func (w *walk) packed(from, to string) {
	for _, f := range append(w.facts.at(from), w.facts.under(from)...) {
		if f.native || f.made != nil {
			f.path = to
			w.fact(f)
		}
	}
}

func zip(w *walk, c *command) {
	args := c.operands("-x -i")
	if len(args) == 0 {
		return
	}
	to := c.vars.abs(args[0].text)
	for _, arg := range args[1:] {
		from := c.vars.abs(arg.text)
		if from == "" || w.isNative(from) {
			w.stay(TargetPackagesLeave, c.line, "%s: %s is the system's, or not known", c.text(), arg.raw)
			continue
		}
		w.packed(from, to)
	}
	w.wrote(to)
}

func unzip(w *walk, c *command) {
	dir, ok := c.option("-d")
	if !ok {
		dir = "."
	}
	w.wrote(c.vars.abs(dir))
}

// packs is gzip and its like: beside each file.
func packs(w *walk, c *command) {
	for _, arg := range c.operands("-T -S") {
		from := c.vars.abs(arg.text)
		if from == "" || w.isNative(from) {
			w.stay(TargetPackagesLeave, c.line, "%s: %s is the system's, or not known", c.text(), arg.raw)
			continue
		}
		w.wrote(path.Dir(from))
	}
}
