// Package archbuild takes a Dockerfile that was written for one architecture
// and delivers one multi-platform image.
//
// Build is the whole of it. It reads like the picture:
//
//	template ─► resolve ─► plan ─► rewrite ─► builder ─► verify ─► manifest
//
// The Dockerfile is a template. For every platform, resolve finds the images
// that serve its bases, plan decides, rewrite writes the Dockerfile of that
// platform, builder has BuildKit build it, verify looks whether the programs in
// the result are for that platform, and manifest joins all results under one
// index and delivers it. Each room is a package that can be read by itself.
package archbuild

import (
	"context"
	"errors"

	"github.com/archbuild/archbuild/plan"
)

// Build does what Options say and tells what came of it. With DryRun it stops
// at the plan. The Outcome is worth printing even when there is an error: a
// platform that failed leaves the others standing in it.
func Build(ctx context.Context, opts Options) (Outcome, error) {
	opts, err := opts.input(ctx)
	if err != nil {
		return Outcome{}, err
	}
	defer opts.leave()
	opts, refused := opts.distrusting()
	run, err := opts.check()
	if err = errors.Join(refused, err, opts.checkRules()); err != nil {
		return Outcome{}, err
	}
	host, err := opts.host(ctx)
	if err != nil {
		return Outcome{}, err
	}
	services, err := run.read(ctx, host)
	if err != nil {
		return Outcome{}, err
	}
	defer func() { closeAll(services) }()
	nodes, err := opts.findPlaces(ctx, host)
	if err != nil {
		return Outcome{}, err
	}
	defer nodes.close()
	made, err := run.connect(services, nodes.builds)
	if err != nil {
		return Outcome{}, err
	}
	services = made.services
	if opts.GraphOnly {
		return Outcome{Graph: made.drawn()}, nil
	}
	run = run.witnessing(services)
	holes := nodes.holes(ctx)

	if run.engines, err = run.findEngines(ctx, services); err != nil {
		return Outcome{}, err
	}
	if err := run.checkServices(services); err != nil {
		return Outcome{}, err
	}
	if run, err = run.forPlaces(ctx, services, nodes); err != nil {
		return Outcome{}, err
	}
	roster, plans, err := run.choose(ctx, services, nodes)
	if err != nil {
		run.remind(made.graph.Notes)
	}
	if err != nil || opts.DryRun {
		return Outcome{Graph: made.shown(), Plans: nodes.told(plans)}, err
	}
	if err := run.checkPrivileges(services, plans); err != nil {
		return Outcome{Plans: plans}, err
	}
	rules, err := run.buildRules(services, plans)
	if err != nil {
		return Outcome{Plans: plans}, err
	}
	run.announce(made.shown(), plans)
	if err := run.refuseHoles(holes(), plans); err != nil {
		return Outcome{Plans: plans}, err
	}
	if err := run.askMoves(services, plans); err != nil {
		return Outcome{Plans: plans}, err
	}

	crew := roster.crew()
	defer crew.close()
	images, err := run.make(ctx, crew, services, plans)
	if err != nil {
		return Outcome{Images: images}, err
	}
	return Outcome{Images: images}, run.writeDeps(rules)
}

// decide answers every question of every service and plans them.
func (r run) decide(ctx context.Context, services []service, at place) ([]plan.Plan, error) {
	var plans []plan.Plan
	var failed []error
	for _, s := range services {
		p, err := r.plan(ctx, s, at)
		plans = append(plans, p)
		failed = append(failed, err)
	}
	return plans, onceForEachHost(errors.Join(failed...), !r.Offline)
}
