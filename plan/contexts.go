package plan

import (
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
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

// ContextKey is the one form of a context's name that may hold for one platform
// alone: NAME, or NAME::PLATFORM. The form of a name that is none is empty.
func ContextKey(text string) (string, error) {
	name, on, found := strings.Cut(text, "::")
	form, err := ContextName(name)
	if err != nil || !found {
		return form, err
	}
	p, err := platform.Parse(on)
	if err != nil {
		return "", err
	}
	return contextKey(form, p), nil
}

func contextKey(form string, on platform.Platform) string { return form + "::" + on.String() }

// ContextOn finds the key of the context that stands for a name on a platform: one
// for that platform goes before one for all.
func ContextOn(keys []string, name string, on platform.Platform) (key string, found bool) {
	if len(keys) == 0 || name == "scratch" || name == "context" { // BuildKit replaces neither
		return "", false
	}
	form, err := ContextName(name)
	if err != nil {
		return "", false
	}
	if key := contextKey(form, on); slices.Contains(keys, key) {
		return key, true
	}
	return form, slices.Contains(keys, form)
}

// ContextNames are the names in a list of keys, each once.
func ContextNames(keys []string) []string {
	var names []string
	for _, key := range keys {
		name, _, _ := strings.Cut(key, "::")
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (req Request) hasContext(name string, on platform.Platform) bool {
	_, found := ContextOn(req.Contexts, name, on)
	return found
}

// contextImage gives the form of a context's name, and the image that it stands
// for; both are empty when it stands for none.
func (req Request) contextImage(text string, on platform.Platform) (name, image string) {
	key, found := ContextOn(req.Contexts, text, on)
	if image = req.ContextImages[key]; !found || image == "" {
		return "", ""
	}
	name, _, _ = strings.Cut(key, "::")
	return name, image
}

// stageContext is the name by which a context stands for a whole stage.
func stageContext(stage template.Stage) string { return strings.ToLower(stage.Name) }

// replaced says whether a context stands for a whole stage: one of the stage's name.
func (req Request) replaced(target Target, stage int, uses []template.Use) bool {
	name := stageContext(req.Template.Stages[stage])
	if name == "" {
		return false
	}
	on, known := req.stagePlatform(target, stage, uses)
	if !known {
		return slices.Contains(req.Contexts, name)
	}
	return req.hasContext(name, on)
}

// stagePlatform is the platform on which BuildKit asks for the context of a stage:
// that of the FROM, else the target's. Where the FROM names a stage, BuildKit
// alone knows what its flag says.
func (req Request) stagePlatform(target Target, stage int, uses []template.Use) (on platform.Platform, known bool) {
	of := req.Template.Stages[stage]
	if of.PlatformFlag == "" {
		return target.Platform, true
	}
	use := uses[of.Base]
	return use.Platform, use.Kind == template.External
}

// replaceStages takes out what only a stage needs that a context stands for, and
// lists the stages that are replaced and needed.
func (req Request) replaceStages(target Target, also []int, uses []template.Use) (replaced []int) {
	stages := req.Template.Stages
	names := ContextNames(req.Contexts)
	if !slices.ContainsFunc(stages, func(s template.Stage) bool { return s.Name != "" && slices.Contains(names, stageContext(s)) }) {
		return nil
	}
	reached := make([]bool, len(stages))
	for todo := append([]int{req.finalStage(target)}, also...); len(todo) > 0; {
		stage := todo[0]
		todo = todo[1:]
		if req.replaced(target, stage, uses) {
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

// standsOn follows the FROM chain as final does, down to a named context.
func (req Request) standsOn(target Target, uses []template.Use) string {
	index := req.finalStage(target)
	for {
		stage := req.Template.Stages[index]
		if req.replaced(target, index, uses) {
			on, _ := req.stagePlatform(target, index, uses)
			key, _ := ContextOn(req.Contexts, stageContext(stage), on)
			return key
		}
		use := &uses[stage.Base]
		if use.Kind != template.StageKind {
			key, found := ContextOn(req.Contexts, use.Image, use.Platform)
			if !found || use.Written != "" || use.Kind != template.External {
				return ""
			}
			return key
		}
		index = use.Target
	}
}
