package archbuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/builder/guard"
	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/project"
	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/template"
	"github.com/distribution/reference"
)

// plan takes one service through resolve and plan, with all platforms at one place.
func (r run) plan(ctx context.Context, s service, at place) (plan.Plan, error) {
	return r.planOn(ctx, s, at.everywhere())
}

// planOn is plan with each platform at a place of its own.
func (r run) planOn(ctx context.Context, s service, on where) (plan.Plan, error) {
	r = r.with(s)
	from, err := r.sources(s)
	if err != nil {
		return plan.Plan{}, err
	}
	var parts []plan.Plan
	var warnings []resolve.Warning
	var failed []error
	current := true
	for _, a := range r.requests(s, on) {
		p, more, err := r.part(ctx, s, a.place, a.Request, from)
		current = current && a.place.current
		parts, warnings = append(parts, p), append(warnings, more...)
		failed = append(failed, err)
	}
	if err := errors.Join(failed...); err != nil {
		return plan.Plan{}, err
	}
	p := joinPlans(s, parts)
	if err := errors.Join(r.required(s, p)...); err != nil {
		return plan.Plan{}, err
	}
	p.Notes = append(append(p.Notes, r.worthTelling(warnings, len(parts))...), chooseFrontends(p, current)...)
	if err := r.foreignFrontends(ctx, s, p, from); err != nil {
		return plan.Plan{}, err
	}
	p.Notes = append(append(p.Notes, r.leaveCaches(p)...), p.CacheNote()...)
	p.Notes = append(append(p.Notes, lockNote(s, p)...), r.stale(s, p)...)
	p.Context, p.Notes = s.context.shown(), append(p.Notes, s.notes...)
	p.Notes = append(p.Notes, r.flagNotes(s, p)...)
	for i := range p.Jobs {
		p.Jobs[i].Stands = s.builtHere(p.Jobs[i].Platform)
	}
	p.Verify, p.Tags, p.Push = r.verifyMode(s), r.tagsOf(s), r.Push
	p.Notes = append(append(p.Notes, r.outputNotes(s)...), r.moveNotes(s, p)...)
	for _, out := range r.outputsOf(s) {
		p.Outputs = append(p.Outputs, out.String())
	}
	return p, nil
}

// part plans the platforms that are built from one template.
func (r run) part(ctx context.Context, s service, at place, request plan.Request, from resolve.Registry) (plan.Plan, []resolve.Warning, error) {
	request, err := r.crossed(ctx, s, at, request, from)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	answers, warnings, err := r.resolve(ctx, s, request, from)
	if err != nil {
		return plan.Plan{}, nil, ofLock(s, err)
	}
	warnings = withoutRuled(request, warnings)
	if err := undecided(request, answers, warnings); err != nil {
		return plan.Plan{}, nil, err
	}
	p, err := plan.Make(request, answers)
	return p, append(warnings, r.unusedOfFile(s, request, answers)...), err
}

// unusedOfFile tells of rules in archbuild.yaml that no image of a Dockerfile
// asks for, not even in a stage that is not needed.
func (r run) unusedOfFile(s service, request plan.Request, answers plan.Answers) []resolve.Warning {
	var questions []resolve.Question
	origins, err := plan.Origins(request, answers)
	if err != nil {
		return nil
	}
	for _, o := range origins {
		questions = append(questions, o.Question)
	}
	for _, target := range request.Targets {
		uses, err := request.Template.Uses(request.Env(target))
		if err != nil {
			return nil
		}
		more, all := imagesOf(uses)
		if !all {
			return nil
		}
		questions = append(questions, more...)
	}
	return r.rulesOf(s).UnusedOfFile(questions)
}

// imagesOf are the images of some uses, as they are written and as comments have
// them. Not all of them are known when there is a use that nobody can tell.
func imagesOf(uses []template.Use) (questions []resolve.Question, all bool) {
	all = true
	for _, use := range uses {
		all = all && use.Problem == nil
		if use.Kind != template.External {
			continue
		}
		questions = append(questions, resolve.Question{Image: use.Image, Platform: use.Platform})
		if use.Written != "" {
			questions = append(questions, resolve.Question{Image: use.Written, Platform: use.Platform})
		}
	}
	return questions, all
}

