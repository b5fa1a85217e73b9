package lint

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/archbuild/archbuild/lint/script"
)

// mendsVariable is the edit where BuildKit fills variables in and no shell is there: ENV, ARG,
// ADD, COPY and its heredocs, WORKDIR, VOLUME.
func (s *subject) mendsVariable(m mention, p written) string {
	first := p.first
	if quotedDocument(m, p.in) {
		first += "take the quotes off the heredoc's word, so that BuildKit fills variables in (\\$ for a dollar that stays); "
	}
	preamble := p.in == nil
	switch {
	case s.ownWords(m.word) && preamble:
		return fmt.Sprintf("write ${%s} for %s", p.machine, m.word.Text)
	case s.ownWords(m.word):
		return fmt.Sprintf("%sdeclare ARG %s in the stage before it and write ${%[2]s} for %s", first, p.machine, m.word.Text)
	case m.tool:
		branches, missing := s.branches(m, p.machine)
		return fmt.Sprintf("%sdo it in a RUN, which can choose by ARG %s: %s, then ${a} for %s%s", first, p.machine, branches, m.word.Text, missing)
	}
	if pair, ok := pairAt(m, p.in, s.walked()); ok && pair.Value.Text == m.word.Text && (preamble || p.in.Name == "ARG") {
		return "give the other platforms theirs in archbuild.yaml:\n" + s.arguments(m, pair.Name, m.word.Text)
	}
	name := s.argumentFor(m, p)
	return fmt.Sprintf("%sdeclare ARG %s=%s before it, write ${%[2]s} for %[3]s, and give the other platforms theirs in archbuild.yaml:\n%s", first, name, m.word.Text, s.arguments(m, name, m.word.Text))
}

// arguments are the lines of archbuild.yaml that give an ARG its value on the platforms
// that its default does not serve.
func (s *subject) arguments(m mention, name, text string) string {
	lines := "args:"
	for _, p := range s.harms(m.word.Arch) {
		value, ok := s.wordFor(m.word, p)
		if !ok {
			value = "NAME"
		}
		lines += fmt.Sprintf("\n  %s:\n    %s: %s", p, name, strings.Replace(text, m.word.Text, value, 1))
	}
	return lines
}

// quotedDocument tells that a word stands in a heredoc in which nothing is filled in.
func quotedDocument(m mention, in *script.Instruction) bool {
	if in == nil {
		return false
	}
	var documents []instructions.SourceContent
	switch c := in.Command.(type) {
	case *instructions.CopyCommand:
		documents = c.SourceContents
	case *instructions.AddCommand:
		documents = c.SourceContents
	}
	for _, d := range documents {
		if !d.Expand && strings.Contains(d.Data, m.text) {
			return true
		}
	}
	return false
}

// pairAt is the NAME=VALUE of an ENV or ARG that a mention stands in.
func pairAt(m mention, in *script.Instruction, file *script.File) (script.Assign, bool) {
	list := file.Preamble
	if in != nil {
		list = []script.Instruction{*in}
	}
	for _, one := range list {
		for _, pair := range one.Pairs {
			if m.at >= pair.Value.At && m.at < pair.Value.End {
				return pair, true
			}
		}
	}
	return script.Assign{}, false
}

// named matches what a file or a folder is called before its version and machine.
var named = regexp.MustCompile(`^[A-Za-z]+(?:[-_][A-Za-z]+)*`)

// argumentFor is a name for the ARG that holds the machine's word.
func (s *subject) argumentFor(m mention, p written) string {
	name := ""
	if pair, ok := pairAt(m, p.in, s.walked()); ok {
		name = pair.Name
	} else if isTripletOf(m.word) {
		name = "LIB" // one for all of its kind
	} else {
		text, from := token(m.text, m.word)
		before := text[:m.word.At-from]
		last := before[strings.LastIndexAny(before, "/=")+1:]
		if last == "" {
			last = strings.TrimLeft(text[m.word.End-from:], "/-_.")
		}
		name = named.FindString(last)
		for _, end := range []string{"-linux", "_linux", "-Linux", "_Linux"} {
			name = strings.TrimSuffix(name, end)
		}
		name = strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	}
	if about, ok := strings.CutSuffix(name, "ARCH"); ok {
		name = strings.TrimSuffix(about, "_") + "_MACHINE"
	} else {
		name += "_ARCH"
	}
	name = strings.TrimPrefix(name, "_")
	text := string(s.Template.Source)
	for base, n := name, 2; namesVariable(text, name) && !strings.Contains(text, "ARG "+name+"="+m.word.Text); n++ {
		name = fmt.Sprintf("%s_%d", base, n)
	}
	return name
}

// options of compilers that no other machine has.
var options = regexp.MustCompile(`-m(?:arch|tune|cpu)=$|target-cpu=$`)

// machineOption is the whole of an option that names registers and instructions of a machine:
// -m64, -march=x86-64-v2.
func machineOption(m mention) (string, bool) {
	if m.word.Text == "-m64" || m.word.Text == "-m32" {
		return m.word.Text, true
	}
	name, from := token(m.text, m.word)
	at := m.word.At - from
	loc := options.FindStringIndex(name[:at])
	if loc == nil {
		return "", false
	}
	return name[loc[0]:], true
}

// mendsOption is the edit of a compiler's option: what it asks for has no name on other
// machines, so that they get none.
func (s *subject) mendsOption(m mention, p written, option string) string {
	other := ""
	if name, _, ok := strings.Cut(option, "="); ok && name == "target-cpu" {
		other = "target-cpu=generic" // -C before it wants a value
	}
	on := "amd64"
	if parts := strings.Split(m.word.Arch, "/"); parts[0] != "386" {
		on = parts[0]
	}
	if p.in != nil && p.in.Name == "RUN" {
		shell := ""
		if run, ok := p.in.Command.(*instructions.RunCommand); ok && !run.PrependShell {
			shell = "write this RUN in shell form, without [ and ]; "
		}
		return fmt.Sprintf("%sgive it to %s alone, other machines have nothing like it: declare ARG TARGETARCH in the stage, case \"$TARGETARCH\" in %s) m=%s ;; *) m=%s ;; esac, then ${m} for %s", shell, on, on, option, other, option)
	}
	name := "MACHINE_FLAGS"
	if pair, ok := pairAt(m, p.in, s.walked()); ok {
		name = pair.Name + "_ARCH"
	}
	lines := "args:"
	for _, harmed := range s.harms(m.word.Arch) {
		lines += fmt.Sprintf("\n  %s:\n    %s: %q", harmed, name, other)
	}
	return fmt.Sprintf("give it to %s alone, other machines have nothing like it: declare ARG %s=%s before it, write ${%[2]s} for %[3]s, and in archbuild.yaml:\n%s", on, name, option, lines)
}
