package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// Make joins the request and the answers. The answers hold every question of
// Questions. The plan is there, as far as it goes, even with an error.
func Make(req Request, answers Answers) (Plan, error) {
	p := Plan{
		Name: req.Name, Template: req.Template.Name, PlatformsFrom: req.PlatformsFrom,
		Node: req.Node, BuildPlatform: req.Build, Syntax: req.Template.Syntax,
	}
	failed := req.badRules()
	p.Jobs = slices.Grow(p.Jobs, len(req.Targets))
	var left []platform.Platform
	var last string
	var memory []template.Use
	mounts := req.Template.CacheMounts()
	var caches []string
	for _, target := range req.Targets {
		seen, err := req.look(target, answers, memory)
		if err != nil {
			failed = append(failed, err)
			p.Jobs = append(p.Jobs, req.empty(target))
			continue
		}
		memory = seen.uses
		if skip := seen.skipped(); skip != nil {
			left, last = append(left, target.Platform), skip.Rule
			p.Notes = append(p.Notes, fmt.Sprintf("%s is left out: %s says skip", target.Platform, skip.Rule))
			continue
		}
		job, err := req.job(target, seen, answers)
		failed = append(failed, err)
		caches = append(caches, req.keepCaches(&job, mounts, seen.uses, answers)...)
		p.Jobs = append(p.Jobs, job)
		p.Notes = append(p.Notes, req.guesses(target, seen)...)
	}
	if len(p.Jobs) == 0 && len(left) > 0 {
		failed = append(failed, &SkippedError{File: req.Template.File, Platforms: left, Rule: last})
	}
	slices.Sort(caches)
	p.Notes = append(append(append(p.Notes, req.remarks()...), slices.Compact(caches)...), req.emulations(p.Jobs)...)
	return p, joinOnce(failed)
}

// emulations tells how programs are emulated, where that is worth a word.
func (req Request) emulations(jobs []Job) []string {
	var notes []string
	for _, job := range jobs {
		for _, stage := range job.Stages {
			if stage.How != Emulated {
				continue
			}
			if can := req.Runs(stage.Platform); can.Note != "" {
				notes = append(notes, fmt.Sprintf("%s is emulated %s", stage.Platform, can.Note))
			}
		}
	}
	slices.Sort(notes)
	return slices.Compact(notes)
}

// asks says whether a use is an image that a registry has to answer for. What is
// Written otherwise gets another text in the file, one that no context stands for.
func (req Request) asks(use *template.Use) bool {
	return use.Kind == template.External && (use.Written != "" || !req.hasContext(use.Image, use.Platform))
}

// guesses are the values that a placeholder was given without anyone saying so.
func (req Request) guesses(target Target, seen look) []string {
	notes := req.fillings(target)
	for i := range seen.uses {
		if use := &seen.uses[i]; use.Needed && use.Guessed {
			line := req.Template.References[use.Reference].Line
			notes = append(notes, fmt.Sprintf("%s:%d: %s is taken for %s on %s; name the machine with --build-arg %s:BALENA_MACHINE_NAME=NAME",
				req.Template.File, line, use.Image, use.Written, target.Platform, target.Platform))
		}
	}
	return notes
}

// fillings tells of placeholders outside of references, those that stay and those
// whose value is a guess.
func (req Request) fillings(target Target) []string {
	if len(req.Template.Placeholders) == 0 {
		return nil
	}
	env := req.Env(target)
	var notes []string
	said := map[string]bool{}
	for _, p := range req.Template.Placeholders {
		f, ok := req.Template.Filling(p, env)
		at := fmt.Sprintf("%s:%d: %%%%%s%%%%", req.Template.File, p.Line, p.Name)
		var note string
		switch {
		case ok && f.Guessed:
			note = fmt.Sprintf("%s is taken to be %s on %s; name the machine with --build-arg %s:%s=NAME", at, f.Value, target.Platform, target.Platform, p.Name)
		case ok:
			continue
		case req.Template.Filled():
			note = fmt.Sprintf("%s stays on %s: nothing says what it is; give --build-arg %s=VALUE", at, target.Platform, p.Name)
		default:
			note = at + " stays: placeholders are filled in in a Dockerfile.template, or where a FROM has one"
		}
		if !said[note] {
			said[note] = true
			notes = append(notes, note)
		}
	}
	return notes
}

// remarks are what is in the file without an effect.
func (req Request) remarks() []string {
	var notes []string
	for _, r := range req.Template.Rules {
		if r.Problem != nil && r.Source == template.FromDapper {
			notes = append(notes, fmt.Sprintf("%s:%d: the comment has no effect: %s", req.Template.File, r.Line, r.Problem.Message))
		}
	}
	slices.Sort(notes)
	return slices.Compact(notes)
}

func (req Request) empty(target Target) Job {
	return Job{
		Platform: target.Platform, Node: req.Node, BuildPlatform: req.Build, Dockerfile: "Dockerfile." + target.Platform.Suffix(),
		Target: target.Stage, Args: target.Args, ArgNames: slices.Sorted(maps.Keys(target.Args)), How: None,
	}
}