// worthTelling is the text of warnings. A rule is unused only if none of the
// parts, and no other folder, has a use for it.
func (r run) worthTelling(warnings []resolve.Warning, parts int) []string {
	unused := map[string]int{}
	var notes []string
	for _, w := range warnings {
		if w.Kind == resolve.UnusedRule {
			unused[w.Text]++
			if unused[w.Text] < parts || w.Rule.CommandLine && (r.imageCount() > 1 || r.found != nil) {
				continue
			}
		}
		notes = append(notes, w.Text)
	}
	return notes
}

// resolve answers all questions of a request. Answers can raise more: what a
// base brings along in ONBUILD instructions names images too. With an error the
// answers are those that were found.
func (r run) resolve(ctx context.Context, s service, request plan.Request, from resolve.Registry) (plan.Answers, []resolve.Warning, error) {
	all := plan.Answers{}
	var warnings []resolve.Warning
	for round := 0; ; round++ {
		questions, err := plan.MoreQuestions(request, all)
		if err != nil || round > 0 && len(questions) == 0 {
			return all, warnings, err
		}
		answers, more, err := resolve.All(ctx, from, r.rulesOf(s), questions)
		maps.Copy(all, answers)
		if err = leaveWaiting(request, all, err); err != nil {
			return all, nil, locate(request, all, err)
		}
		if round == 0 {
			warnings = more
		} else {
			warnings = joinWarnings(warnings, more)
		}
	}
}

// leaveWaiting answers what only an ONBUILD asks for that fires in other builds: a plain word may name a stage there, so that nobody
// finds an image for it here is no failure. It gives back the others.
func leaveWaiting(request plan.Request, all plan.Answers, err error) error {
	origins, unknown := plan.Origins(request, all)
	if err == nil || unknown != nil {
		return err
	}
	var list []error
	for _, e := range leaves(err) {
		failed := new(resolve.Error)
		fires := func(o plan.Origin) bool { return o.Image == failed.Image && !o.Waits }
		if !errors.As(e, &failed) || strings.ContainsAny(failed.Image, ":/@") || slices.ContainsFunc(origins, fires) {
			list = append(list, e)
			continue
		}
		for _, p := range failed.Platforms {
			q := resolve.Question{Image: failed.Image, Platform: p}
			all[q] = resolve.Answer{Question: q, Use: q.Image, Rule: "for a later build to know"}
		}
	}
	return errors.Join(list...)
}

// joinWarnings adds those of another round of questions. A rule is unused only
// if no round has a use for it.
func joinWarnings(list, more []resolve.Warning) []resolve.Warning {
	unused := func(w resolve.Warning) bool { return w.Kind == resolve.UnusedRule }
	list = slices.DeleteFunc(list, func(w resolve.Warning) bool {
		return unused(w) && !slices.ContainsFunc(more, func(o resolve.Warning) bool { return unused(o) && o.Rule == w.Rule })
	})
	return append(list, slices.DeleteFunc(slices.Clone(more), unused)...)
}

// rulesOf joins --base and the archbuild.yaml beside the template.
func (r run) rulesOf(s service) resolve.Rules {
	return resolve.Rules{
		Default: s.config.Default, Mode: r.mode, Offline: r.Offline,
		List: append(slices.Clone(r.rules), s.config.Rules()...),
	}
}

// overruled tells that a comment in the Dockerfile has no say: --base or
// --build-context names its image.
func (r run) overruled(s service) func(image string, on platform.Platform, skip bool) bool {
	rules := r.rulesOf(s).Overruling()
	names := append(r.contextKeys(), s.standKeys()...)
	return func(image string, on platform.Platform, skip bool) bool {
		if rules(image, on, skip) {
			return true
		}
		_, found := plan.ContextOn(names, image, on)
		return !skip && found
	}
}

// resultsFolder receives what is built when nothing else is asked for.
const resultsFolder = "archbuild-out"

// outputsOf are the outputs of one service: those asked for, --push, or with
// neither an OCI layout below the working directory.
func (r run) outputsOf(s service) []manifest.Output {
	r = r.with(s)
	var list []manifest.Output
	for _, out := range r.outputs {
		list = append(list, out.Expand(s.name))
	}
	if r.Push {
		list = append(list, manifest.Output{Type: manifest.TypeImage, Push: true})
	}
	if len(list) == 0 {
		list = append(list, manifest.Output{Type: manifest.TypeOCI, Folder: true, Dest: filepath.Join(resultsFolder, s.name)})
	}
	return list
}

func (r run) tagsOf(s service) []string {
	r = r.with(s)
	var tags []string
	for _, tag := range r.Tags {
		tags = append(tags, manifest.Expand(tag, s.name))
	}
	return tags
}

