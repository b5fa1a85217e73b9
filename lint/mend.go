package lint

import (
	"fmt"
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/archbuild/archbuild/lint/arch"
	"github.com/archbuild/archbuild/lint/script"
	"github.com/archbuild/archbuild/platform"
)

// mends is the edit that a mention needs, as it can be written in the place where the word
// stands: shells know case, other instructions only variables, and what a container runs
// later knows neither.
func (s *subject) mends(m mention) string {
	if m.severity == Info {
		id := "arch-literal"
		if m.link {
			id = "arch-link"
		}
		return "leave it if it is meant for others, and say so: # archbuild ignore=" + id
	}
	p := s.placed(m)
	option, isOption := machineOption(m)
	switch {
	case strings.HasSuffix(m.does, ", so it is"):
		name, _, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(m.does, hides), ", so it is"), " ")
		return fmt.Sprintf("take the default out: ARG %s; BuildKit gives it its value", name)
	case isOption:
		return s.mendsOption(m, p, option)
	case p.in == nil:
		return s.mendsVariable(m, p)
	}
	switch p.in.Name {
	case "RUN":
		return s.mendsRun(m, p)
	case "CMD", "ENTRYPOINT", "HEALTHCHECK":
		return s.mendsStart(m, p)
	}
	return s.mendsVariable(m, p)
}

// hides is what is said of a default that takes BuildKit's place, before the variable's name.
const hides = "the default hides the value that BuildKit gives "

// written is where a word is written: that may be another instruction than the one that
// takes it.
type written struct {
	in      *script.Instruction
	command *script.Command
	// machine is the variable that chooses, TARGETARCH or BUILDARCH; first is what has to
	// be done before it can.
	machine, first string
}

// placed finds where a mention is written.
func (s *subject) placed(m mention) written {
	p := written{machine: "TARGETARCH"}
	if m.tool {
		p.machine = "BUILDARCH"
		if flag := s.platformFlag(m.stage); !strings.Contains(flag, "BUILDPLATFORM") {
			p.first = "write FROM --platform=$BUILDPLATFORM for the stage, "
		}
	}
	for i := range s.walked().Stages {
		for n := range s.walked().Stages[i].Instructions {
			in := &s.walked().Stages[i].Instructions[n]
			if m.at < in.Span.Start || m.at >= in.Span.End {
				continue
			}
			p.in = in
			for c := range in.Script.Commands {
				if cmd := &in.Script.Commands[c]; cmd.At <= m.at && (p.command == nil || cmd.At >= p.command.At) {
					p.command = cmd
				}
			}
			return p
		}
	}
	return p
}

// platformFlag is the --platform of a stage, or of the one that it starts from.
func (s *subject) platformFlag(stage int) string {
	for range s.Template.Stages {
		if flag := s.Template.Stages[stage].PlatformFlag; flag != "" {
			return flag
		}
		next, ok := s.Template.Stage(s.Template.References[s.Template.Stages[stage].Base].Text)
		if !ok || next >= stage {
			break
		}
		stage = next
	}
	return ""
}

// mendsRun is the edit of a RUN.
func (s *subject) mendsRun(m mention, p written) string {
	first := p.first
	if run, ok := p.in.Command.(*instructions.RunCommand); ok && !run.PrependShell {
		first += "write this RUN in shell form, without [ and ], which fills no variables in; "
	}
	if m.word.Arch == "386" && p.command != nil {
		if only, ok := onlyThere(m, p.command); ok {
			return fmt.Sprintf("%sdeclare ARG %s in the stage and do it for amd64 alone: if [ \"$%[2]s\" = amd64 ]; then %s; fi", first, p.machine, only)
		}
	}
	declare := fmt.Sprintf("%sdeclare ARG %s in the stage and ", first, p.machine)
	if p.command != nil && isProgram(p.command.Name) && !m.quotedByShell {
		if read := reads(p.command.Name, p.machine); read != "" {
			return fmt.Sprintf("%slet the program choose by its environment, %s: %s", declare, read, s.pairs(m))
		}
	}
	inQuotes := ""
	if m.quotedByShell {
		inQuotes = ", in double quotes"
	}
	if s.ownWords(m.word) {
		return fmt.Sprintf("%swrite ${%s} for %s%s", declare, p.machine, m.word.Text, inQuotes)
	}
	who := ""
	if project, ok := arch.Lookup(m.text); ok {
		who = ", as " + project.Name + " calls its files"
	}
	branches, missing := s.branches(m, p.machine)
	return fmt.Sprintf("%schoose by it%s: %s, then ${a} for %s%s%s", declare, who, branches, m.word.Text, inQuotes, missing)
}

