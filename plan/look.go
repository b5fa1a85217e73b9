package plan

import (
	"slices"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/template"
)

// look is how one target sees the template.
type look struct {
	uses []template.Use
	// images are the named contexts that stand for the image of a reference, by
	// its index. The use's Image is the context's.
	images map[int]string
	// others ask too, without a reference of their own: ONBUILD instructions of
	// base images, and stages that a named context stands for.
	others []other
}

// other is an image that is asked for beside the references.
type other struct {
	Origin
	// context that stands for the image, or empty.
	context string
	// stage that the context stands for, else -1.
	stage int
}

// look evaluates all references for a target. Stages that only the ONBUILD
// instructions of base images name are needed as well. The memory is that of a
// look at another target, which is over.
func (req Request) look(target Target, answers Answers, memory []template.Use) (look, error) {
	env := req.Env(target)
	for {
		uses, err := req.Template.UsesInto(memory, env)
		if err != nil {
			return look{}, err
		}
		memory = uses
		replaced := req.replaceStages(target, env.Also, uses)
		seen := look{uses: uses, images: req.takeImages(uses)}
		var also []int
		seen.others, also = req.brought(target, uses, answers)
		for _, stage := range replaced {
			seen.others = append(seen.others, req.stageImage(target, stage, uses)...)
		}
		before := len(env.Also)
		for _, stage := range also {
			if !slices.Contains(env.Also, stage) {
				env.Also = append(env.Also, stage)
			}
		}
		if len(env.Also) == before {
			return seen, nil
		}
	}
}

// takeImages puts the image of a named context in the place of its name.
func (req Request) takeImages(uses []template.Use) map[int]string {
	if len(req.ContextImages) == 0 {
		return nil
	}
	images := map[int]string{}
	for i := range uses {
		use := &uses[i]
		if use.Kind != template.External || use.Written != "" || use.Problem != nil {
			continue
		}
		if name, image := req.contextImage(use.Image, use.Platform); image != "" {
			images[use.Reference] = name
			use.Written, use.Image, use.Rule = use.Image, image, contextRule(name)
		}
	}
	return images
}

// contextRule says that a context decided.
func contextRule(name string) string { return "--build-context " + name }

// stageImage is the image of the context that stands for a stage, if it is one.
func (req Request) stageImage(target Target, index int, uses []template.Use) []other {
	stage := req.Template.Stages[index]
	on, known := req.stagePlatform(target, index, uses)
	name, image := req.contextImage(stageContext(stage), on)
	if image == "" || !known {
		return nil
	}
	return []other{{context: name, stage: index, Origin: Origin{
		Question: resolve.Question{Image: image, Platform: on},
		File:     req.Template.File, Line: stage.Line, Where: "FROM", Written: stage.Name, Rule: contextRule(name),
	}}}
}

// brought lists the images that the ONBUILD instructions of the base images
// name, and the stages.
func (req Request) brought(target Target, uses []template.Use, answers Answers) (images []other, stages []int) {
	for i := range uses {
		use := &uses[i]
		if !use.Needed || !req.isFrom(use) {
			continue
		}
		triggers := req.triggers(use, answers)
		if len(triggers) == 0 {
			continue
		}
		for _, t := range req.Template.Triggers(triggers) {
			if t.Kind == template.StageKind {
				stages = append(stages, t.Target)
				continue
			}
			if o, ok := req.trigger(use, t, target.Platform); ok {
				images = append(images, o)
			}
		}
	}
	return images, stages
}

// triggers are the ONBUILD instructions of the image that a stage starts from.
func (req Request) triggers(use *template.Use, answers Answers) []string {
	if req.asks(use) {
		return answers[question(use)].Onbuild
	}
	if len(req.ContextOnbuild) == 0 || use.Kind != template.External {
		return nil
	}
	key, _ := ContextOn(req.Contexts, use.Image, use.Platform)
	return req.ContextOnbuild[key]
}

// trigger is what one ONBUILD instruction asks for, if it does.
func (req Request) trigger(use *template.Use, t template.Trigger, on platform.Platform) (other, bool) {
	o := other{stage: -1, Origin: Origin{
		Question: resolve.Question{Image: t.Text, Platform: on},
		File:     req.Template.File, Line: req.Template.References[use.Reference].Line, Where: t.Where, Written: t.Text, Base: use.Image,
	}}
	if t.Kind == template.External && req.hasContext(t.Text, on) {
		if o.context, o.Image = req.contextImage(t.Text, on); o.context != "" {
			o.Rule = contextRule(o.context)
		}
	}
	return o, t.Kind == template.External && o.Image != ""
}

// besides decides the images that are asked for beside the references, and
// gives those of stages, by stage. What was not asked for is not looked at.
func (req Request) besides(job *Job, seen look, answers Answers) map[int]*Base {
	if len(seen.others) == 0 {
		return nil
	}
	stages := map[int]*Base{}
	for _, o := range seen.others {
		answer, ok := answers[o.Question]
		if !ok {
			continue
		}
		base := Base{
			Reference: -1, Line: o.Line, Where: o.Where, Platform: o.Platform, From: o.Written,
			To: answer.Use, Digest: answer.Digest, Index: answer.Index, Layers: answer.Layers, DiffIDs: answer.DiffIDs, Rule: answer.Rule,
			BroughtBy: o.Base, Context: o.context, Moved: moveBy(answer),
		}
		if o.Rule != "" {
			base.Rule = o.Rule
			if answer.Use != o.Image {
				base.Rule += ", then " + answer.Rule
			}
		}
		list := &job.Onbuild
		if o.context != "" {
			list = &job.Contexts
		}
		if o.stage >= 0 {
			stages[o.stage] = &base
		}
		same := func(b Base) bool {
			return b.Line == base.Line && b.Where == base.Where && b.From == base.From && b.Platform == base.Platform
		}
		if !slices.ContainsFunc(*list, same) {
			*list = append(*list, base)
		}
	}
	return stages
}
