package plan

import (
	"slices"
	"strings"

	"github.com/archbuild/archbuild/template"
	"github.com/distribution/reference"
)

// ContextName is the one form of a named context's name that BuildKit knows:
// docker.io/library/debian:latest and debian are the same one.
func ContextName(text string) (string, error) {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(reference.FamiliarString(named), ":latest"), nil
}

func (req Request) hasContext(name string) bool {
	if len(req.Contexts) == 0 || name == "scratch" || name == "context" { // BuildKit replaces neither
		return false
	}
	form, err := ContextName(name)
	return err == nil && slices.Contains(req.Contexts, form)
}

// contextImage gives the form of a context's name, and the image that it stands
// for; both are empty when it stands for none.
func (req Request) contextImage(text string) (name, image string) {
	if !req.hasContext(text) {
		return "", ""
	}
	form, err := ContextName(text)
	if image = req.ContextImages[form]; err != nil || image == "" {
		return "", ""
	}
	return form, image
}

// stageContext is the name by which a context stands for a whole stage.
func stageContext(stage template.Stage) string { return strings.ToLower(stage.Name) }

// replaced says whether a context stands for a whole stage: one of the stage's name.
func (req Request) replaced(stage int) bool {
	name := stageContext(req.Template.Stages[stage])
	return name != "" && req.hasContext(name)
}

// replaceStages takes out what only a stage needs that a context stands for, and
// lists the stages that are replaced and needed.
func (req Request) replaceStages(target Target, also []int, uses []template.Use) (replaced []int) {
	stages := req.Template.Stages
	if !slices.ContainsFunc(stages, func(s template.Stage) bool { return s.Name != "" && req.hasContext(stageContext(s)) }) {
		return nil
	}
	reached := make([]bool, len(stages))
	for todo := append([]int{req.finalStage(target)}, also...); len(todo) > 0; {
		stage := todo[0]
		todo = todo[1:]
		if req.replaced(stage) {
			if !slices.Contains(replaced, stage) {
				replaced = append(replaced, stage)
			}
			continue
		}
		if reached[stage] {
			continue
		}
		reached[stage] = true
		from, to := req.Template.ReferencesIn(stage)
		for _, use := range uses[from:to] {
			if use.Kind == template.StageKind {
				todo = append(todo, use.Target)
			}
		}
	}
	for i := range uses {
		uses[i].Needed = uses[i].Needed && reached[req.Template.References[i].Stage]
	}
	return replaced
}
