package archbuild

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/plan/cross"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/template"
)

// The words of --cross, and of cross: in archbuild.yaml.
const (
	crossAuto    = "auto"
	crossOff     = "off"
	crossRequire = "require"
)

// crossWord is what holds for a stage of a Dockerfile, and what says so. The
// command line's off counts above all; what is said of a stage by name goes before
// what is said of all.
func (r run) crossWord(s service, t *template.Template, stage int) (mode, from string) {
	flag := "--cross=" + r.Cross
	if r.Cross == crossOff {
		return crossOff, flag
	}
	mode, from = crossAuto, ""
	for _, c := range s.config.Cross {
		at := fmt.Sprintf("%s:%d", s.config.Name, c.Line)
		if c.Stage == "" {
			mode, from = c.Mode, at
			continue
		}
		if strings.EqualFold(c.Stage, t.Stages[stage].Name) || c.Stage == strconv.Itoa(stage) {
			return c.Mode, at
		}
	}
	if r.Cross != "" {
		return r.Cross, flag
	}
	return mode, from
}

// checkCross looks whether there are the stages that cross: in archbuild.yaml names.
func checkCross(s service) error {
	templates := []*template.Template{s.template}
	for _, own := range s.own {
		templates = append(templates, own.template)
	}
	for _, c := range s.config.Cross {
		has := func(t *template.Template) bool {
			_, ok := t.Stage(c.Stage)
			return ok
		}
		if c.Stage != "" && !slices.ContainsFunc(templates, has) {
			from := fmt.Sprintf("%s:%d", filepath.Join(filepath.Dir(s.file), s.config.Name), c.Line)
			return &NoStageError{From: from, File: s.template.File, Stage: c.Stage, Stages: stageNames(s.template)}
		}
	}
	return nil
}

// crossing decides which stages of one Dockerfile move to the build platform.
type crossing struct {
	run
	service
	place
	request plan.Request
	from    resolve.Registry
	files   *contextFiles
	// idiom has files written for people.
	idiom bool
	// failed are the stages that archbuild.lock says went wrong.
	failed []resolve.CrossFailure
	bases  map[resolve.Question]baseAnswer
}

type baseAnswer struct {
	resolve.Answer
	err error
}

// crossing is how a run decides for the Dockerfiles of a service. Failed are the
// stages that archbuild.lock says went wrong.
func (r run) crossing(s service, at place, from resolve.Registry, failed []resolve.CrossFailure) crossing {
	return crossing{run: r, service: s, place: at, from: from, failed: failed, bases: map[resolve.Question]baseAnswer{}}
}

// crossFailures reads what archbuild.lock says went wrong.
func crossFailures(s service) ([]resolve.CrossFailure, error) {
	lock, _, err := s.readLock()
	return lock.Crossed, err
}

// crossed is a request that knows which stages move, by what archbuild.lock says.
func (r run) crossed(ctx context.Context, s service, at place, request plan.Request, from resolve.Registry) (plan.Request, error) {
	failed, err := crossFailures(s)
	if err != nil {
		return request, err
	}
	return r.crossing(s, at, from, failed).of(ctx, request), nil
}

// of is a request that knows which stages move.
func (c crossing) of(ctx context.Context, request plan.Request) plan.Request {
	c.request = request
	c.files, _ = openContext(c.service) // of what cannot be read, nothing is known
	defer c.files.end()
	decided := map[platform.Platform][]cross.Decision{}
	for _, target := range request.Targets {
		decided[target.Platform] = c.decide(ctx, target)
	}
	request.Cross = func(target plan.Target) []cross.Decision { return decided[target.Platform] }
	return request
}

// decide gives the decisions for one target; none where its programs run natively.
func (c crossing) decide(ctx context.Context, target plan.Target) []cross.Decision {
	if !c.foreign(target.Platform) {
		return nil
	}
	off := c.words(target)
	if why := c.never(target); why != "" {
		for i := range c.request.Template.Stages {
			off[i] = why
		}
	}
	list := c.ask(ctx, target, off)
	err := c.prove(target, list)
	if err == nil {
		return list
	}
	for _, d := range list {
		if d.Move {
			off[d.Stage] = fmt.Sprintf("the edit cannot be proven: %v", err)
		}
	}
	return c.ask(ctx, target, off)
}

// ask has package cross decide. The stages in off stay, for the reason given.
func (c crossing) ask(ctx context.Context, target plan.Target, off map[int]string) []cross.Decision {
	type told struct {
		cross.Base
		known bool
	}
	asked := map[int]told{} // it is asked many times over, and every answer costs a pass over the file
	return cross.Decide(cross.Request{
		Template: c.request.Template, Target: target.Platform, Build: c.request.Build, Stage: target.Stage, Args: target.Args,
		Files: c.files, Idiom: c.idiom, Contexts: plan.ContextNames(c.request.Contexts),
		Base: func(reference int) (cross.Base, bool) {
			answer, ok := asked[reference]
			if !ok {
				answer.Base, answer.known = c.base(ctx, target, reference)
				asked[reference] = answer
			}
			return answer.Base, answer.known
		},
		Off: func(stage int) (string, bool) {
			why, ok := off[stage]
			return why, ok
		},
	})
}

