package cross

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/archbuild/archbuild/template"
)

// walk goes through the instructions of one stage.
type walk struct {
	*analysis
	stage     int
	firstLine int
	state     state
	facts     facts
	shell     []string
	// args are the variables that come from an ARG.
	args map[string]bool
	user bool // another one than root
	// official tells that the base is one whose folders and variables are known.
	official bool
	// compiler tells that a C compiler may be there.
	compiler bool
	// golang is the version of Go in the base's name, "1.26", and alpine whether the
	// base is that.
	golang string
	alpine bool
	// kinds of recipes that commands belong to.
	used map[string]bool
	// products are the go commands that write programs, those of the stages it starts
	// from included.
	products  []*product
	obstacles []Obstacle
	// leaves are the paths that are copied out of the stage.
	leaves []string
	// step and line are the instruction in hand, budget how many commands may follow.
	step   template.Step
	line   int
	budget int
	// depth counts scripts that run scripts.
	depth int
}

// stay notes a reason for the stage to stay.
func (w *walk) stay(kind Kind, line int, format string, args ...any) {
	o := Obstacle{Kind: kind, Line: line, Why: clean(fmt.Sprintf(format, args...))}
	if len(w.obstacles) < 20 && !slices.Contains(w.obstacles, o) {
		w.obstacles = append(w.obstacles, o)
	}
}

// clean shortens what is quoted from a file, and makes it visible.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, strings.ReplaceAll(text, unknown, "…"))
	if runes := []rune(text); len(runes) > 200 {
		return string(runes[:200]) + "…"
	}
	return text
}

// walk looks at one stage.
func (a *analysis) walk(stage int) *walk {
	s := &a.Template.Stages[stage]
	w := &walk{analysis: a, stage: stage, firstLine: s.Line, line: s.Line, used: map[string]bool{}, args: map[string]bool{}, budget: 5000}
	w.from(s)
	for _, step := range a.stepsOf(stage) {
		w.step, w.line = step, step.Line
		w.instruction(step)
	}
	return w
}

// from begins at the FROM.
func (w *walk) from(s *template.Stage) {
	use := &w.uses[s.Base]
	w.state = state{vars: map[string]value{"HOME": {text: "/root", exported: true}}, dir: "/"}
	w.shell = []string{"/bin/sh", "-c"}
	if base := use.Target; use.Kind == template.StageKind {
		w.startsFrom(base)
	}
	if w.Off != nil {
		if why, off := w.Off(w.stage); off {
			w.stay(SwitchedOff, s.Line, "%s", why)
		}
	}
	switch {
	case w.stage == w.final:
		w.stay(TargetStage, s.Line, "it is the image")
	case s.PlatformFlag != "":
		w.stay(AuthorDecided, s.Line, "its FROM says --platform=%s", s.PlatformFlag)
	case use.Problem != nil:
		w.stay(BaseIsPerPlatform, s.Line, "its base cannot be told")
	case use.Kind == template.Scratch, use.Kind == template.External && !w.runs():
		w.stay(RunsNothing, s.Line, "it runs no program")
	}
	if use.Kind == template.External {
		w.image(s, use)
	}
	if slices.ContainsFunc(w.Contexts, func(name string) bool { return strings.EqualFold(name, s.Name) }) {
		w.stay(BaseIsPerPlatform, s.Line, "--build-context stands for it")
	}
	w.triggers()
	for _, other := range w.needed {
		base := &w.uses[w.Template.Stages[other].Base]
		if base.Kind == template.StageKind && base.Target == w.stage && !w.moves(other) {
			line := w.Template.Stages[other].Line
			w.stay(BaseOfStayingStage, line, "a stage that stays starts from it at line %d", line)
		}
	}
}

// triggers looks for ONBUILD instructions, of the file and of base images, that take
// from the stage: nobody has read where they fire.
func (w *walk) triggers() {
	for i, use := range w.uses {
		ref := &w.Template.References[i]
		if use.Kind == template.StageKind && use.Target == w.stage && strings.HasPrefix(ref.Where, "ONBUILD") {
			w.stay(Onbuild, ref.Line, "an ONBUILD takes from it")
		}
	}
	if w.Base == nil {
		return
	}
	for _, other := range w.needed {
		s := &w.Template.Stages[other]
		base, ok := w.Base(s.Base)
		if !ok {
			continue
		}
		for _, t := range w.Template.Triggers(base.Onbuild) {
			if t.Kind == template.StageKind && t.Target == w.stage {
				w.stay(Onbuild, s.Line, "an ONBUILD of a base takes from it")
			}
		}
	}
}

// runs tells whether the stage runs anything, or one that starts from it does.
func (w *walk) runs() bool {
	if w.Template.FirstRun(w.stage, w.uses) > 0 {
		return true
	}
	return slices.ContainsFunc(w.needed, func(other int) bool {
		base := &w.uses[w.Template.Stages[other].Base]
		return base.Kind == template.StageKind && base.Target == w.stage
	})
}

