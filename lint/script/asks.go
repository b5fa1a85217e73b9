package script

import "strings"

// Asks gives the way in which a command asks for the machine's architecture, in a few
// words ("uname -m"), or nothing when it does not.
func Asks(c Command) string {
	switch c.Name {
	case "uname":
		for _, w := range c.Args {
			switch w.Text {
			case "--machine", "--processor", "--hardware-platform", "--all":
				return "uname " + w.Text
			}
			if strings.HasPrefix(w.Text, "-") && !strings.HasPrefix(w.Text, "--") && strings.ContainsAny(w.Text, "mpia") {
				return "uname " + w.Text
			}
		}
	case "arch":
		if len(c.Args) == 0 && len(c.Assigns) == 0 {
			return "arch"
		}
	case "dpkg":
		return withOption(c, "--print-architecture", "--print-foreign-architectures")
	case "dpkg-architecture":
		return "dpkg-architecture"
	case "apk":
		return withOption(c, "--print-arch")
	case "rpm":
		for _, w := range c.Args {
			if strings.Contains(w.Text, "%{_arch}") || strings.Contains(w.Text, "%_arch") || strings.Contains(w.Text, "%{arch}") && strings.Contains(c.line(), "--eval") || strings.Contains(w.Text, "%{_target_cpu}") {
				return "rpm --eval"
			}
		}
	case "getconf":
		return withOption(c, "LONG_BIT")
	case "go":
		if len(c.Args) >= 2 && c.Args[0].Text == "env" {
			if what := withOption(c, "GOARCH", "GOHOSTARCH"); what != "" {
				return "go env" + strings.TrimPrefix(what, "go")
			}
		}
	case "node", "nodejs":
		for _, w := range c.Args {
			if strings.Contains(w.Text, "process.arch") || strings.Contains(w.Text, "os.arch()") {
				return "process.arch"
			}
		}
	}
	return ""
}

// tells tells that what a command prints depends on the architecture, though nobody would
// ask for it in this way who wanted TARGETARCH's word.
func tells(c Command) bool {
	switch c.Name {
	case "gcc", "cc", "clang", "g++":
		return withOption(c, "-dumpmachine", "-print-multiarch") != ""
	case "python", "python3", "python2":
		return strings.Contains(c.line(), "platform.machine()") || strings.Contains(c.line(), "os.uname()")
	case "rustc":
		return withOption(c, "-vV", "-Vv") != ""
	case "lscpu", "xx-info", "dpkg-query":
		return c.Name != "dpkg-query" || strings.Contains(c.line(), "Architecture")
	case "cat":
		return strings.Contains(c.line(), "/etc/apk/arch") || strings.Contains(c.line(), "/proc/cpuinfo")
	}
	return false
}

// withOption finds a word among the arguments.
func withOption(c Command, options ...string) string {
	for _, w := range c.Args {
		for _, option := range options {
			if w.Text == option {
				return c.Name + " " + option
			}
		}
	}
	return ""
}

// line is the command as one text.
func (c Command) line() string {
	var words []string
	for _, w := range c.Args {
		words = append(words, w.Text)
	}
	return strings.Join(words, " ")
}