// words are the stages that somebody has said no to, with the reason.
func (c crossing) words(target plan.Target) map[int]string {
	off := map[int]string{}
	digest := templateDigest(c.request.Template)
	for i, stage := range c.request.Template.Stages {
		if mode, from := c.crossWord(c.service, c.request.Template, i); mode == crossOff {
			off[i] = from + " says so"
			continue
		}
		for _, f := range c.failed {
			if f.Stage == stageLabel(stage, i) && f.Platform == target.Platform && f.Dockerfile == c.request.Template.Name && f.Digest == digest {
				off[i] = fmt.Sprintf("it failed before: %s (%s; archbuild lock PATH --update forgets it)", f.Reason, lockName)
			}
		}
	}
	return off
}

func stageLabel(stage template.Stage, index int) string {
	if stage.Name != "" {
		return stage.Name
	}
	return strconv.Itoa(index)
}

// never is why no stage of a target may move at all, or empty.
func (c crossing) never(target plan.Target) string {
	t := c.request.Template
	syntax := t.Syntax
	if image, _, _ := strings.Cut(strings.TrimSpace(target.Args["BUILDKIT_SYNTAX"]), " "); image != "" {
		syntax = image
	}
	_, own := c.own[target.Platform]
	switch {
	case c.emulated[target.Platform] != "":
		return c.emulated[target.Platform]
	case own:
		return t.Name + " is this platform's own file, which is built as it stands"
	case syntax != "" && (!c.current || !builtinSyntax(syntax)) && !c.ForceRewrite:
		return "# syntax=" + syntax + " is another frontend, whose files are left alone"
	case len(t.Fillings(template.Env{Target: target.Platform, Build: c.request.Build, Args: target.Args})) > 0:
		return "placeholders are filled in in its file"
	case c.runs(c.request.Build).How != plan.Native:
		return fmt.Sprintf("the node is not of the platform that --build-platform says, %s", c.request.Build)
	}
	return ""
}

// base is what is known of an image that a stage would start from if it moved. One
// that does not serve the build platform is said to serve the target alone.
func (c crossing) base(ctx context.Context, target plan.Target, reference int) (cross.Base, bool) {
	env := c.request.Env(target)
	env.Moved = []int{c.request.Template.References[reference].Stage}
	uses, err := c.request.Template.Uses(env)
	if err != nil || uses[reference].Kind != template.External || uses[reference].Problem != nil {
		return cross.Base{}, false
	}
	use := &uses[reference]
	if _, given := plan.ContextOn(c.request.Contexts, use.Image, target.Platform); given {
		return cross.Base{Platforms: []platform.Platform{target.Platform}}, true // however the name is spelt
	}
	q := resolve.Question{Image: use.Image, Platform: use.Platform, Chosen: use.Chosen()}
	known, ok := c.bases[q]
	if !ok {
		answers, _, err := resolve.All(ctx, c.from, c.rulesOf(c.service), []resolve.Question{q})
		known = baseAnswer{answers[q], err}
		c.bases[q] = known
	}
	if _, silent := unreached(known.err); silent {
		return cross.Base{}, false
	}
	if known.err != nil {
		return cross.Base{Platforms: []platform.Platform{target.Platform}}, true
	}
	return cross.Base{
		Platforms: []platform.Platform{c.request.Build, target.Platform}, Env: known.Env, Onbuild: known.Onbuild,
	}, true
}

// prove makes the edits and looks at what comes of them: the stages that move
// stand on the build platform then, and all others where they stood.
func (c crossing) prove(target plan.Target, list []cross.Decision) error {
	now, err := rewrite.CrossProof(c.request.Template, list)
	if err != nil {
		return err
	}
	env := c.request.Env(target)
	is, err := now.Uses(env)
	if err != nil {
		return err
	}
	for _, d := range list {
		if d.Move {
			env.Moved = append(env.Moved, d.Stage)
		}
	}
	want, err := c.request.Template.Uses(env)
	if err != nil {
		return err
	}
	for i, use := range want {
		if is[i].Platform != use.Platform || is[i].Image != use.Image || is[i].Needed != use.Needed {
			return fmt.Errorf("line %d: %s would be asked for %s, not %s", c.request.Template.References[i].Line, is[i].Image, is[i].Platform, use.Platform)
		}
	}
	return nil
}

// required makes errors of stages that would be emulated and may not.
func (r run) required(s service, p plan.Plan) []error {
	var failed []error
	for _, job := range p.Jobs {
		t := s.of(job.Platform).template
		for _, stage := range job.Stages {
			mode, from := r.crossWord(s, t, stage.Index)
			if mode == crossRequire && (stage.How == plan.Emulated || stage.How == plan.Impossible) {
				failed = append(failed, stage.Stay(t.File, job.Platform, from))
			}
		}
	}
	return failed
}
