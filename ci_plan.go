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
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
)

// CIPlanOptions is what a user can say of a matrix that is to be planned.
type CIPlanOptions struct {
	Options
	// Changed are folders and files of records, and the word registry: platforms that are
	// as their last record says are left out. Empty leaves out none.
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
	if !slices.ContainsFunc(opts.Paths, builder.IsRemote) {
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
	made := ci.Plan{Format: ci.PlanFormat, File: opts.File, Archbuild: opts.Version, Commit: r.commitOf(ctx, services[0]), Record: record}
	if made.Run, err = r.runID(run, made.Commit); err != nil {
		return ci.Plan{}, err
	}
	if record == ci.Registry && len(opts.Tags) > 0 && made.Run == "" {
		return ci.Plan{}, noRun()
	}
	for _, s := range services {
		if doubt := r.legsOverwrite(s); doubt != "" && len(opts.Tags) == 0 {
			r.cacheWarning(doubt)
		}
	}
	m := matrix{run: r, opts: opts, plan: made, host: host, runners: given}
	var failed []error
	for i, s := range services {
		service, err := m.service(ctx, s, r.Paths[i])
		made.Services = append(made.Services, service)
		failed = append(failed, err)
	}
	if err := errors.Join(failed...); err != nil || opts.File == "" {
		return made, err
	}
	body, err := made.JSON()
	if err != nil {
		return made, err
	}
	if err := os.MkdirAll(filepath.Dir(opts.File), 0o755); err != nil {
		return made, &WriteError{Path: opts.File, Err: err}
	}
	return made, writeWhole(opts.File, body)
}

// matrix plans the legs of services.
type matrix struct {
	run
	opts CIPlanOptions
	plan ci.Plan
	host detect.HostFacts
	// runners are those of the command line.
	runners ci.Runners
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
			return nil, &UsageError{fmt.Errorf("--runner %s: no platform and label", text), "write --runner LABEL, or --runner linux/arm64=LABEL for one platform"}
		}
		runners[p] = label
	}
	return runners, nil
}

func (m matrix) service(ctx context.Context, s service, path string) (ci.Service, error) {
	made := ci.Service{Name: s.name, Path: path, Tags: m.tagsOf(s), Legs: []ci.Leg{}}
	var err error
	if made.Inputs, err = m.inputs(ctx, s); err != nil {
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
		why, err := m.changed(ctx, s, made, target, last[target.Platform])
		failed = append(failed, err)
		if why == "" && err == nil && len(m.opts.Changed) > 0 {
			made.Kept = append(made.Kept, last[target.Platform])
			continue
		}
		made.Legs = append(made.Legs, ci.Leg{
			Name: ci.LegName(s.name, target.Platform), Platform: target.Platform, Runner: runners.Of(target.Platform), Args: m.args(made, target.Platform), Why: why,
		})
	}
	return made, errors.Join(failed...)
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
	_, err = fmt.Fprintf(m.Stderr, "archbuild: warning: what the tags name now is not known: %s; --if-match will go by what they name when assembling begins\n", ui.Line(err.Error()))
	return nil, err
}

// args are those of archbuild build for one leg. With tags they push and leave a record.
func (m matrix) args(s ci.Service, p platform.Platform) []string {
	args := append([]string{s.Path, "--platform", p.String()}, m.opts.Given...)
	if len(s.Tags) == 0 {
		return args
	}
	for _, tag := range s.Tags {
		args = append(args, "-t", tag)
	}
	args = append(args, "--push", "--record", m.plan.Record)
	if m.plan.Run != "" {
		args = append(args, "--run", m.plan.Run)
	}
	return args
}

// last are the records of the run before, by platform.
func (m matrix) last(ctx context.Context, s service, made ci.Service) (map[platform.Platform]ci.Record, error) {
	last := map[platform.Platform]ci.Record{}
	for _, place := range m.opts.Changed {
		records, err := m.lastIn(ctx, place, made)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			if r.Name == s.name {
				last[r.Platform] = r
			}
		}
	}
	return last, nil
}

// lastIn reads a place of --changed. One that does not exist yet is the first run's.
func (m matrix) lastIn(ctx context.Context, place string, made ci.Service) ([]ci.Record, error) {
	if place != ci.Registry {
		if _, err := os.Stat(place); errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		sourced, err := (&joiner{}).place(ctx, place)
		var records []ci.Record
		for _, r := range sourced {
			records = append(records, r.Record)
		}
		return records, err
	}
	if len(made.Tags) == 0 {
		return nil, &UsageError{errors.New("--changed registry: there is no tag"), "name the image of the last run: -t REGISTRY/NAME:TAG"}
	}
	full, err := manifest.FullNames(made.Tags)
	if err != nil {
		return nil, err
	}
	for _, name := range full { // A new tag names nothing yet, but latest may.
		repos, err := repositoriesOf([]string{name})
		if err != nil || made.Named[name] == "" {
			continue
		}
		records, err := remembered(ctx, m.registry, repos[0], made.Named[name], "")
		if err != nil || records != nil {
			return records, err
		}
	}
	return nil, nil
}

// changed tells why a leg has to run; empty means that nothing of it did change.
func (m matrix) changed(ctx context.Context, s service, made ci.Service, target plan.Target, last ci.Record) (string, error) {
	repos, err := repositoriesOf(made.Tags)
	switch {
	case len(m.opts.Changed) == 0 || err != nil:
		return "", err
	case last.Digest == "":
		return "there is no record of it", nil
	case last.Inputs.Digest != made.Inputs.Digest:
		return "other " + strings.Join(differingParts(last.Inputs, made.Inputs), ", "), nil
	case last.Index.Attestations != string(m.profile):
		return "another place for attestations", nil
	case slices.ContainsFunc(repos, func(repo string) bool { return !slices.Contains(last.Repositories, repo) }):
		return "its image is in other repositories", nil
	}
	s.targets = []plan.Target{target}
	p, err := m.run.plan(ctx, s, m.placeOf(last))
	if err != nil {
		return "", err
	}
	recipe, err := m.recipe(s, p.Jobs[0])
	if err == nil && recipe != last.Recipe {
		return "another base or another way to build it", nil
	}
	return "", err
}

func differingParts(a, b ci.Inputs) []string {
	var parts []string
	for _, part := range []string{ci.PartFiles, ci.PartArguments, ci.PartContext} {
		if a.Parts[part] != b.Parts[part] {
			parts = append(parts, part)
		}
	}
	return parts
}

// placeOf is the node that a leg ran on, as far as decisions depend on it.
func (m matrix) placeOf(last ci.Record) place {
	node := last.Node.Platform
	return place{
		name: last.Node.Name, platform: node, current: true, close: func() {},
		runs: func(p platform.Platform) plan.Ability {
			if p.Serves(node) || node.Arch == "amd64" && p.Arch == "386" {
				return plan.Ability{How: plan.Native}
			}
			return plan.Ability{How: plan.Emulated}
		},
	}
}
