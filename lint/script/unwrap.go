package script

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// wrappers run the command that follows them; the value lists their options that take a
// word of their own.
var wrappers = map[string][]string{
	"sudo": {"-u", "-g", "-C", "-h", "-p", "-U", "-D", "-R"}, "env": {"-u", "-C", "-S"}, "time": {"-f", "-o"}, "nice": {"-n"}, "ionice": {"-c", "-n", "-p"}, "nohup": {}, "exec": {"-a"},
	"command": {}, "builtin": {}, "gosu": {}, "su-exec": {}, "setpriv": {}, "stdbuf": {"-i", "-o", "-e"}, "timeout": {"-k", "-s"}, "retry": {"-n", "-t", "-d"}, "chronic": {}, "eatmydata": {}, "setarch": {}, "linux32": {}, "linux64": {},
	"unbuffer": {}, "fakeroot": {}, "proxychains": {}, "proxychains4": {}, "tsocks": {}, "ccache": {}, "sccache": {}, "xvfb-run": {"-s", "-n", "-e", "-f", "-p", "-w"}, "dbus-run-session": {}, "catchsegv": {}, "doas": {"-u", "-C"}, "chroot": {}, "busybox": {}, "scl_source": {}, "micromamba": nil, "conda": nil,
	"!": {}, "then": {}, "do": {}, "else": {}, "xargs": {"-I", "-n", "-P", "-L", "-d", "-a", "-s", "-E", "-i"},
}

// takeOperand are wrappers whose first operand is no command: a user, a time, a folder.
var takeOperand = []string{"gosu", "su-exec", "timeout", "chroot", "setarch"}

// unwrap takes away what stands before a command to run it.
func unwrap(words []Word, cmd *Command) []Word {
	for range 8 {
		if len(words) == 0 {
			return nil
		}
		name := path.Base(words[0].Text)
		options, ok := wrappers[name]
		if !ok || options == nil && len(words) > 1 && words[1].Text != "run" {
			return words
		}
		if name == "command" && len(words) > 1 && strings.HasPrefix(words[1].Text, "-") || len(words) == 1 {
			return words // command -v: it asks
		}
		rest := skipOptions(words[1:], options)
		if options == nil {
			rest = skipOptions(words[2:], []string{"-n", "-p", "--name", "--prefix"})
		}
		if slices.Contains(takeOperand, name) && len(rest) > 0 {
			rest = rest[1:]
		}
		for len(rest) > 0 && (name == "env" || name == "sudo") {
			variable, _, given := strings.Cut(rest[0].Text, "=")
			if !given || !syntax.ValidName(variable) {
				break
			}
			cmd.Assigns = append(cmd.Assigns, Assign{Name: variable, Value: rest[0].Cut(len(variable)+1, len(rest[0].Text)), Exported: true, At: rest[0].At})
			rest = rest[1:]
		}
		if len(rest) == 0 {
			if len(cmd.Assigns) > 0 {
				return nil
			}
			return words
		}
		words = rest
	}
	return words
}

// skipOptions passes over options, those with a word of their own included.
func skipOptions(words []Word, takes []string) []Word {
	for len(words) > 0 && strings.HasPrefix(words[0].Text, "-") {
		option := words[0].Text
		words = words[1:]
		if option == "--" {
			break
		}
		if slices.Contains(takes, option) && len(words) > 0 {
			words = words[1:]
		}
	}
	return words
}
