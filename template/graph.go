package template

import (
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/platform"
)

// Stage finds a stage by its name, in any case, or by its number. Of several
// with one name it is the last, as --target and COPY --from have it.
func (t *Template) Stage(name string) (int, bool) {
	if list := t.byName[strings.ToLower(name)]; len(list) > 0 {
		return list[len(list)-1], true
	}
	n, ok := number(name)
	return n, ok && n >= 0 && n < len(t.Stages)
}

// number reads a text as the number of a stage.
func number(text string) (int, bool) {
	if text == "" || text[0] > '9' { // most are names, and an error costs memory
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// target finds the stage that --target names; none means the last.
func (t *Template) target(name string) (int, error) {
	if name == "" {
		return len(t.Stages) - 1, nil
	}
	if i, ok := t.Stage(name); ok {
		return i, nil
	}
	e := &TargetError{File: t.File, Target: name}
	for _, s := range t.Stages {
		if s.Name != "" {
			e.Stages = append(e.Stages, s.Name)
		}
	}
	return 0, e
}

// Reached is a stage that a build comes past.
type Reached struct {
	// Stage is the index in Template.Stages.
	Stage int
	// Platform the stage runs as.
	Platform platform.Platform
	// Run is the line of its first RUN, or 0. An ONBUILD RUN of the stage it
	// starts from counts; one that an image brings along is not known here.
	Run int
}

// Reach lists the stages that building env.TargetStage needs, in file order.
func (t *Template) Reach(env Env) ([]Reached, error) {
	uses, err := t.Uses(env)
	return t.Reached(uses), err
}

// Reached lists the stages that are needed according to Uses, in file order.
func (t *Template) Reached(uses []Use) []Reached {
	if uses == nil {
		return nil
	}
	var list []Reached
	for i, s := range t.Stages {
		use := uses[s.Base]
		if !use.Needed {
			continue
		}
		list = append(list, Reached{Stage: i, Platform: use.Platform, Run: t.FirstRun(i, uses)})
	}
	return list
}

// FirstRun is the line of the first RUN of a stage, as Reached.Run has it.
func (t *Template) FirstRun(stage int, uses []Use) int {
	s := &t.Stages[stage]
	if use := &uses[s.Base]; s.Run == 0 && use.Kind == StageKind {
		return t.Stages[use.Target].onbuildRun
	}
	return s.Run
}

// FinalBase follows the FROM of the target stage through stages to the image,
// or scratch, that the result stands on.
func (t *Template) FinalBase(env Env) (Use, error) {
	uses, err := t.Uses(env)
	if err != nil {
		return Use{}, err
	}
	target, err := t.target(env.TargetStage)
	if err != nil {
		return Use{}, err
	}
	use := uses[t.Stages[target].Base]
	for use.Kind == StageKind {
		use = uses[t.Stages[use.Target].Base]
	}
	return use, nil
}

// reach marks the stages that building one and some others comes past: the
// stages they start from, copy from and mount, and what the ONBUILD instructions
// of a stage name when another stage starts from it. fires marks the stages that
// needed ones start from, which makes their ONBUILD instructions part of those.
func (v *view) reach(target int, also []int) (needed, fires []bool) {
	marks := make([]bool, 2*len(v.Stages))
	needed, fires = marks[:len(v.Stages)], marks[len(v.Stages):]
	todo := make([]int, 0, len(v.Stages))
	visit := func(stage int) {
		if !needed[stage] {
			needed[stage] = true
			todo = append(todo, stage)
		}
	}
	visit(target)
	for _, stage := range also {
		visit(stage)
	}
	for len(todo) > 0 {
		stage := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		v.named(stage, false, visit)
		if base := v.uses[v.Stages[stage].Base]; base.Kind == StageKind && !fires[base.Target] {
			fires[base.Target] = true
			v.named(base.Target, true, visit)
		}
	}
	return needed, fires
}

// named visits the stages that the instructions of a stage name, or those that
// its ONBUILD instructions do.
func (v *view) named(stage int, triggers bool, visit func(int)) {
	from, to := v.ReferencesIn(stage)
	for i := from; i < to; i++ {
		if use := &v.uses[i]; use.Kind == StageKind && strings.HasPrefix(v.References[i].Where, onbuild) == triggers {
			visit(use.Target)
		}
	}
}

// ReferencesIn tells which of References stand in a stage: those from one index
// up to, without, another. The first is that of its FROM.
func (t *Template) ReferencesIn(stage int) (from, to int) {
	if stage+1 == len(t.Stages) {
		return t.Stages[stage].Base, len(t.References)
	}
	return t.Stages[stage].Base, t.Stages[stage+1].Base
}
