package archbuild

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/ci"
	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// CIPlanOptions is what a user can say of a matrix that is to be planned.
type CIPlanOptions struct {
	Options
	// Changed are folders and files of records, and the word registry: platforms that are as their last record says are left out.
	// Empty leaves out none.
	Changed []string
	// Runners are PLATFORM=LABEL, or LABEL for all platforms.
	Runners []string
	// File is where the plan is going to be kept as JSON; it is no part of a context.
	File string
	// Given are the flags of build that each leg gets as well.
	Given []string
}

// CIPlan says which legs a pipeline has to run for the images of Paths. It builds nothing.
func CIPlan(ctx context.Context, opts CIPlanOptions) (ci.Plan, error) {
	record, run := opts.Record, opts.Run
	opts.Record, opts.Run, opts.DryRun = "", "", true // They are the legs'.
	if record == "" {
		record = ci.Registry
	}
	addresses := slices.Concat(opts.Paths, []string{opts.Options.File})
	if err := checkPublic(addresses); err != nil {
		return ci.Plan{}, err
	}
	if !slices.ContainsFunc(addresses, builder.IsRemote) {
		opts.Secrets, opts.SSH = nil, nil // The legs have them; here they need not be.
	}
	given, err := opts.runners()
	if err != nil {
		return ci.Plan{}, err
	}
	r, host, services, err := opts.begin(ctx)
	if err != nil {
		return ci.Plan{}, err
	}
	defer closeAll(services)
	if err := r.checkServices(services); err != nil {
		return ci.Plan{}, err
	}
	r.Record, r.besides = record, append(r.besides, opts.File) // They do not count as parts of the context.
	for _, s := range services {
		if s.self != nil {
			s.self.Record = record
		}
	}
	made := ci.Plan{Format: ci.PlanFormat, File: opts.File, Archbuild: opts.Version, Commit: r.commitOf(ctx, services[0]), Record: record}
	if made.Run, err = r.RunID(run, made.Commit); err != nil {
		return ci.Plan{}, err
	}
	m := matrix{run: r, opts: opts, plan: made, host: host, runners: given, services: services, unread: map[string]bool{}}
	if err := m.checkLegs(); err != nil {
		return ci.Plan{}, err
	}
	var failed []error
	for i, s := range services {
		if r.found != nil && !r.found.wants(s.name) {
			continue // The legs of those that stand on it build it.
		}
		service, err := m.service(ctx, i)
		made.Services = append(made.Services, service)
		failed = append(failed, r.ofService(services, s, err))
	}
	if err := errors.Join(failed...); err != nil {
		return made, err
	}
	m.tellUnpushed(made.Services)
	if opts.File == "" {
		return made, nil
	}
	body, err := made.JSON()
	if err != nil {
		return made, err
	}
	if err := os.MkdirAll(filepath.Dir(opts.File), 0o755); err != nil {
		return made, &wrong.Write{Path: opts.File, Err: err}
	}
	return made, outside.WriteWhole(opts.File, body)
}

// checkPublic refuses addresses with a password or a token in them: a plan is printed, kept and handed to every job.
func checkPublic(addresses []string) error {
	for _, address := range addresses {
		if shown := (builder.Remote{Address: address}).Shown(); builder.IsRemote(address) && shown != address {
			return &wrong.Usage{fmt.Errorf("%s: the plan would tell what is hidden here", shown), "take it out of the address, and give a token with --secret id=GIT_AUTH_TOKEN,env=VARIABLE"}
		}
	}
	return nil
}

// matrix plans the legs of services.
type matrix struct {
	run
	opts CIPlanOptions
	plan ci.Plan
	host detect.HostFacts
	// runners are those of the command line.
	runners ci.Runners
	// services are all that are built, bases first.
	services []service
	// unread are the registries that the user was told not to be readable.
	unread map[string]bool
}

// checkLegs looks at what the legs of several services need that one service does not.
func (m matrix) checkLegs() error {
	for i, s := range m.services {
		if doubt := m.legsOverwrite(s); doubt != "" && len(m.tagsOf(s)) == 0 {
			m.cacheWarning(doubt)
		}
		if m.plan.Record == ci.Registry && len(m.tagsOf(s)) > 0 && m.plan.Run == "" {
			return noRun()
		}
		if bases := basesOf(m.services, i); len(bases) > 0 && m.found == nil {
			return &wrong.Usage{
				fmt.Errorf("%s stands on %s, and a job that is told of one folder does not have the other", s.name, m.services[bases[0]].name),
				"plan the folder above them: archbuild ci plan DIR --all; or list them in a compose or bake file",
			}
		}
	}
	return nil
}

// runners reads --runner.
func (o CIPlanOptions) runners() (ci.Runners, error) {
	runners := ci.Runners{}
	for _, text := range o.Runners {
		name, label, perPlatform := strings.Cut(text, "=")
		var p platform.Platform
		var err error
		if perPlatform {
			p, err = platform.Parse(name)
		} else {
			label = name
		}
		if err != nil || label == "" {
			return nil, &wrong.Usage{fmt.Errorf("--runner %s: no platform and label", text), "write --runner LABEL, or --runner linux/arm64=LABEL for one platform"}
		}
		runners[p] = label
	}
	return runners, nil
}

