package archbuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/builder/guard"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/template"
	"github.com/archbuild/archbuild/wrong"
)

// forPlaces looks at flags that only make sense with what was found: stages, the
// nodes, the scanner's image.
func (r run) forPlaces(ctx context.Context, services []service, nodes places) (run, error) {
	var failed []error
	failed = append(failed, r.checkNoCacheStages(services), r.checkOptional(services))
	for _, s := range services {
		failed = append(failed, r.checkCachesOf(s))
	}
	for _, own := range r.runsOf(services) {
		for _, doubt := range own.cacheDoubts() {
			own.cacheWarning(doubt)
		}
		if nodes.engine() {
			failed = append(failed, own.checkGHA(), own.checkAllowed())
		}
	}
	if err := joinedOnce(failed); err != nil {
		return r, err
	}
	for _, s := range services {
		if s.self == nil {
			continue
		}
		var err error
		if s.self.sbom, err = r.with(s).findScanner(ctx); err != nil {
			return r, err
		}
	}
	var err error
	r.sbom, err = r.findScanner(ctx)
	return r, err
}

// runsOf are the runs that services have: their own, or the one of all.
func (r run) runsOf(services []service) []run {
	var list []run
	shared := false
	for _, s := range services {
		if s.self != nil || !shared {
			list = append(list, r.with(s))
		}
		shared = shared || s.self == nil
	}
	return list
}

// checkGHA refuses a cache that the private engine has not.
func (r run) checkGHA() error {
	if slices.ContainsFunc(slices.Concat(r.cacheFrom, r.cacheTo), func(c builder.Cache) bool { return c.Type == builder.CacheGHA }) {
		return &wrong.Usage{errors.New("the private engine has no cache of type gha"), "use type=registry,ref=REF, or a BuildKit of your own: --builder NAME, --node ADDRESS"}
	}
	return nil
}

// checkAllowed looks whether the private engine can give the privileges of --allow.
func (r run) checkAllowed() error {
	path, err := r.world().EngineConfig()
	if err != nil || len(r.allow) == 0 {
		return err
	}
	config, err := engine.LoadConfig(path)
	if err != nil {
		return err
	}
	for _, name := range r.allow {
		switch {
		case strings.HasPrefix(name, device):
			return &wrong.Usage{errors.New("--allow " + name + ": the private engine gives RUN no devices"), "use a BuildKit with CDI devices: --builder NAME, --node ADDRESS"}
		case config.Entitlements != nil && !slices.Contains(config.Entitlements, name):
			return &wrong.Usage{fmt.Errorf("%s does not let anybody have %s", path, name), "add it to insecure-entitlements there"}
		}
	}
	return nil
}

// checkNoCacheStages looks whether there are the stages of --no-cache-filter.
func (r run) checkNoCacheStages(services []service) error {
	var failed []error
	for _, name := range r.noCacheStages() {
		found := false
		for _, s := range services {
			for _, target := range s.targets {
				found = found || slices.ContainsFunc(s.of(target.Platform).template.Stages, func(st template.Stage) bool { return strings.EqualFold(st.Name, name) })
			}
		}
		if !found {
			t := services[0].template
			failed = append(failed, &NoStageError{From: "--no-cache-filter", File: t.File, Stage: name, Stages: stageNames(t)})
		}
	}
	return errors.Join(failed...)
}

// flagNotes tell what flags and the environment add to a build.
func (r run) flagNotes(s service, p plan.Plan) []string {
	var notes []string
	if r.sbom != nil {
		notes = append(notes, fmt.Sprintf("SBOM by %s, which runs on the node for every platform", r.sbom.image))
	}
	if len(r.allow) > 0 {
		notes = append(notes, "RUN may have the privileges "+strings.Join(r.allow, ", "))
	}
	return slices.Concat(r.untrustedNotes(), notes, r.cacheNotes(s, p), r.proxyNotes(), r.addressNotes(), r.addNotes(s, p), r.recordNotes())
}

