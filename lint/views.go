package lint

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// view is the file as one wanted platform sees it.
type view struct {
	plan.Target
	uses []template.Use
	// final is the stage that is built; chain are it and those that it starts from.
	final int
	chain []int
	// needed tells of each stage whether the platform's build comes past it, ofBuild whether
	// the file puts it on the build platform.
	needed, ofBuild []bool
}

// views are those of all wanted platforms that no comment of the file leaves out.
func (s *subject) views() []view {
	if s.seen != nil {
		return *s.seen
	}
	list := []view{}
	for _, target := range s.Targets {
		env := template.Env{Target: target.Platform, Build: s.Build, Args: target.Args, TargetStage: target.Stage}
		uses, err := s.Template.Uses(env)
		if err != nil || slices.ContainsFunc(uses, func(u template.Use) bool { return u.Needed && u.Skip }) {
			continue
		}
		v := view{Target: target, uses: uses, final: len(s.Template.Stages) - 1, needed: make([]bool, len(s.Template.Stages))}
		if i, ok := s.Template.Stage(target.Stage); ok && target.Stage != "" {
			v.final = i
		}
		if v.ofBuild, err = s.Template.OfBuild(env); err != nil {
			continue
		}
		for _, reached := range s.Template.Reached(uses) {
			v.needed[reached.Stage] = true
		}
		v.chain = v.chainOf(s.Template, v.final)
		list = append(list, v)
	}
	s.seen = &list
	return list
}

// base is the use of a stage's FROM.
func (v *view) base(t *template.Template, stage int) *template.Use {
	return &v.uses[t.Stages[stage].Base]
}

// chainOf are a stage and those that it starts from, the first of them last.
func (v *view) chainOf(t *template.Template, stage int) []int {
	list := []int{stage}
	for {
		use := v.base(t, stage)
		if use.Kind != template.StageKind || slices.Contains(list, use.Target) {
			return list
		}
		stage = use.Target
		list = append(list, stage)
	}
}

// onTarget tells whether a stage is needed and runs on the wanted platform.
func (v *view) onTarget(t *template.Template, stage int) bool {
	return v.needed[stage] && !v.ofBuild[stage] && v.base(t, stage).Platform.Serves(v.Platform)
}

// native tells whether a platform's programs run without an emulator.
func (f Facts) native(p platform.Platform) bool {
	return f.Build.Serves(p) || p.Serves(f.Build) || slices.ContainsFunc(f.Native, p.Serves)
}

// join lists platforms, each once, in the order of what was asked for.
func join(list []platform.Platform) string {
	var words []string
	for _, p := range list {
		if !slices.Contains(words, p.String()) {
			words = append(words, p.String())
		}
	}
	switch n := len(words); n {
	case 0, 1, 2:
		return strings.Join(words, " and ")
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}

// is goes with a list of platforms.
func is(list []platform.Platform) string {
	for _, p := range list {
		if p != list[0] {
			return "are"
		}
	}
	return "is"
}

// stageName is how the author calls a stage, set off for a message.
func (s *subject) stageName(stage int) string {
	if name := s.Template.Stages[stage].Name; name != "" {
		return "stage " + name
	}
	if stage == len(s.Template.Stages)-1 {
		return "the last stage"
	}
	return "the stage of line " + strconv.Itoa(s.Template.Stages[stage].Line)
}

// lineOf is the line that a byte of the file stands in.
func (s *subject) lineOf(offset int) int {
	return 1 + bytes.Count(s.Template.Source[:min(offset, len(s.Template.Source))], []byte("\n"))
}

// steps are the instructions of a stage.
func (s *subject) steps(stage int) []template.Step {
	if s.instructions == nil {
		s.instructions = map[int][]template.Step{}
	}
	if _, ok := s.instructions[stage]; !ok {
		s.instructions[stage] = s.Template.Steps(stage)
	}
	return s.instructions[stage]
}