func (m matrix) service(ctx context.Context, i int) (ci.Service, error) {
	s := m.services[i]
	made := ci.Service{Name: s.name, Path: s.path, Tags: m.tagsOf(s), Run: m.runOf(i), Legs: []ci.Leg{}}
	var err error
	if made.Inputs, err = m.inputsOf(ctx, m.services, i); err != nil {
		return made, err
	}
	for _, target := range s.targets {
		made.Platforms = append(made.Platforms, target.Platform)
	}
	if made.Named, err = m.named(ctx, made.Tags); err != nil {
		return made, err
	}
	last, err := m.last(ctx, s, made)
	if err != nil {
		return made, err
	}
	runners := ci.DefaultRunners().Over(s.config.Runners()).Over(m.runners)
	var failed []error
	for _, target := range s.targets {
		why, err := m.changed(ctx, i, made, target, last[target.Platform])
		failed = append(failed, err)
		if why == "" && err == nil && len(m.opts.Changed) > 0 {
			made.Kept = append(made.Kept, last[target.Platform])
			continue
		}
		made.Legs = append(made.Legs, ci.Leg{
			Name: ci.LegName(s.name, target.Platform), Platform: target.Platform, Runner: runners.Of(target.Platform),
			Args: m.args(made, target.Platform), Builds: m.alsoBuilds(i, target.Platform), Why: why,
		})
	}
	return made, errors.Join(failed...)
}

// runOf is the name of the run for the legs of one service, where several would leave their records in one repository:
// the staging tag there has no name of a service.
func (m matrix) runOf(i int) string {
	own, err := repositoriesOf(m.tagsOf(m.services[i]))
	if err != nil || m.plan.Run == "" || m.plan.Record != ci.Registry {
		return ""
	}
	for k, other := range m.services {
		theirs, err := repositoriesOf(m.tagsOf(other))
		if k != i && err == nil && slices.ContainsFunc(theirs, func(repo string) bool { return slices.Contains(own, repo) }) {
			return m.plan.Run + "-" + m.services[i].name
		}
	}
	return ""
}

// alsoBuilds are the services that a leg builds for its own.
func (m matrix) alsoBuilds(i int, p platform.Platform) []string {
	if m.NoDeps {
		return nil
	}
	var names []string
	var follow func(int, platform.Platform)
	follow = func(user int, on platform.Platform) {
		for _, st := range m.services[user].stands {
			if base := m.services[st.base].name; st.on == on && !slices.Contains(names, base) {
				names = append(names, base)
				follow(st.base, st.at)
			}
		}
	}
	follow(i, p)
	slices.Sort(names)
	return names
}

// named is what the tags name now. Who may not read a registry can plan for it all the same,
// unless the plan depends on it.
func (m matrix) named(ctx context.Context, tags []string) (map[string]digest.Digest, error) {
	if len(tags) == 0 || m.Offline {
		return nil, nil
	}
	named, err := namedNow(ctx, m.registry, tags)
	if err == nil || ctx.Err() != nil || slices.Contains(m.opts.Changed, ci.Registry) {
		return named, err
	}
	if of := new(registry.Error); errors.As(err, &of) {
		if m.unread[of.Host] {
			return nil, nil
		}
		m.unread[of.Host] = true
	}
	_, err = fmt.Fprintf(m.Stderr, "archbuild: warning: what the tags name now is not known: %s; --if-match will go by what they name when assembling begins\n", ui.Line(err.Error()))
	return nil, err
}

// tellUnpushed names the services whose legs push nothing, where those of others do.
func (m matrix) tellUnpushed(services []ci.Service) {
	var names []string
	for _, s := range services {
		if len(s.Tags) == 0 {
			names = append(names, s.Name)
		}
	}
	if len(names) > 0 && len(names) < len(services) {
		fmt.Fprintf(m.Stderr, "archbuild: warning: %s: no image: and no tag, so these legs push nothing and leave no record; -t with {name} names all\n", ui.Line(strings.Join(names, ", ")))
	}
}

// args are those of archbuild build for one leg. With tags they push and leave a record.
func (m matrix) args(s ci.Service, p platform.Platform) []string {
	words, tags := []string{s.Path}, s.Tags
	if m.found != nil { // The leg reads the project as well, which has the tags; -t may have {name} in it.
		words, tags = append(slices.Clone(m.opts.Paths[:min(1, len(m.opts.Paths))]), s.Name), m.opts.Tags
		if from := m.found.origin; m.opts.Options.File != "" && !m.opts.All && (from == nil || from.path == m.opts.Options.File) {
			words = []string{s.Name}
		} else if from != nil && from.path != m.opts.Options.File {
			words[0] = from.pinned() // all legs build what the plan was made of
		}
	}
	args := slices.Concat(words, []string{"--platform", p.String()}, m.opts.Given)
	if len(s.Tags) == 0 {
		return args
	}
	for _, tag := range tags {
		args = append(args, "-t", tag)
	}
	args = append(args, "--push", "--record", m.plan.Record)
	if run := m.plan.RunOf(s); run != "" {
		args = append(args, "--run", run)
	}
	return args
}
