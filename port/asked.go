package port

import (
	"regexp"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/syntax"

	"github.com/archbuild/archbuild/platform"
)

// asking matches a command substitution that asks for the machine, with the command.
var asking = regexp.MustCompile("^(?:\\$\\(|`) *(uname -m|uname -p|uname -i|arch|dpkg --print-architecture|apk --print-arch|go env GOARCH) *(?:\\)|`)$")

// asked finds commands that ask for the machine where that is the one that builds, and what
// they are asked for gets into the image.
func (r *run) asked(file *syntax.File) {
	text := r.script.Text
	if !r.leaves() {
		return
	}
	syntax.Walk(file, func(n syntax.Node) bool {
		c, ok := n.(*syntax.CmdSubst)
		if !ok {
			return true
		}
		at, end := int(c.Pos().Offset()), int(c.End().Offset())
		m := asking.FindStringSubmatch(text[at:end])
		span, placed := source(r.script, at, end)
		if m == nil || !placed {
			return true
		}
		findings := r.flagged(span.Start, span.End, "arch-asked")
		if len(findings) == 0 {
			return true
		}
		s := slot{span: span, quote: double, own: r.usual(), names: []string{"ARCH", "TARGET_MACHINE"}, about: nobody, findings: findings, asks: text[at:end]}
		for _, p := range r.Platforms {
			name := answer(m[1], p)
			s.values = append(s.values, value{text: name, none: name == ""})
		}
		if !s.values[s.own].none {
			r.slots = append(r.slots, s)
		}
		return false
	})
}

// answer is what a command says on a platform.
func answer(command string, p platform.Platform) string {
	switch names := p.Names(); {
	case strings.HasPrefix(command, "uname"), command == "arch":
		return names.Uname
	case strings.HasPrefix(command, "dpkg"):
		return names.Debian
	case strings.HasPrefix(command, "apk"):
		return names.Alpine
	}
	return p.Arch
}

// leaves says whether another stage copies a path that the script names: then what it
// makes is for the image and not for the machine that builds.
func (r *run) leaves() bool {
	for i, steps := range r.steps {
		for _, s := range steps {
			c, ok := s.Command.(*instructions.CopyCommand)
			if !ok || c.From == "" {
				continue
			}
			if from, ok := r.t.Stage(c.From); !ok || from != r.stage || i == r.stage {
				continue
			}
			for _, path := range c.SourcePaths {
				if len(strings.Trim(path, "/.")) > 2 && strings.Contains(r.script.Text, strings.TrimRight(path, "/*")) {
					return true
				}
			}
		}
	}
	return false
}