func (req Request) job(target Target, seen look, answers Answers) (Job, error) {
	job := req.empty(target)
	job.Crossed = req.Decisions(target)
	job.Bases = slices.Grow(job.Bases, count(seen.uses, req.asks))
	for i := range seen.uses {
		use := &seen.uses[i]
		if !use.Needed || !req.asks(use) {
			continue
		}
		base, err := req.base(target, use, answers)
		if err != nil {
			return job, err
		}
		if base.Context = seen.images[use.Reference]; base.Context != "" {
			job.Contexts = append(job.Contexts, base)
			continue
		}
		job.Bases = append(job.Bases, base)
	}
	failed := []error{req.foreign(target, seen.uses)}
	job.Stages = slices.Grow(job.Stages, count(seen.uses, req.isFrom))
	for i := range seen.uses {
		use := &seen.uses[i]
		if !use.Needed || !req.isFrom(use) {
			continue
		}
		if !req.asks(use) {
			job.Triggers = append(job.Triggers, req.triggers(use, answers)...)
		}
		stage, err := req.stage(use, job.base(use), req.run(use, seen.uses, answers))
		failed = append(failed, err)
		stage.crossed(job.Crossed, req.Build)
		job.Stages = append(job.Stages, stage)
		if slower(stage.How, job.How) {
			job.How = stage.How
		}
	}
	stages := req.besides(&job, seen, answers)
	job.Final = req.final(target, seen.uses, job, stages)
	job.StandsOn = req.standsOn(target, seen.uses)
	return job, joinOnce(failed)
}

// base finds the one of a use, or nil. They are in the order of the references.
func (j Job) base(use *template.Use) *Base {
	i, ok := slices.BinarySearchFunc(j.Bases, use.Reference, func(b Base, reference int) int { return cmp.Compare(b.Reference, reference) })
	if ok {
		return &j.Bases[i]
	}
	i = slices.IndexFunc(j.Contexts, func(b Base) bool { return b.Reference == use.Reference })
	if i < 0 {
		return nil
	}
	return &j.Contexts[i]
}

// base decides one reference.
func (req Request) base(target Target, use *template.Use, answers Answers) (Base, error) {
	answer, ok := answers[question(use)]
	if !ok {
		return Base{}, fmt.Errorf("planning %s for %s: no answer for %s", req.Name, target.Platform, use.Image)
	}
	ref := &req.Template.References[use.Reference]
	base := Base{
		Reference: use.Reference, Line: ref.Line, Where: ref.Where, Platform: use.Platform, From: cmp.Or(use.Written, use.Image),
		To: answer.Use, Digest: answer.Digest, Index: answer.Index, Layers: answer.Layers, DiffIDs: answer.DiffIDs, Triggers: answer.Onbuild, Rule: answer.Rule,
	}
	if use.Rule != "" {
		base.Rule = use.Rule
		if answer.Use != use.Image {
			base.Rule += ", then " + answer.Rule
		}
	}
	base.Moved = MoveOf(req.Template, *use, answer)
	return base, nil
}

// isFrom says whether the use is the base of the stage it stands in.
func (req Request) isFrom(use *template.Use) bool {
	ref := &req.Template.References[use.Reference]
	return req.Template.Stages[ref.Stage].Base == use.Reference
}

// run gives the line of the first RUN of the stage that a use is the base of, or
// 0. Those that ONBUILD of a stage or of a base image brings are included.
func (req Request) run(use *template.Use, uses []template.Use, answers Answers) int {
	index := req.Template.References[use.Reference].Stage
	line := req.Template.FirstRun(index, uses)
	if line > 0 {
		return line
	}
	for _, instruction := range req.triggers(use, answers) {
		if word, _, _ := strings.Cut(strings.TrimSpace(instruction), " "); strings.EqualFold(word, "RUN") {
			return req.Template.Stages[index].Line
		}
	}
	return 0
}

// stage decides how the programs of one run, of which the first is in line run.
func (req Request) stage(use *template.Use, base *Base, run int) (Stage, error) {
	index := req.Template.References[use.Reference].Stage
	of := &req.Template.Stages[index]
	stage := Stage{Index: index, Name: of.Name, Line: of.Line, Base: use.Image, Platform: use.Platform}
	if base != nil {
		stage.Base = base.To
	}
	if run == 0 {
		return stage, nil
	}
	can := req.Runs(use.Platform)
	stage.How, stage.Reason = can.How, can.Why
	if can.How == Impossible {
		return stage, &CannotRunError{
			File: req.Template.File, Line: run, Platform: use.Platform, Node: req.Node, Ability: can,
		}
	}
	return stage, nil
}

// finalStage is the stage that is built.
func (req Request) finalStage(target Target) int {
	if i, ok := req.Template.Stage(target.Stage); ok && target.Stage != "" {
		return i
	}
	return len(req.Template.Stages) - 1
}

// final follows the FROM chain from the target stage down to an image: that of a
// reference, or that of the context which stands for a stage.
func (req Request) final(target Target, uses []template.Use, job Job, stages map[int]*Base) *Base {
	index := req.finalStage(target)
	for !req.replaced(target, index, uses) {
		use := &uses[req.Template.Stages[index].Base]
		if use.Kind == template.StageKind {
			index = use.Target
			continue
		}
		base := job.base(use)
		if base == nil {
			return nil
		}
		final := *base
		return &final
	}
	return stages[index]
}
