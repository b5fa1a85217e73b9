// Package plan decides what will be done, before anything is done.
//
// A Request and the answers of package resolve become a Plan: plain data that
// prints as a table and as JSON, and that is then run as it stands. So what
// --dry-run shows is what a build does. Nothing here reads files, asks a
// network or looks at the machine: what is known of them comes in as values.
package plan

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/template"
)

// How a stage's programs run on the node.
type How string

const (
	// None says that no program is run at all.
	None How = "none"
	// Native programs run on the node's own processor.
	Native How = "native"
	// Emulated programs run under qemu through binfmt.
	Emulated How = "emulated"
	// Impossible means that the node can run no program of the platform.
	Impossible How = "impossible"
)

// Ability is how a node runs programs of a platform.
type Ability struct {
	How How
	// Why it is so: a clause, "no emulator is registered".
	Why string
	// Hint is what to do about it, when it is Impossible.
	Hint string
}

// Request is what the user wants of one template.
type Request struct {
	// Name of the service: the last part of its folder's path.
	Name     string
	Template *template.Template
	// Targets are the platforms to build, in the order they were asked for.
	Targets []Target
	// PlatformsFrom says where the list came from: "--platform", "archbuild.yaml" …
	PlatformsFrom string
	// Build is the platform of the node.
	Build platform.Platform
	// Node is how the plan calls the node: "engine" or an address.
	Node string
	// Contexts are the names given by --build-context, in ContextName's form. What
	// they stand for, an image or a whole stage, is no registry's business.
	Contexts []string
	// Runs tells how the node runs programs of a platform.
	Runs func(platform.Platform) Ability
}

// Target is one platform to build with what holds for it alone.
type Target struct {
	Platform platform.Platform
	// Stage is --target for this platform; empty is the last one.
	Stage string
	Args  map[string]string
}

// Plan is everything that will be done for one template.
type Plan struct {
	Name          string            `json:"name"`
	Template      string            `json:"template"`
	PlatformsFrom string            `json:"platformsFrom"`
	Node          string            `json:"node"`
	BuildPlatform platform.Platform `json:"buildPlatform"`
	Syntax        string            `json:"syntax,omitempty"`
	Jobs          []Job             `json:"jobs"`
	// Outputs, Tags and Push say what becomes of the index. The facade fills them in.
	Outputs []string `json:"outputs,omitempty"`
	Tags    []string `json:"tags,omitempty"`
	Push    bool     `json:"push,omitempty"`
	Verify  string   `json:"verify,omitempty"`
	// Notes are things decided that a user would want to know.
	Notes []string `json:"notes,omitempty"`
}

// Job is one platform of a plan.
type Job struct {
	Platform platform.Platform `json:"platform"`
	// Dockerfile is the name of the rewritten file: Dockerfile.arm64.
	Dockerfile string `json:"dockerfile"`
	Target     string `json:"target,omitempty"`
	// Frontend is the image that a foreign # syntax= names; empty is the frontend inside BuildKit.
	Frontend string `json:"frontend,omitempty"`
	// ArgNames are the build arguments by name; values are never shown.
	ArgNames []string          `json:"args,omitempty"`
	Args     map[string]string `json:"-"`
	Stages   []Stage           `json:"stages"`
	Bases    []Base            `json:"bases"`
	// Final is the base of the image itself, or nil when that is scratch or a named context.
	Final *Base `json:"final,omitempty"`
	// How is the slowest way in which any needed stage runs programs.
	How How `json:"how"`
}

