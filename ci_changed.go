package archbuild

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/ci"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

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
		return nil, &wrong.Usage{errors.New("--changed registry: there is no tag"), "name the image of the last run: -t REGISTRY/NAME:TAG"}
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
func (m matrix) changed(ctx context.Context, i int, made ci.Service, target plan.Target, last ci.Record) (string, error) {
	repos, err := repositoriesOf(made.Tags)
	switch {
	case len(m.opts.Changed) == 0 || err != nil:
		return "", err
	case last.Digest == "":
		return "there is no record of it", nil
	case last.Inputs.Digest != made.Inputs.Digest:
		return "other " + strings.Join(ci.DifferingParts(last.Inputs, made.Inputs), ", "), nil
	case last.Index.Attestations != string(m.profile):
		return "another place for attestations", nil
	case slices.ContainsFunc(repos, func(repo string) bool { return !slices.Contains(last.Repositories, repo) }):
		return "its image is in other repositories", nil
	}
	at := m.placeOf(last)
	jobOf := func(i int, p platform.Platform) (plan.Job, error) { return m.jobOf(ctx, i, p, at) }
	job, err := jobOf(i, target.Platform)
	if err != nil {
		return "", err
	}
	recipe, err := m.recipeOf(m.services, i, job, jobOf)
	if err == nil && recipe != last.Recipe {
		return "another base or another way to build it", nil
	}
	return "", err
}

// jobOf plans one service for one platform.
func (m matrix) jobOf(ctx context.Context, i int, p platform.Platform, at place) (plan.Job, error) {
	s := m.services[i]
	target, err := m.with(s).targetFor(s, p)
	if err != nil {
		return plan.Job{}, err
	}
	s.targets = []plan.Target{target}
	made, err := m.run.plan(ctx, s, at)
	if err != nil {
		return plan.Job{}, err
	}
	return made.Jobs[0], nil
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