// builderOptions are those that hold for all jobs of a plan.
func (r run) builderOptions(s service, p plan.Plan) builder.Options {
	attrs := maps.Clone(r.frontend)
	if r.sbom != nil {
		attrs["attest:sbom"] = r.sbom.attr()
	}
	return builder.Options{
		Template: s.template.File, Labels: r.labels, Annotations: r.manifestAnnotations(p), NoCache: r.NoCache, Pull: r.Pull,
		Provenance: r.provenance, Export: r.export, Remote: r.remotes(), Images: r.images,
		Frontend: attrs, Proxies: r.proxyArgs, Allow: r.allow, CacheProject: r.cacheProject(s),
	}
}

// offered is what a node may read of a service during a session.
func (r run) offered(s service, p plan.Plan, dockerfiles map[string][]byte) (builder.Sources, error) {
	out, err := filepath.Abs(resultsFolder)
	if err != nil {
		return builder.Sources{}, fmt.Errorf("finding %s: %w", resultsFolder, err)
	}
	secrets, agents := r.wanted(s, p)
	return builder.Sources{
		Context: s.context.Context, Results: out, Rewrites: append(rewrites(s, p), r.recordNames(s)...), Dockerfiles: dockerfiles, Contexts: r.folders, Layouts: r.layouts,
		Secrets: secrets, SSH: agents, Fetches: r.fetches(s, p), Registries: r.access(p), Realm: r.registry.Realm, Tokens: r.registry.Tokens, Store: r.store.Dir, Edition: r.editions(s),
	}, nil
}

// otherImages are those that the node asks registries for beside bases.
func (r run) otherImages(s string) []string {
	var refs []string
	if r.sbom != nil {
		refs = append(refs, r.sbom.image)
	}
	for _, c := range cachesOf(slices.Concat(r.cacheFrom, r.cacheTo), service{name: s}) {
		if c.Type == builder.CacheRegistry {
			refs = append(refs, c.Attrs["ref"])
		}
	}
	return refs
}

// implicitOf are those of some secrets that BuildKit asks for when it fetches something.
func implicitOf(list []builder.Secret) []builder.Secret {
	return slices.DeleteFunc(slices.Clone(list), func(s builder.Secret) bool {
		return !guard.Implicit(s.ID)
	})
}

// fetches says whether the node fetches something from Git or an address for a plan, or may: what a base's triggers and
// other frontends do is not known here.
func (r run) fetches(s service, p plan.Plan) bool {
	return s.context.Fetched != nil || len(r.remote) > 0 || slices.ContainsFunc(p.Jobs, func(job plan.Job) bool {
		return job.Frontend != "" || job.HasTriggers() || s.of(job.Platform).template.Wants().Fetches
	})
}

// wanted are the secrets and agents that the Dockerfiles of a plan ask for, of those that the
// user gave. Where that cannot be told, they are all.
func (r run) wanted(s service, p plan.Plan) ([]builder.Secret, []builder.SSH) {
	secrets, agents := map[string]bool{}, map[string]bool{}
	all := s.context.Fetched != nil || len(r.remote) > 0
	for _, job := range p.Jobs {
		wants := s.of(job.Platform).template.Wants()
		all = all || wants.Unsure || job.Frontend != "" || job.HasTriggers() // others read the file in their way
		for _, id := range wants.Secrets {
			secrets[id] = true
		}
		for _, id := range wants.SSH {
			agents[id] = true
		}
		if wants.Git {
			agents[builder.DefaultSSH] = true
		}
	}
	if all {
		return r.secrets, r.ssh
	}
	asked := slices.DeleteFunc(slices.Clone(r.secrets), func(s builder.Secret) bool {
		return !secrets[s.ID] && !guard.Implicit(s.ID)
	})
	return asked, slices.DeleteFunc(slices.Clone(r.ssh), func(s builder.SSH) bool { return !agents[s.ID] })
}
