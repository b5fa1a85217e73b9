package archbuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/dispatch"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// making is one service on its way from its plan to its index.
type making struct {
	run
	service
	// index of the service in the crew's roster.
	index int
	crew  *crew
	// plan as it is carried out: a job that another node takes over is planned anew.
	plan  plan.Plan
	built []builder.Result
	image *Image
	leg   *leg
	// whole is the index of the results.
	whole   manifest.Index
	results []manifest.Result
	// together says that its tags move with those of others, pushes are where to; joint that it has no
	// metadata file of its own.
	together, joint bool
	pushes          []manifest.Output
	// again are the jobs that were built a second time without a moved stage, and why,
	// by index.
	again map[int]string
	// was are the jobs as they were planned first.
	was []plan.Job
}

// make takes every plan through rewrite, builder, verify and manifest. All services are
// built at once, as far as nodes have room; then each is verified and delivered.
func (r run) make(ctx context.Context, c *crew, services []service, plans []plan.Plan) ([]Image, error) {
	release, err := r.store.Hold(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	var list []*making
	for i, s := range services {
		m, err := r.begin(ctx, c, i, services, plans)
		if err != nil {
			return nil, r.ofService(services, s, err)
		}
		m.index = i
		list = append(list, m)
	}
	c.bases = newBases(services)
	var batches []*batch
	for i, m := range list {
		batches = append(batches, &batch{run: m.run, service: m.service, index: i, number: i, plan: m.plan})
	}
	err = c.build(ctx, batches)
	failed := make([]error, len(list))
	for _, i := range inOrder(list) {
		m := list[i]
		m.together, m.joint = len(list) > 1 && !r.PerService && r.Record == "", r.isJoint(list)
		if err == nil {
			m.take(batches[i])
			m.remind(batches[i])
			finished := m.finish(ctx)
			m.heal(ctx, finished)
			failed[i] = r.ofService(services, m.service, r.explainDisk(finished))
		}
		m.image.Cache = m.image.hits()
	}
	var last error
	if err == nil {
		last = r.pushAll(ctx, list, failed)
	}
	if r.isJoint(list) {
		last = errors.Join(last, r.writeMetadata(list))
	}
	var images []Image
	for _, m := range list {
		images = append(images, *m.image)
	}
	return images, errors.Join(r.explainDisk(err), first(list, failed), last)
}

// inOrder are the places of services, bases first.
func inOrder(list []*making) []int {
	var order []int
	seen := make([]bool, len(list))
	var visit func(int)
	visit = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		for _, st := range list[i].stands {
			visit(st.base)
		}
		order = append(order, i)
	}
	for i := range list {
		visit(i)
	}
	return order
}

// ofService says which of several services an error is about.
func (r run) ofService(services []service, s service, err error) error {
	if err == nil || len(services) < 2 {
		return err
	}
	return inService(s.name, err)
}

func (r run) begin(ctx context.Context, c *crew, i int, services []service, plans []plan.Plan) (*making, error) {
	s, p := services[i], plans[i]
	image := newImage(s, p)
	image.Tags = r.tagsOf(s)
	m := &making{run: r.with(s), service: s, crew: c, plan: p, image: &image, again: map[int]string{}, was: p.Jobs}
	m.plan.Jobs = slices.Clone(p.Jobs)
	for _, target := range s.targets {
		if err := c.left[jobKey{i, target.Platform}]; err != nil {
			m.leaveOut(target.Platform, err)
		}
	}
	var err error
	m.leg, err = r.leg(ctx, services, i, plans)
	return m, err
}

// take notes what a build has given.
func (m *making) take(b *batch) {
	m.plan, m.built, m.image.Sent, m.image.Refused = b.plan, b.built, b.sent, b.refused
	for i := range m.built {
		m.image.Platforms[i].done(b.plan.Jobs[i], m.built[i], b.outcomes[i])
	}
}

