package script

import (
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/archbuild/archbuild/template"
)

// File is what the instructions of a Dockerfile do.
type File struct {
	// Preamble are the ARGs before the first FROM.
	Preamble []Instruction
	Stages   []Stage
}

// Stage is what those of one stage do.
type Stage struct {
	Instructions []Instruction
	// Vars are the variables at its end.
	Vars Variables
	// Windows tells that its base is one of Windows, by its name.
	Windows bool
	shell   []string
}

// Instruction is one instruction.
type Instruction struct {
	template.Step
	// Name in upper case: "RUN". That of what waits under ONBUILD is its own.
	Name string
	// Trigger tells that it waits under ONBUILD.
	Trigger bool
	// Flags and Words are those of all but RUN, variables filled in where BuildKit does.
	Flags, Words []Word
	// Pairs are those of ENV and ARG. An ARG without a default has a Value without a place.
	Pairs []Assign
	// Script is that of a RUN, or of a CMD or ENTRYPOINT in shell form.
	Script Script
	// Vars are the variables before it.
	Vars Variables
}

// Options are what is known besides the file.
type Options struct {
	// Given tells that somebody sets an ARG for each platform, so that its default counts for
	// nothing. Nil stands for nobody.
	Given func(name string) bool
}

// Walk reads a whole file.
func Walk(t *template.Template, options Options) File {
	w := &walker{Template: t, Options: options, lines: lineStarts(t.Source), budget: mostOfAll}
	var out File
	for _, step := range t.Preamble() {
		in := w.instruction(step, &Stage{Vars: w.globals})
		for _, pair := range in.Pairs {
			w.globals.set(pair.Name, w.argument(pair, Variables{}))
		}
		out.Preamble = append(out.Preamble, in)
	}
	for i := range t.Stages {
		w.stages = append(w.stages, w.stage(i))
	}
	out.Stages = w.stages
	return out
}

type walker struct {
	*template.Template
	Options
	globals Variables
	stages  []Stage
	lines   []int
	// budget bounds the commands of all scripts, copied what their variables cost.
	budget, copied int
}

const (
	mostOfAll  = 20_000
	mostCopied = 1 << 20
)

// stage reads one stage.
func (w *walker) stage(i int) Stage {
	var s Stage
	ref := w.References[w.Stages[i].Base]
	if ref.Kind == template.StageKind && ref.Target >= 0 && ref.Target < i {
		base := w.stages[ref.Target]
		s.Windows, s.shell = base.Windows, base.shell
		for name, v := range base.Vars.values {
			if !v.arg {
				s.Vars.set(name, v)
			}
		}
	} else {
		s.Windows = isWindows(ref.Text)
	}
	for _, step := range w.Steps(i) {
		in := w.instruction(step, &s)
		s.Instructions = append(s.Instructions, in)
		w.apply(in, &s)
	}
	return s
}

// isWindows tells a base of Windows by its name.
func isWindows(image string) bool {
	image = strings.ToLower(image)
	for _, part := range []string{"windows/", "nanoserver", "servercore", "windowsservercore", "microsoft/windows", "dotnet/framework", "dotnet-framework", "winamd64/"} {
		if strings.Contains(image, part) {
			return true
		}
	}
	return false
}

// instruction reads one.
func (w *walker) instruction(step template.Step, s *Stage) Instruction {
	joined := w.Joined(step)
	from := skip(joined.Text, 0)
	name := firstWord(joined.Text[from:])
	trigger := strings.EqualFold(name, "ONBUILD")
	if trigger {
		from = skip(joined.Text, from+len(name))
		name = firstWord(joined.Text[from:])
	}
	in := Instruction{Step: step, Name: strings.ToUpper(name), Trigger: trigger, Vars: s.Vars}
	r := &reader{text: joined.Text[from:], place: placed(joined, from), escape: w.Escape(), vars: s.Vars}
	switch in.Name {
	case "RUN":
		if trigger {
			in.Script = readText(r, s.shell, newState(w.lines, s.Vars, w.budget))
		} else {
			in.Script = read(w.Template, step, s.shell, newState(w.lines, s.Vars, w.budget))
		}
		w.budget -= len(in.Script.Commands)
	case "ENV", "ARG":
		in.Flags, in.Words = r.words(true)
		in.Pairs = r.pairs(in)
	case "CMD", "ENTRYPOINT", "SHELL", "HEALTHCHECK":
		in.Flags, in.Words = r.words(false)
	default:
		in.Flags, in.Words = r.words(true)
	}
	return in
}

// firstWord of a text.
func firstWord(text string) string {
	if n := strings.IndexAny(text, blanks); n >= 0 {
		return text[:n]
	}
	return text
}

const blanks = " \t\v\f\r\n"

// pairs are those of ENV and ARG.
func (r *reader) pairs(in Instruction) []Assign {
	if in.Name == "ENV" && len(in.Words) > 1 && !strings.Contains(in.Words[0].Raw, "=") {
		return r.oldPair(in.Words[0].Raw)
	}
	var list []Assign
	for _, word := range in.Words {
		name, _, given := strings.Cut(word.Text, "=")
		a := Assign{Name: name, Exported: true, At: word.At}
		if given {
			a.Value = word.Cut(len(name)+1, len(word.Text))
			if v := &a.Value; len(v.Raw) > len(name) && strings.HasPrefix(v.Raw, name+"=") {
				v.Raw, v.At = v.Raw[len(name)+1:], v.At+len(name)+1
			}
		}
		list = append(list, a)
	}
	return list
}

// oldPair is ENV NAME value, where the value is the rest of the line.
func (r *reader) oldPair(name string) []Assign {
	s := r.text
	at := skip(s, skip(s, 0)+len("ENV")) // it is ENV in any case
	begin := at
	at = skip(s, at+len(name))
	end := len(strings.TrimRight(s, blanks))
	if at >= end {
		return nil
	}
	return []Assign{{Name: name, Exported: true, At: int(r.place(begin)), Value: r.evaluate(at, end, true)}}
}

// apply does what an instruction does to the variables of its stage.
func (w *walker) apply(in Instruction, s *Stage) {
	if w.copied += len(s.Vars.values); w.copied > mostCopied {
		return
	}
	switch c := in.Command.(type) {
	case *instructions.EnvCommand:
		s.Vars = s.Vars.clone()
		for _, pair := range in.Pairs {
			s.Vars.set(pair.Name, value{text: pair.Value.text(), known: !strings.Contains(pair.Value.Text, "$()"), varying: pair.Value.Varying, exported: true})
		}
	case *instructions.ArgCommand:
		s.Vars = s.Vars.clone()
		for _, pair := range in.Pairs {
			if v, set := s.Vars.values[pair.Name]; set && !v.arg {
				continue // an ENV goes before an ARG
			}
			s.Vars.set(pair.Name, w.argument(pair, w.globals))
		}
	case *instructions.ShellCommand:
		s.shell = c.Shell
	}
}

// argument is what is known of an ARG.
func (w *walker) argument(pair Assign, globals Variables) value {
	given := w.Given != nil && w.Given(pair.Name)
	one := value{exported: true, arg: true}
	switch {
	case given:
		one.varying = true
	case pair.Value.Text != "" || pair.Value.places != nil:
		one.text, one.known, one.varying = pair.Value.text(), true, pair.Value.Varying
	default:
		if v, ok := globals.values[pair.Name]; ok {
			return v
		}
		one.open = !Automatic(pair.Name) && !fixed(pair.Name)
		one.varying = !fixed(pair.Name) && (Automatic(pair.Name) || namesMachine(pair.Name))
	}
	return one
}
