package archbuild

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/doctor"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// readPaths reads every PATH. A path that does not exist is wrong usage; what is wrong
// inside of one is for the report.
func (x *examination) readPaths(ctx context.Context) error {
	if err := x.checkStdin(); err != nil {
		return err
	}
	var wrong []error
	for _, name := range x.Paths {
		p := givenPath{name: name, service: -1}
		if _, err := os.Stat(name); err != nil && name != stdinName && builder.IsRemote(name) {
			p.far, p.name = true, (builder.Remote{Address: name}).Shown() // without a password
			x.paths = append(x.paths, p)
			continue
		}
		s, err := x.readService(ctx, name, x.host)
		switch {
		case err == nil:
			p.service = len(x.services)
			x.services = append(x.services, s)
		case isUsage(err):
			wrong = append(wrong, afterVerb(err, "PATH is the folder of a Dockerfile"))
		default:
			p.err = err
		}
		x.paths = append(x.paths, p)
	}
	if err := joinedOnce(wrong); err != nil {
		closeAll(x.services)
		return err
	}
	return nil
}

// planned is a plan of a service that says nothing of nodes, or why there is none.
type planned struct {
	plan plan.Plan
	err  error
}

// planAnywhere plans each service for a place where everything runs: whether its bases
// can be found is known then.
func (x *examination) planAnywhere(ctx context.Context) []planned {
	var written []string
	for _, s := range x.services {
		written = append(written, x.images(s)...)
	}
	slices.Sort(written)
	x.knocks.open(ctx, written)
	for _, s := range x.services {
		for _, tag := range x.tagsOf(s) {
			if !x.Offline {
				x.knocks.begin(tag, true)
			}
		}
	}
	at, err := x.rewritePlace(x.host.Platform)
	late := make([]planned, len(x.services))
	for i := range late {
		late[i].err = context.Cause(ctx)
	}
	return finish(ctx, late, func(ctx context.Context) []planned {
		plans := make([]planned, len(x.services))
		for i, s := range x.services {
			if plans[i].err = err; err == nil {
				plans[i].plan, plans[i].err = x.plan(ctx, s, at)
			}
		}
		return plans
	})
}

// examined is a path with what was found out about it.
type examined struct {
	doctor.Path
	checks []doctor.Check
}

// place finds out whether the nodes that answered can do what was planned.
func (x *examination) place(ctx context.Context, plans []planned, m machine, seen []nodes.Facts, registries []doctor.Registry) []examined {
	all := x.placesOf(ctx, m, seen)
	var list []examined
	for _, p := range x.paths {
		e := examined{Path: doctor.Path{Path: p.name, Platforms: []doctor.Platform{}}}
		switch {
		case p.far:
			e.Unknown = true
			e.add("template-plan", doctor.Unknown, "a node has to fetch it, and nothing is started here", "", "look at it yourself: archbuild plan "+p.name)
		case p.err != nil:
			e.failed("template-read", p.err)
		case plans[p.service].err != nil:
			x.notPlanned(&e, plans[p.service].err, notReached(registries), x.images(x.services[p.service]))
		default:
			x.choosePlaces(ctx, &e, x.services[p.service], all)
		}
		list = append(list, e)
	}
	return list
}

func (e *examined) add(id string, s doctor.Status, detail, affects, fix string) {
	e.checks = append(e.checks, doctor.Check{ID: id, Group: doctor.Templates, Subject: e.Path.Path, Status: s, Detail: detail, Affects: affects, Fix: fix})
}

// failed makes a check of each of several errors.
func (e *examined) failed(id string, err error) {
	said := map[string]bool{}
	for _, one := range leaves(err) {
		if text := one.Error(); !said[text] {
			said[text] = true
			e.add(id, doctor.Missing, text, "building it", wrong.Hint(one))
		}
	}
}

// notPlanned says why there is no plan. Registries that do not answer have a check of
// their own, so that each is complained of once.
func (x *examination) notPlanned(e *examined, err error, silent, images []string) {
	var hosts []string
	var others []error
	for _, one := range leaves(onceForEachHost(err, !x.Offline)) {
		host, away := unreached(one)
		switch {
		case away && slices.Contains(silent, host):
			hosts = append(hosts, host)
		case errors.As(one, new(*noAnswerError)) && len(silent) > 0:
			hosts = append(hosts, ofImages(silent, images)...)
		default:
			others = append(others, one)
		}
	}
	if len(hosts) > 0 {
		slices.Sort(hosts)
		e.add("template-bases", doctor.Missing, "its bases are not known: "+strings.Join(slices.Compact(hosts), ", ")+" not reachable", "building it",
			"see network above; with rules or archbuild.lock for all of them: --offline")
	}
	for _, one := range others {
		id := "template-plan"
		if errors.As(one, new(*BaseError)) || errors.As(one, new(*registry.Error)) {
			id = "template-bases"
		}
		e.failed(id, one)
	}
}

