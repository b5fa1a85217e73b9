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

// replaced says whether a context stands for a whole stage: one of the stage's name.
func (req Request) replaced(stage int) bool {
	name := strings.ToLower(req.Template.Stages[stage].Name)
	return name != "" && req.hasContext(name)
}

// replaceStages takes out what only a stage needs that a context stands for.
func (req Request) replaceStages(target Target, also []int, uses []template.Use) {
	stages := req.Template.Stages
	if !slices.ContainsFunc(stages, func(s template.Stage) bool { return s.Name != "" && req.hasContext(strings.ToLower(s.Name)) }) {
		return
	}
	reached := make([]bool, len(stages))
	for todo := append([]int{req.finalStage(target)}, also...); len(todo) > 0; {
		stage := todo[0]
		todo = todo[1:]
		if reached[stage] || req.replaced(stage) {
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
}
