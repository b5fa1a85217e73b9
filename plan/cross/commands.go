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
		w.among(c, script[1:])
	}
}

// among looks whether a command changes files among the commands of the base.
func (w *walk) among(c *command, args []word) {
	for _, arg := range args {
		if name := c.vars.abs(arg.text); belowAny(name, commandFolders) {
			w.stay(UnknownCommand, c.line, "%s: %s is among the commands of the base", c.text(), name)
		}
	}
}

// patch changes files by what it reads.
func patch(w *walk, c *command) {
	dir, _ := c.option("-d", "--directory")
	w.among(c, []word{{text: "."}, {text: dir}})
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
	if len(c.args) > 0 && (len(c.args) > 1 || c.first() != "-s" && c.first() != "-o" && c.first() != "--kernel-name") {
		w.stay(ArchAsked, c.line, "%s tells the machine", c.text())
	}
}

// portable are commands that work on programs of any machine; what they say of one
// is another matter.
func portable(w *walk, c *command) {
	if c.kept {
		w.stay(WorksOnOutput, c.line, "%s: what it prints tells the machine", c.text())
	}
	if to, ok := c.option("-o"); ok && c.name == "upx" {
		for _, arg := range c.operands("-o") {
			w.carry(c, []word{arg}, to, false)
		}
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
	if c.kept && c.has("--version", "version", "--exec-path", "--build-options") {
		w.stay(ArchAsked, c.line, "%s tells the machine", c.text())
	}
	if len(args) == 0 {
		return
	}
	w.among(c, []word{{text: "."}})
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
	if c.kept && c.has("--version", "-V") {
		w.stay(ArchAsked, c.line, "%s tells the machine", c.text())
	}
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