// images are those that a service's Dockerfiles name, sorted.
func (x *examination) images(s service) []string {
	var list []string
	at, err := x.rewritePlace(x.host.Platform)
	if err != nil {
		return nil
	}
	for _, a := range x.requests(s, at.everywhere()) {
		for _, target := range a.Targets {
			uses, err := a.Template.Uses(a.Env(target))
			if err != nil {
				continue
			}
			questions, _ := imagesOf(uses)
			for _, q := range questions {
				list = append(list, q.Image)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// placesOf are the places of the nodes that answered, as a build would find them.
func (x *examination) placesOf(ctx context.Context, m machine, seen []nodes.Facts) places {
	var all places
	for _, f := range seen {
		spec := x.specs[slices.IndexFunc(x.specs, func(s nodes.Spec) bool { return s.Name == f.Name })]
		if f.Address == nodes.EngineAddress {
			at, err := x.enginePlace(ctx, x.host)
			if err == nil {
				at = at.declared(spec.Platforms)
				at.unable = m.unable
				at.weight, at.slots = spec.Weight, f.Slots
				all.list = append(all.list, at)
			}
			continue
		}
		if f.Error != "" {
			err := &SilentNodeError{f, errors.New(f.Error)}
			all.away = append(all.away, away{spec: spec, err: err, native: x.lastNative(x.host, spec)})
			continue
		}
		at := nodePlace(f.Name, &builder.Node{Name: f.Name, Platforms: f.Listed, Version: f.BuildKit})
		at.address, at.weight, at.slots, at.close = f.Address, f.Weight, f.Slots, func() {}
		all.list = append(all.list, at.declared(f.Native))
	}
	if own, err := x.buildPlatform(); err == nil && own != (platform.Platform{}) {
		for i := range all.list {
			all.list[i].platform = own
		}
	}
	return all
}

// choosePlaces finds a node for each platform, and says what is to be expected there.
func (x *examination) choosePlaces(ctx context.Context, e *examined, s service, all places) {
	var unfit []error
	for _, target := range s.targets {
		unfit = append(unfit, s.checkLinux(target.Platform))
	}
	if err := joinedOnce(unfit); err != nil {
		e.failed("template-platforms", err)
		return
	}
	if len(all.list) == 0 {
		e.add("template-platforms", doctor.Missing, "no node answers", "building it", "see nodes above, or build on archbuild's own engine: --node engine")
		return
	}
	if unable := engineAlone(all); unable != nil {
		e.add("template-platforms", doctor.Missing, unable.Error(), "building it", wrong.Hint(unable))
		return
	}
	_, plans, err := x.choose(ctx, []service{s}, all)
	if err != nil {
		for _, one := range leaves(err) {
			id := "template-plan"
			if isNoPlace(one) {
				id = "template-platforms"
			}
			e.failed(id, one)
		}
		return
	}
	e.CanBuild = true
	var words []string
	var emulated []platform.Platform
	for _, job := range plans[0].Jobs {
		how := doctor.Native
		if job.How == plan.Emulated {
			how, emulated = doctor.Emulated, append(emulated, job.Platform)
		}
		e.Platforms = append(e.Platforms, doctor.Platform{Platform: job.Platform, How: how, Node: job.Node})
		words = append(words, fmt.Sprintf("%s on %s (%s)", job.Platform, job.Node, runsHow(job.How)))
	}
	e.add("template-plan", doctor.OK, strings.Join(words, ", "), "", "")
	e.checks[len(e.checks)-1].Brief = e.Path.Path
	if len(emulated) > 0 {
		e.add("template-emulated", doctor.Degraded, "steps for "+doctor.Names(emulated)+" run under an emulator", "how long it takes: compiling is 4 to 15 times slower so",
			"name a native node: --node ADDRESS,platform="+emulated[0].String()+"; `archbuild lint "+e.Path.Path+"` tells which stages could compile on the build platform")
	}
}

// runsHow says how the steps of a job run.
func runsHow(how plan.How) string {
	if how == plan.None || how == "" {
		return "nothing to run"
	}
	return string(how)
}

// engineAlone is why the engine cannot build, where there is no other node.
func engineAlone(all places) error {
	for _, at := range all.list {
		if at.unable == nil {
			return nil
		}
	}
	return all.list[0].unable
}

// askNodes asks all nodes what they are, but for the engine, which is looked at and not
// started.
func (x *examination) askNodes(ctx context.Context) []nodes.Facts {
	look := func(ctx context.Context, s nodes.Spec) nodes.Facts {
		if s.Address == nodes.EngineAddress {
			f := nodes.Silent(s, errors.New(""))
			f.Error, f.BuildKit = "", engine.BuildKit
			return f
		}
		return nodes.Look(ctx, s)
	}
	return nodes.LookAtAll(ctx, x.specs, x.wait, look)
}