// startsFrom takes over what the stage before left.
func (w *walk) startsFrom(base int) {
	if !w.moves(base) {
		w.stay(StartsFromStaying, w.line, "the stage that it starts from stays")
	}
	before := w.walks[base]
	if before == nil {
		return // named before it exists: BuildKit refuses it
	}
	w.state, w.facts, w.shell = before.state.clone(), slices.Clone(before.facts), before.shell
	w.args = maps.Clone(before.args)
	w.user, w.official, w.compiler, w.golang, w.alpine = before.user, before.official, before.compiler, before.golang, before.alpine
	w.products = slices.Clone(before.products)
	maps.Copy(w.used, before.used)
}

// instruction looks at one instruction of the stage.
func (w *walk) instruction(step template.Step) {
	switch c := step.Command.(type) {
	case *instructions.EnvCommand:
		values := make([]string, len(c.Env))
		for i, kv := range c.Env { // all see what was before the instruction
			values[i] = w.expand(kv.Value)
		}
		for i, kv := range c.Env {
			w.assign(kv.Key, values[i], true)
			delete(w.args, kv.Key)
		}
	case *instructions.ArgCommand:
		for _, arg := range c.Args {
			w.arg(arg)
		}
	case *instructions.WorkdirCommand:
		w.workdir(c.Path)
	case *instructions.UserCommand:
		w.user = c.User != "root" && c.User != "0" && !strings.HasPrefix(c.User, "root:") && !strings.HasPrefix(c.User, "0:")
		delete(w.state.vars, "HOME")
		if !w.user {
			w.state.vars["HOME"] = value{text: "/root", exported: true}
		}
	case *instructions.ShellCommand:
		w.shell = c.Shell
	case *instructions.CopyCommand:
		w.copy(c)
	case *instructions.AddCommand:
		w.add(c)
	case *instructions.RunCommand:
		w.run(step, c)
	case *instructions.OnbuildCommand:
		w.stay(Onbuild, w.line, "an ONBUILD runs where nobody has read it")
	}
}

// expand evaluates a word of the Dockerfile. What is not known of it becomes unknown.
func (w *walk) expand(text string) string {
	out, ok := w.Template.Expand(text, func(name string) (string, bool) {
		if v, ok := w.state.env(name); ok {
			return v.text, true
		}
		return unknown, true
	})
	if !ok {
		return unknown
	}
	return strings.ReplaceAll(out, "\uFFFD", unknown)
}

// arg is one ARG of the stage.
func (w *walk) arg(arg instructions.KeyValuePairOptional) {
	name := arg.Key
	if isPlatformArg(name) {
		w.stay(AuthorDecided, w.line, "its author uses %s", name)
		w.state.vars[name] = value{text: unknown, exported: true, line: w.line}
		return
	}
	if _, ok := w.state.env(name); ok && !w.args[name] {
		return // an ENV goes before an ARG
	}
	text, ok := w.Args[name]
	if !ok && arg.Value != nil {
		text, ok = w.expand(*arg.Value), true
	}
	if !ok {
		text, ok = w.global(name)
	}
	if ok {
		if namesArchitecture(text) && !strings.Contains(text, " ") {
			w.stay(AuthorDecided, w.line, "its argument %s names an architecture", name)
		}
		w.assign(name, text, true)
		w.args[name] = true
	}
}

// global is the value of an ARG before the first FROM.
func (w *walk) global(name string) (string, bool) {
	return w.Template.Global(template.Env{Target: w.Target, Build: w.Build, Args: w.Args, TargetStage: w.Stage}, name)
}

// workdir is a WORKDIR, which makes the folder.
func (w *walk) workdir(text string) {
	w.state.dir = w.state.abs(w.expand(text))
	if w.official {
		w.made(w.state.dir)
	}
}

// fact adds one.
func (w *walk) fact(one fact) {
	switch {
	case one.path == "":
	case len(w.facts) >= manyFacts:
		w.stay(UnknownCommand, w.line, "it writes too many files to be looked at")
	default:
		w.facts = append(w.facts, one)
	}
}

// made notes a folder that a command makes, with nothing in it yet.
func (w *walk) made(name string) {
	if len(exact(w.facts, name)) == 0 && name != "" && name != "/" && !isSystem(name) {
		w.fact(fact{path: name, empty: true})
	}
}

// wrote notes that a command writes at a path what is the same on every platform, and
// no longer what the context has there.
func (w *walk) wrote(name string) {
	if name == "" || name == "/" || isSystem(name) && !w.isFileOfOurs(name) {
		return
	}
	if at := exact(w.facts, name); len(at) > 0 {
		if last := at[len(at)-1]; !last.native && !last.seen && !last.empty && last.made == nil {
			return
		}
	}
	w.fact(fact{path: name})
}

// isFileOfOurs tells whether a path in a folder of the system is no folder of it.
func (w *walk) isFileOfOurs(name string) bool {
	return isSystem(path.Dir(name)) && path.Ext(name) != "" && !slices.Contains(systemFolders, name)
}

// recipe is the name of the recipe that the stage moves by.
func (w *walk) recipe() string {
	for _, name := range []string{"go", "node", "java", "site"} {
		if w.used[name] {
			return name
		}
	}
	return "files"
}