// Stage is a stage that this job needs.
type Stage struct {
	Index    int               `json:"index"`
	Name     string            `json:"name,omitempty"`
	Line     int               `json:"line"`
	Base     string            `json:"base"`
	Platform platform.Platform `json:"platform"`
	// How its programs run; empty when it runs none.
	How    How    `json:"how,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Base is a reference to an image, decided.
type Base struct {
	// Reference is the index in Template.References.
	Reference int               `json:"-"`
	Line      int               `json:"line"`
	Where     string            `json:"where"`
	Platform  platform.Platform `json:"platform"`
	From      string            `json:"from"`
	To        string            `json:"to"`
	Digest    string            `json:"digest,omitempty"`
	Layers    []string          `json:"-"`
	Rule      string            `json:"rule"`
}

// Mapped says whether another image takes the place of the one written.
func (b Base) Mapped() bool { return b.From != b.To }

// Pinned is the base by name and digest, as the node gets it.
func (b Base) Pinned() string {
	if b.Digest == "" {
		return b.To
	}
	name, _, _ := strings.Cut(b.To, "@")
	return name + "@" + b.Digest
}

// Questions lists what package resolve has to answer before Make, each once.
func Questions(req Request) ([]resolve.Question, error) {
	var list []resolve.Question
	var failed []error
	for _, target := range req.Targets {
		uses, err := req.uses(target)
		if err != nil {
			return nil, err
		}
		for _, use := range uses {
			if !use.Needed {
				continue
			}
			if len(use.Missing) > 0 {
				failed = append(failed, req.missing(use))
				continue
			}
			if use.Problem != nil {
				failed = append(failed, use.Problem)
				continue
			}
			q := resolve.Question{Image: use.Image, Platform: use.Platform}
			if req.asks(use) && !slices.Contains(list, q) {
				list = append(list, q)
			}
		}
	}
	return list, joinOnce(failed)
}

// Make joins the request and the answers. The answers hold every question of Questions.
func Make(req Request, answers map[resolve.Question]resolve.Answer) (Plan, error) {
	p := Plan{
		Name: req.Name, Template: req.Template.Name, PlatformsFrom: req.PlatformsFrom,
		Node: req.Node, BuildPlatform: req.Build, Syntax: req.Template.Syntax,
	}
	var failed []error
	for _, target := range req.Targets {
		job, err := req.job(target, answers)
		failed = append(failed, err)
		p.Jobs = append(p.Jobs, job)
	}
	return p, joinOnce(failed)
}

func (req Request) env(target Target) template.Env {
	return template.Env{Target: target.Platform, Build: req.Build, Args: target.Args, TargetStage: target.Stage}
}

func (req Request) uses(target Target) ([]template.Use, error) {
	uses, err := req.Template.Uses(req.env(target))
	if err == nil {
		req.replaceStages(target, uses)
	}
	return uses, err
}

// asks says whether a use is an image that a registry has to answer for.
func (req Request) asks(use template.Use) bool {
	return use.Kind == template.External && !req.hasContext(use.Image)
}

func (req Request) job(target Target, answers map[resolve.Question]resolve.Answer) (Job, error) {
	job := Job{
		Platform: target.Platform, Dockerfile: "Dockerfile." + target.Platform.Suffix(),
		Target: target.Stage, Args: target.Args, ArgNames: slices.Sorted(maps.Keys(target.Args)), How: None,
	}
	uses, err := req.uses(target)
	if err != nil {
		return job, err
	}
	runs, err := req.runs(target, answers)
	if err != nil {
		return job, err
	}
	bases := map[int]*Base{}
	for _, use := range uses {
		if !use.Needed || !req.asks(use) {
			continue
		}
		answer, ok := answers[resolve.Question{Image: use.Image, Platform: use.Platform}]
		if !ok {
			return job, fmt.Errorf("planning %s for %s: no answer for %s", req.Name, target.Platform, use.Image)
		}
		ref := req.Template.References[use.Reference]
		base := Base{
			Reference: use.Reference, Line: ref.Line, Where: ref.Where, Platform: use.Platform,
			From: use.Image, To: answer.Use, Digest: answer.Digest, Layers: answer.Layers, Rule: answer.Rule,
		}
		job.Bases = append(job.Bases, base)
		bases[use.Reference] = &base
	}
	var failed []error
	for _, use := range uses {
		if !use.Needed || !req.isFrom(use) {
			continue
		}
		stage, err := req.stage(use, bases, runs)
		failed = append(failed, err)
		job.Stages = append(job.Stages, stage)
		if stage.How == Emulated || stage.How == Native && job.How == None {
			job.How = stage.How
		}
	}
	job.Final = req.final(target, uses, bases)
	return job, joinOnce(failed)
}

// isFrom says whether the use is the base of the stage it stands in.
func (req Request) isFrom(use template.Use) bool {
	ref := req.Template.References[use.Reference]
	return req.Template.Stages[ref.Stage].Base == use.Reference
}

// runs gives the line of the first RUN of each stage that has one, those that
// ONBUILD of a stage or of a base image brings included.
func (req Request) runs(target Target, answers map[resolve.Question]resolve.Answer) (map[int]int, error) {
	reached, err := req.Template.Reach(req.env(target))
	if err != nil {
		return nil, err
	}
	uses, err := req.uses(target)
	if err != nil {
		return nil, err
	}
	lines := map[int]int{}
	for _, r := range reached {
		line := r.Run
		of := req.Template.Stages[r.Stage]
		base := uses[of.Base]
		for _, instruction := range answers[resolve.Question{Image: base.Image, Platform: base.Platform}].Onbuild {
			if word, _, _ := strings.Cut(strings.TrimSpace(instruction), " "); line == 0 && strings.EqualFold(word, "RUN") {
				line = of.Line
			}
		}
		lines[r.Stage] = line
	}
	return lines, nil
}

func (req Request) stage(use template.Use, bases map[int]*Base, runs map[int]int) (Stage, error) {
	index := req.Template.References[use.Reference].Stage
	of := req.Template.Stages[index]
	stage := Stage{Index: index, Name: of.Name, Line: of.Line, Base: use.Image, Platform: use.Platform}
	if base := bases[use.Reference]; base != nil {
		stage.Base = base.To
	}
	if runs[index] == 0 {
		return stage, nil
	}
	can := req.Runs(use.Platform)
	stage.How, stage.Reason = can.How, can.Why
	if can.How == Impossible {
		return stage, &CannotRunError{
			File: req.Template.Name, Line: runs[index], Platform: use.Platform, Node: req.Node, Ability: can,
		}
	}
	return stage, nil
}

// final follows the FROM chain from the target stage down to an image.
func (req Request) final(target Target, uses []template.Use, bases map[int]*Base) *Base {
	index := len(req.Template.Stages) - 1
	if target.Stage != "" {
		if i, ok := req.Template.Stage(target.Stage); ok {
			index = i
		}
	}
	for range req.Template.Stages {
		if req.replaced(index) {
			return nil
		}
		at := slices.IndexFunc(uses, func(u template.Use) bool {
			return u.Reference == req.Template.Stages[index].Base
		})
		if at < 0 {
			return nil
		}
		if uses[at].Kind != template.StageKind {
			return bases[uses[at].Reference]
		}
		index = uses[at].Target
	}
	return nil
}

func (req Request) missing(use template.Use) error {
	ref := req.Template.References[use.Reference]
	return &MissingArgError{File: req.Template.Name, Line: ref.Line, Reference: ref.Text, Names: use.Missing}
}

// joinOnce is errors.Join with equal messages said once: one cause often
// stands in the way of several platforms.
func joinOnce(list []error) error {
	var kept []error
	for _, err := range list {
		if err == nil || slices.ContainsFunc(kept, func(k error) bool { return k.Error() == err.Error() }) {
			continue
		}
		kept = append(kept, err)
	}
	return errors.Join(kept...)
}