// remind notes how long jobs took, for the next run.
func (m *making) remind(b *batch) {
	if err := m.history().note(m.service, b.plan.Jobs, m.image, b.outcomes, time.Now()); err != nil {
		fmt.Fprintf(m.engineLog(), "archbuild: warning: the next run will not know how long this one took: %s\n", ui.Line(err.Error()))
	}
}

// finish proves what was built, makes the index and delivers it.
func (m *making) finish(ctx context.Context) error {
	results, err := m.settle(ctx)
	m.tellWarnings(m.service, m.built)
	if ctx.Err() == nil { // what was built is worth keeping, whatever becomes of the image
		err = errors.Join(err, m.finishCaches(ctx, m.service, m.built))
	}
	if err != nil {
		return errors.Join(err, m.writeFailure())
	}
	if m.leg != nil {
		return m.leg.deliver(ctx, m.plan, results, m.image)
	}
	index, err := manifest.Assemble(ctx, manifest.Store{Dir: m.store.Dir}, results, m.annotations, m.profile)
	if err != nil {
		return err
	}
	m.whole, m.results, m.image.Digest = index, results, index.Descriptor.Digest.String()
	return m.deliver(ctx)
}

// settle is settled, and tells those that stand on the service which platforms of it are no good: bases are settled first.
func (m *making) settle(ctx context.Context) ([]manifest.Result, error) {
	results, err := m.settled(ctx)
	told := slices.ContainsFunc(m.image.Platforms, func(b Built) bool { return b.Error != "" })
	for i, job := range m.plan.Jobs {
		if m.image.Platforms[i].Error != "" || err != nil && !told {
			m.crew.bases.refuse(jobKey{m.index, job.Platform})
		}
	}
	return results, err
}

