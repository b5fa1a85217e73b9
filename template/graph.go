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
	n, err := strconv.Atoi(name)
	return n, err == nil && n >= 0 && n < len(t.Stages)
}

func isNumber(text string) bool {
	_, err := strconv.Atoi(text)
	return err == nil
}

// target finds the stage that --target names; none means the last.
func (t *Template) target(name string) (int, error) {
	if name == "" {
		return len(t.Stages) - 1, nil
	}
	if i, ok := t.Stage(name); ok {
		return i, nil
	}
	e := &TargetError{File: t.Name, Target: name}
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
		r := Reached{Stage: i, Platform: use.Platform, Run: s.Run}
		if r.Run == 0 && use.Kind == StageKind {
			r.Run = t.Stages[use.Target].onbuildRun
		}
		list = append(list, r)
	}
	return list
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

// reach marks the stages that building those of start comes past: the stages
// they start from, copy from and mount, and what the ONBUILD instructions of a
// stage name when another stage starts from it.
func (v *view) reach(start []int) []bool {
	needs := make([][]int, len(v.Stages))
	fired := make([][]int, len(v.Stages))
	for i, use := range v.uses {
		if use.Kind != StageKind {
			continue
		}
		r := &v.References[i]
		if strings.HasPrefix(r.Where, onbuild) {
			fired[r.Stage] = append(fired[r.Stage], use.Target)
		} else {
			needs[r.Stage] = append(needs[r.Stage], use.Target)
		}
	}
	needed := make([]bool, len(v.Stages))
	visit := func(list []int, todo []int) []int {
		for _, s := range list {
			if !needed[s] {
				needed[s] = true
				todo = append(todo, s)
			}
		}
		return todo
	}
	for todo := visit(start, nil); len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = visit(needs[s], todo[:len(todo)-1])
		if base := v.uses[v.Stages[s].Base]; base.Kind == StageKind {
			todo = visit(fired[base.Target], todo)
		}
	}
	return needed
}

// fires marks the stages that a needed stage starts from, which makes their
// ONBUILD instructions part of that one.
func (v *view) fires(needed []bool) []bool {
	fires := make([]bool, len(v.Stages))
	for i, s := range v.Stages {
		if base := v.uses[s.Base]; needed[i] && base.Kind == StageKind {
			fires[base.Target] = true
		}
	}
	return fires
}
