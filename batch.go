package archbuild

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/dispatch"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
)

// batch is the jobs of one service that are built.
type batch struct {
	run
	service
	// index of the service in the roster, number in the run.
	index, number int
	// planned is the plan as the build begins with it, plan as it is carried out in the
	// end: its jobs change while others run.
	planned  plan.Plan
	plan     plan.Plan
	built    []builder.Result
	outcomes []dispatch.Outcome
	// todo are the jobs that have no recorded result, by index.
	todo []int
	// late are those of which it is not known yet what they stand on.
	late map[int]bool

	caches   *builder.Caches
	options  builder.Options
	sources  builder.Sources
	mu       sync.Mutex
	sessions map[int]*builder.Session
	// sent is what each node was sent, and refused what it was not given, in the end.
	sent    []SentTo
	refused []RefusedTo
}

// resume takes what is recorded; the rest is to be built. What others stand on is looked at before them: their key
// holds its digest.
func (c *crew) resume(ctx context.Context, list []*batch) {
	for _, b := range list {
		b.built = make([]builder.Result, len(b.plan.Jobs))
		b.outcomes = make([]dispatch.Outcome, len(b.plan.Jobs))
		b.plan.Jobs = slices.Clone(b.plan.Jobs)
		b.planned = b.plan
		b.planned.Jobs = slices.Clone(b.plan.Jobs)
		b.late = map[int]bool{}
	}
	for _, t := range basesFirst(list, allJobs) {
		if !c.resumeJob(ctx, t) {
			t.todo = append(t.todo, t.job)
		}
	}
	for _, b := range list {
		slices.Sort(b.todo)
		b.planned.Jobs = slices.Clone(b.plan.Jobs)
		c.tellResumed(b)
	}
}

// resumeJob takes the recorded result of one job, if there is one.
func (c *crew) resumeJob(ctx context.Context, t batchJob) bool {
	t.outcomes[t.job].Node = -1
	if !c.bases.ready(t.service, t.planned.Jobs[t.job].Platform) {
		t.late[t.job] = true // only when its bases are built it is known what it is built from
		return false
	}
	result, job, found := c.recorded(ctx, t.batch, t.planned.Jobs[t.job])
	if !found {
		return false
	}
	if c.bases.wants(t.key()) {
		made, err := t.handOver(ctx, t.service, job, result)
		if err != nil {
			return false
		}
		c.bases.put(t.key(), made)
	}
	t.built[t.job], t.plan.Jobs[t.job] = result, job
	return true
}

// tellResumed says which platforms are taken from the last run.
func (c *crew) tellResumed(b *batch) {
	if len(b.todo) == len(b.plan.Jobs) {
		return
	}
	var list []platform.Platform
	for i, job := range b.plan.Jobs {
		if !slices.Contains(b.todo, i) {
			list = append(list, job.Platform)
		}
	}
	fmt.Fprintf(c.engineLog(), "archbuild: %s: nothing has changed for %s: taken from the last run\n", ui.Line(b.service.name), joinPlatforms(list))
}

// recorded gives the recorded result of a job, and the job as it was built then: as it is
// planned, or as another node would do it that is as good. Which of them took it was a
// matter of who had room.
func (c *crew) recorded(ctx context.Context, b *batch, job plan.Job) (builder.Result, plan.Job, bool) {
	r, job, err := c.standing(b, job)
	if err != nil {
		return builder.Result{}, job, false
	}
	result, found := r.recorded(ctx, b.service, b.planned, job)
	if found || r.neverResumed(b.service, job) != "" {
		return result, job, found
	}
	key := jobKey{b.index, job.Platform}
	kinds := []string{c.list[c.chosen[key]].kind}
	for _, way := range c.ways[key] {
		kind := c.list[way.Node].kind
		if slices.Contains(kinds, kind) {
			continue
		}
		kinds = append(kinds, kind)
		moved, err := c.move(ctx, key, job, way.Node)
		if err != nil {
			continue
		}
		r, moved, err := c.standing(b, moved)
		if err != nil {
			continue
		}
		if result, found := r.recorded(ctx, b.service, b.planned, moved); found {
			return result, moved, true
		}
	}
	return result, job, false
}

// prepare makes ready what all nodes read of a batch. What is shared has all batches of a run walk a folder once.
// The caller calls done.
func (b *batch) prepare(ctx context.Context, shared *builder.Shared) (done func(), err error) {
	pinned := b.sharedKeys(b.plan)
	if b.caches, done, err = b.openCaches(ctx, b.service, pinned); err != nil {
		return nil, err
	}
	files, err := b.rewritten(b.service, b.plan)
	if err == nil {
		b.sources, err = b.offered(b.service, pinned, files)
	}
	if err != nil {
		done()
		return nil, err
	}
	b.sources.Caches, b.sources.Shared = b.caches, shared
	b.options = b.builderOptions(b.service, b.plan)
	b.options.Caches = b.caches
	b.sessions = map[int]*builder.Session{}
	return done, nil
}

// leave ends the sessions, and adds up what they have sent.
func (b *batch) leave(nodes []place) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var wg sync.WaitGroup
	for i, at := range nodes {
		if s := b.sessions[i]; s != nil {
			if s.Ended() {
				b.renewFolders(b.service)
			}
			wg.Go(func() { s.Close() })
			b.sent = append(b.sent, SentTo{Node: at.name, Sent: s.Sent()})
			if refused := s.Refused(); len(refused) > 0 {
				b.refused = append(b.refused, RefusedTo{Node: at.name, Refusals: refused, Passwords: s.Passwords()})
			}
		}
	}
	wg.Wait()
}

// session with a node, opened once.
func (b *batch) session(ctx context.Context, node *builder.Node, i int) (*builder.Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.sessions[i]
	if before != nil && !before.Ended() {
		return before, nil
	}
	if before != nil {
		b.renewFolders(b.service)
		b.sources.Edition = b.editions(b.service)
	}
	s, err := builder.Start(ctx, node, b.sources)
	if err == nil {
		b.sessions[i] = s
	}
	if err == nil && before != nil { // Its connection broke; jobs that were moved have files in it no longer.
		before.Close()
	}
	return s, err
}