// settled has built again what failed because of a moved stage, and checks every
// platform. The error is that of all that failed for good; what may fail is left out
// of the results.
func (m *making) settled(ctx context.Context) ([]manifest.Result, error) {
	failed, err := m.mended(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.counted(failed); err != nil {
		return nil, err
	}
	results := make([]manifest.Result, len(m.built))
	for i := range m.built {
		m.checked(ctx, i, results, failed)
	}
	indexes, err := m.retry(ctx, failed)
	if err != nil {
		return nil, err
	}
	for _, i := range indexes {
		failed[i] = m.built[i].Err
		m.checked(ctx, i, results, failed)
	}
	m.remember(failed)
	if err := m.counted(failed); err != nil {
		return nil, err
	}
	if err := m.witnessed(ctx, results, failed); err != nil {
		return nil, err
	}
	if ctx.Err() != nil { // What may fail may be missing because of that.
		return nil, context.Cause(ctx)
	}
	return m.without(results, failed)
}

// checked looks at one platform, unless it was not built.
func (m *making) checked(ctx context.Context, i int, results []manifest.Result, failed []error) {
	if failed[i] == nil {
		if failed[i] = m.crew.bases.sound(m.service, m.plan.Jobs[i].Platform); failed[i] != nil {
			m.image.Platforms[i].State, m.image.Platforms[i].Because = stateNotBuilt, because(failed[i])
		}
	}
	if failed[i] == nil {
		results[i], failed[i] = m.checkJob(ctx, m.service, m.plan.Jobs[i], m.built[i], &m.image.Platforms[i])
	}
	m.image.Platforms[i].failed(failed[i])
}

// counted are the failures that count: not those of platforms that may fail, and none
// of those that are only there because of another.
func (m *making) counted(failed []error) error {
	var all, first []error
	for i, err := range failed {
		if err == nil || m.mayFail(m.plan.Jobs[i].Platform) {
			continue
		}
		all = append(all, err)
		if !errors.Is(err, dispatch.ErrNotStarted) && !errors.Is(err, dispatch.ErrStopped) {
			first = append(first, err)
		}
	}
	if len(first) > 0 {
		return errors.Join(first...)
	}
	return errors.Join(all...)
}

// mayFail says whether --optional names a platform.
func (r run) mayFail(p platform.Platform) bool { return slices.Contains(r.optional, p) }

// without leaves out of the results the platforms that failed and may.
func (m *making) without(results []manifest.Result, failed []error) ([]manifest.Result, error) {
	var kept []manifest.Result
	for i, result := range results {
		if failed[i] == nil {
			kept = append(kept, result)
			continue
		}
		m.leaveOut(m.plan.Jobs[i].Platform, failed[i])
	}
	if len(kept) == 0 {
		return nil, &NothingBuiltError{Name: m.service.name, Err: errors.Join(failed...)}
	}
	return kept, nil
}

// leaveOut tells of a platform that the image is made without.
func (m *making) leaveOut(p platform.Platform, err error) {
	m.image.Without = append(m.image.Without, p)
	fmt.Fprintf(m.warn(), "archbuild: warning: %s is made WITHOUT %s, which is optional and failed: %s\n", ui.Line(m.service.name), p, ui.Line(firstLine(err)))
}

// NothingBuiltError says that all platforms of an image are optional, and failed.
type NothingBuiltError struct {
	Name string
	Err  error
}

func (e *NothingBuiltError) Error() string {
	return fmt.Sprintf("%s: no platform was built, though each is optional: %v", e.Name, e.Err)
}

// Unwrap gives the failures.
func (e *NothingBuiltError) Unwrap() error { return e.Err }

// Hint is the first failure's.
func (e *NothingBuiltError) Hint() string { return wrong.Hint(e.Err) }

// retry builds those jobs again, emulated, that moved stages may have failed. errs are
// the failures by job. It returns the jobs that it built.
func (m *making) retry(ctx context.Context, errs []error) ([]int, error) {
	why := map[int]string{}
	for i, job := range m.plan.Jobs {
		if errs[i] != nil && ctx.Err() == nil && job.Moves() && m.mayBeCross(i, errs) {
			why[i] = firstLine(errs[i])
		}
	}
	if len(why) == 0 {
		return nil, nil
	}
	r, s := m.run, m.service
	r.emulated, s.targets = map[platform.Platform]string{}, nil
	var indexes []int
	for i, job := range m.plan.Jobs {
		if why[i] == "" {
			continue
		}
		indexes = append(indexes, i)
		r.emulated[job.Platform] = "it failed on " + job.BuildPlatform.String() + ": " + why[i]
		j := slices.IndexFunc(m.targets, func(t plan.Target) bool { return t.Platform == job.Platform })
		s.targets = append(s.targets, m.targets[j])
		fmt.Fprintf(m.Stderr, "archbuild: warning: %s: what was to run on %s (stage %s) failed: %s\n", job.Platform, job.BuildPlatform, strings.Join(builtCross(job).Stages, ", "), ui.Line(why[i]))
	}
	again, p, err := m.crew.anew(ctx, r, s)
	if err != nil { // it cannot be emulated, so the first failure counts
		fmt.Fprintf(m.Stderr, "archbuild: warning: it cannot be emulated either: %s\n", ui.Line(firstLine(err)))
		return nil, nil
	}
	fmt.Fprintln(m.Stderr, "archbuild: building again, emulated: "+platformList(p))
	b := &batch{run: r, service: s, number: m.index, plan: p}
	if err := again.build(ctx, []*batch{b}); err != nil || ctx.Err() != nil {
		return nil, errors.Join(err, context.Cause(ctx))
	}
	for k, i := range indexes {
		m.was[i], m.again[i] = m.plan.Jobs[i], why[i]
		m.plan.Jobs[i], m.built[i] = b.plan.Jobs[k], b.built[k]
		at := &m.image.Platforms[i]
		at.Cross.Failed = why[i]
		at.done(b.plan.Jobs[k], b.built[k], b.outcomes[k])
	}
	return indexes, nil
}