// onlyThere is the command of an installer for packages of a PC with 32 bits.
func onlyThere(m mention, c *script.Command) (string, bool) {
	if !installers[c.Name] || strings.Contains(m.text, "://") || strings.ContainsAny(m.text, " \n") {
		return "", false
	}
	switch c.Name {
	case "dpkg":
		return "dpkg --add-architecture " + m.text, m.text == m.word.Text
	case "apt", "apt-get", "yum", "dnf", "microdnf":
		return c.Name + " install -y " + m.text, !strings.Contains(m.text, "/")
	}
	return "", false
}

// reads is how a program in another language reads a variable of its environment.
func reads(program, name string) string {
	switch {
	case strings.HasPrefix(program, "python"):
		return `os.environ["` + name + `"]`
	case program == "node":
		return "process.env." + name
	case program == "perl":
		return "$ENV{" + name + "}"
	case program == "ruby":
		return `ENV["` + name + `"]`
	case program == "php":
		return `getenv("` + name + `")`
	}
	return ""
}

// pairs are the words of the wanted platforms: x86_64 on amd64, aarch64 on arm64.
func (s *subject) pairs(m mention) string {
	var list []string
	for _, p := range s.platforms() {
		if name, ok := s.wordFor(m.word, p); ok {
			list = append(list, name+" on "+p.Arch)
		}
	}
	return strings.Join(list, ", ")
}

// mendsStart is the edit of what the container runs: there is no ARG then.
func (s *subject) mendsStart(m mention, p written) string {
	name, _ := token(m.text, m.word)
	name = strings.Trim(name, "[]")
	at := strings.Index(name, m.word.Text)
	if at < 0 || strings.ContainsAny(name, "=:$") {
		return fmt.Sprintf("no ARG is left when %s runs: let an ENV keep the machine's name (ARG TARGETARCH, ENV MACHINE=${TARGETARCH}), and take it from there in a script", p.in.Name)
	}
	from := strings.LastIndexByte(name[:at], '/') + 1
	to := len(name)
	if n := strings.IndexByte(name[at:], '/'); n >= 0 {
		to = at + n
	}
	own := s.ownWords(m.word)
	word, chooses, missing := "${TARGETARCH}", "", ""
	if !own {
		chooses, missing = s.branches(m, "TARGETARCH")
		word, chooses = "${a}", chooses+"; "
	}
	target, link := name[from:at]+word+name[at+len(m.word.Text):to], name[:from]+withoutWord(name[from:at], name[at+len(m.word.Text):to])
	switch {
	case from == 0 && to == len(name):
		target, link = fmt.Sprintf(`"$(command -v %s)"`, target), "/usr/local/bin/"+link
	case strings.HasSuffix(link, "/"): // the folder has no other name
		target, link = name[:at]+word+name[at+len(m.word.Text):], "/usr/local/bin/"+path.Base(name)
		to = len(name)
		if strings.Contains(path.Base(name), m.word.Text) {
			link = "/usr/local/lib/machine"
		}
	}
	return fmt.Sprintf("nothing fills variables in here: make a link without the machine before it, ARG TARGETARCH and RUN %sln -s %s %s, and write %s%s", chooses, target, link, link+name[to:], missing)
}

// withoutWord puts together what stands around a machine's name.
func withoutWord(before, after string) string {
	before = strings.TrimRight(before, "-_.")
	if before == "" {
		after = strings.TrimLeft(after, "-_.")
	}
	return before + after
}

// wordFor is the word of a place for a platform. Where the word serves, it stays.
func (s *subject) wordFor(w arch.Word, p platform.Platform) (string, bool) {
	if serves(w.Arch, p) {
		return w.Text, true
	}
	return w.For(p)
}

// ownWords tells that the words of a place are TARGETARCH's.
func (s *subject) ownWords(w arch.Word) bool {
	for _, p := range s.platforms() {
		if name, ok := s.wordFor(w, p); !ok || name != p.Arch {
			return false
		}
	}
	return true
}

// branches are the case that says a word for each wanted platform, and a remark about those
// for which nobody knows one.
func (s *subject) branches(m mention, machine string) (text, missing string) {
	var list []string
	var without []platform.Platform
	for _, p := range s.platforms() {
		name, ok := s.wordFor(m.word, p)
		if !ok {
			without = append(without, p)
			continue
		}
		list = append(list, fmt.Sprintf("%s) a=%s ;;", p.Arch, name))
	}
	if len(without) > 0 {
		missing = "; what " + join(without) + " has is not known: look for its name, or leave it out of the platforms"
	}
	return "case \"$" + machine + "\" in " + strings.Join(list, " ") + " esac", missing
}
