package cross

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// makes notes the files that a command is told to write.
func makes(w *walk, c *command) {
	for _, arg := range c.operands("-m --mode -r --reference -d --date -t -s --size") {
		w.wrote(c.vars.abs(arg.text))
	}
}

// makesFolders is mkdir.
func makesFolders(w *walk, c *command) {
	for _, arg := range c.operands("-m --mode") {
		w.made(c.vars.abs(arg.text))
	}
}

func changes(*walk, *command) {}

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
			w.stay(TargetPackagesLeave, c.line, "%s: %s is the system's, or not known", c.text(), arg.text)
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
			w.stay(TargetPackagesLeave, c.line, "%s: %s is the system's, or not known", c.text(), arg.text)
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
			w.stay(TargetPackagesLeave, c.line, "%s: %s is the system's, or not known", c.text(), arg.text)
			continue
		}
		w.wrote(path.Dir(from))
	}
}

// runsInSed matches the commands of sed that run others.
var runsInSed = regexp.MustCompile(`(^|[;{}\n])\s*[0-9$,/]*e(\s|;|$)|/[gpiIm0-9]*e[gpiIm0-9]*(\s|;|\}|$)`)

func sed(w *walk, c *command) {
	script := c.operands("-e -f -E")
	if text, ok := c.option("-e", "--expression"); ok {
		script = append([]word{{text: text}}, script...)
	}
	if len(script) > 0 && runsInSed.MatchString(script[0].text) {
		w.stay(UnknownCommand, c.line, "sed may run another command")
	}
	if len(script) > 0 {
		w.reading(c, script[1:])
	}
}

func awk(w *walk, c *command) {
	for _, arg := range c.args {
		if strings.Contains(arg.text, "system") || strings.Contains(arg.text, "getline") || strings.Contains(arg.text, "| \"") || strings.Contains(arg.text, "ENVIRON") {
			w.stay(UnknownCommand, c.line, "awk may run another command")
		}
	}
	reads(w, c)
}

// Options of reading commands that are followed by a value, and the commands whose
// first operand is no file.
var (
	readOptions = map[string]string{
		"cut": "-d -f -c -b", "head": "-n -c", "tail": "-n -c", "grep": "-e -m -A -B -C", "sort": "-k -t", "awk": "-F -v", "gawk": "-F -v", "mawk": "-F -v",
		"fold": "-w", "paste": "-d", "column": "-s -t", "jq": "--arg --argjson", "stat": "-c", "xxd": "-l -c -s",
	}
	programFirst = set("grep egrep fgrep awk gawk mawk jq yq tr")
)

// reads is for commands that print what they read.
func reads(w *walk, c *command) {
	args := c.operands(readOptions[c.name])
	if programFirst[c.name] && len(args) > 0 {
		args = args[1:]
	}
	if c.name != "tr" {
		w.reading(c, args)
	}
}

// make runs what its file says.
func makeCommand(w *walk, c *command) {
	w.stay(ScriptNotSeen, c.line, "%s runs what a Makefile says", c.text())
}

// reading looks whether what a command prints is the system's, and goes on.
func (w *walk) reading(c *command, args []word) {
	if !c.kept {
		return
	}
	for _, arg := range args {
		name := c.vars.abs(arg.text)
		if name == "" || !strings.Contains(arg.text, "/") {
			continue
		}
		if i := strings.IndexAny(name, "*?["); i >= 0 {
			name = path.Dir(name[:i] + "x")
		}
		if w.isNative(name) {
			w.stay(TargetPackagesLeave, c.line, "%s: what %s holds goes on", c.text(), name)
		}
	}
}

// locates is which: what it prints leads to the system.
func locates(*walk, *command) {}

func uname(w *walk, c *command) {
	for _, arg := range c.args {
		if arg.text == "-s" || arg.text == "--kernel-name" {
			return
		}
	}
	if len(c.args) > 0 {
		w.stay(ArchAsked, c.line, "%s tells the machine", c.text())
	}
}

// find looks for files, and may do something to them.
func find(w *walk, c *command) {
	for i, arg := range c.args {
		switch arg.text {
		case "-exec", "-execdir", "-ok", "-okdir":
			if i+1 >= len(c.args) || !slices.Contains([]string{"rm", "chmod", "chown", "touch", "gzip", "test", "cat", "grep"}, c.args[i+1].text) {
				w.stay(UnknownCommand, c.line, "find runs another command")
			}
		case "-fprint", "-fprintf", "-fls":
			w.stay(UnknownCommand, c.line, "find writes files")
		}
	}
	var roots []word
	for _, arg := range c.args {
		if strings.HasPrefix(arg.text, "-") || arg.text == "(" || arg.text == "!" {
			break
		}
		roots = append(roots, arg)
	}
	w.reading(c, roots)
}

func git(w *walk, c *command) {
	args := c.operands("-C -c --depth --branch -b --config -o --origin --jobs -j --filter --reference")
	if len(args) == 0 {
		return
	}
	switch args[0].text {
	case "clone":
		if len(args) < 2 {
			return
		}
		dir := strings.TrimSuffix(path.Base(args[1].text), ".git")
		if len(args) > 2 {
			dir = args[2].text
		}
		w.wrote(c.vars.abs(dir))
	case "submodule":
		if c.has("foreach") {
			w.stay(UnknownCommand, c.line, "%s runs other commands", c.text())
		}
	case "init":
		if len(args) > 1 {
			w.wrote(c.vars.abs(args[1].text))
		}
	case "checkout", "fetch", "reset", "remote", "config", "describe", "rev-parse", "log", "show", "status", "pull", "switch", "apply", "am", "clean", "diff", "ls-files", "rev-list", "tag", "branch", "lfs", "ls-remote", "name-rev", "symbolic-ref", "cat-file", "add", "commit", "archive":
	default:
		w.stay(UnknownCommand, c.line, "%s is not known", c.text())
	}
}

// download is curl and wget.
func download(w *walk, c *command) {
	if c.has("-K", "--config") {
		w.stay(UnknownCommand, c.line, "%s is told elsewhere what to fetch", c.name)
	}
	names := []string{"-o", "--output"}
	if c.name == "wget" {
		names = []string{"-O", "--output-document"}
	}
	name, ok := c.option(names...)
	if !ok { // joined with other letters: -fsSLo NAME, -qO NAME
		letter := names[0][1:]
		for i, arg := range c.args {
			if strings.HasPrefix(arg.text, "-") && !strings.HasPrefix(arg.text, "--") && strings.HasSuffix(arg.text, letter) && i+1 < len(c.args) {
				name, ok = c.args[i+1].text, true
			}
		}
	}
	dir, inDir := c.option("-P", "--directory-prefix", "--output-dir")
	switch {
	case ok && name != "-" && name != "/dev/null":
		w.downloaded(c, c.vars.abs(name))
	case inDir:
		w.wrote(c.vars.abs(dir))
	case !ok && (c.name == "wget" || c.has("-O", "-LO", "-fsSLO", "-sLO", "-fLO", "--remote-name")):
		w.wrote(c.vars.dir)
	}
}

// downloaded notes a file by its full name.
func (w *walk) downloaded(c *command, name string) {
	if name == "" {
		return
	}
	if isSystem(name) {
		w.intoCommands(c, name, name)
		return
	}
	w.wrote(name)
}