// access are the registries that a plan names, as BuildKit asks for their
// credentials: Docker's under its other name, and the mirrors of each. At each a node
// may read what the plan names, and write the caches that it does.
func (r run) access(p plan.Plan) map[string]guard.Access {
	return r.accessOf(p, r.otherImages(p.Name))
}

// accessOf are those of a plan and of more images.
func (r run) accessOf(p plan.Plan, more []string) map[string]guard.Access {
	found := map[string]guard.Access{}
	add := func(text string, push bool) {
		named, err := reference.ParseNormalizedNamed(text)
		if err != nil {
			return
		}
		host := reference.Domain(named)
		for _, mirror := range r.mirrors[host] {
			at := found[mirrorHost(mirror)]
			at.Any = true
			found[mirrorHost(mirror)] = at
		}
		if host == "docker.io" {
			host = "registry-1.docker.io"
		}
		access := found[host]
		access.Pull = append(access.Pull, reference.Path(named))
		if push {
			access.Push = append(access.Push, reference.Path(named))
		}
		found[host] = access
	}
	for _, job := range p.Jobs {
		for _, base := range slices.Concat(job.Bases, job.Onbuild, job.Contexts) {
			add(base.To, false)
		}
		if job.Frontend != "" {
			add(job.Frontend, false)
		}
	}
	for _, image := range more {
		add(image, false)
	}
	for _, c := range cachesOf(r.cacheTo, service{name: p.Name}) {
		if c.Type == builder.CacheRegistry {
			add(c.Attrs["ref"], true)
		}
	}
	for _, address := range r.remote {
		if image, ok := strings.CutPrefix(address, imageScheme); ok {
			add(image, false)
		}
	}
	return found
}

// mirrorHost is the host of a mirror as buildkitd.toml has it: HOST[:PORT][/PATH],
// or a URL.
func mirrorHost(text string) string {
	if _, rest, ok := strings.Cut(text, "://"); ok {
		text = rest
	}
	host, _, _ := strings.Cut(text, "/")
	return host
}

// announce says what was decided before anything is done.
func (r run) announce(graph *project.Graph, plans []plan.Plan) {
	if r.progressMode() == "quiet" || r.progressMode() == "rawjson" {
		return
	}
	if graph != nil {
		if err := WriteGraph(r.Stderr, *graph); err == nil {
			fmt.Fprintln(r.Stderr)
		}
	}
	if err := WritePlans(r.Stderr, plans); err == nil {
		fmt.Fprintln(r.Stderr)
	}
}

// host says what this machine is.
func (o Options) host(ctx context.Context) (detect.HostFacts, error) {
	host, err := detect.Host(ctx, detect.Options{Platforms: []platform.Platform{platform.Host()}})
	if err != nil {
		return host, fmt.Errorf("looking at this machine: %w", err)
	}
	return host, nil
}

// localRuns tells how programs run on this machine. What takes a look at the
// CPU or at emulators is found out only for a platform that asks for it, and once.
func localRuns(ctx context.Context, host detect.HostFacts) func(platform.Platform) plan.Ability {
	var mu sync.Mutex
	known := map[platform.Platform]plan.Ability{host.Platform: {How: plan.Native}}
	return func(p platform.Platform) plan.Ability {
		mu.Lock()
		defer mu.Unlock()
		can, ok := known[p]
		if !ok {
			can = lookRuns(ctx, host, p)
			known[p] = can
		}
		return can
	}
}

func lookRuns(ctx context.Context, host detect.HostFacts, p platform.Platform) plan.Ability {
	options := detect.Options{Platforms: []platform.Platform{host.Platform, p}, Quick: true, Rootless: engine.IsRootless()}
	binfmt, err := detect.Emulators(ctx, options)
	if err != nil { // ctx has ended, and with it the build
		return plan.Ability{How: plan.Impossible}
	}
	machine, err := detect.Host(ctx, options)
	if err != nil {
		machine = host
	}
	can := detect.CanRun(machine, binfmt, p)
	switch can.How {
	case detect.Native:
		return plan.Ability{How: plan.Native, Why: can.Reason}
	case detect.Emulated:
		note := ""
		if can.Private {
			note = can.Reason
		}
		return plan.Ability{How: plan.Emulated, Why: can.Reason, Note: note}
	}
	return plan.Ability{
		How: plan.Impossible, Why: can.Reason,
		Hint: fmt.Sprintf("`archbuild detect` shows the commands that install an emulator for %s", p),
	}
}
