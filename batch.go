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
	// index of the service in the roster.
	index int
	// planned is the plan as the build begins with it, plan as it is carried out in the
	// end: its jobs change while others run.
	planned  plan.Plan
	plan     plan.Plan
	built    []builder.Result
	outcomes []dispatch.Outcome
	// todo are the jobs that have no recorded result, by index.
	todo []int

	caches   *builder.Caches
	options  builder.Options
	sources  builder.Sources
	mu       sync.Mutex
	sessions map[int]*builder.Session
	// sent is what each node was sent, and refused what it was not given, in the end.
	sent    []SentTo
	refused []RefusedTo
}

// resume takes what is recorded; the rest is to be built.
func (c *crew) resume(ctx context.Context, b *batch) {
	b.built = make([]builder.Result, len(b.plan.Jobs))
	b.outcomes = make([]dispatch.Outcome, len(b.plan.Jobs))
	for i, job := range b.plan.Jobs {
		var found bool
		b.outcomes[i].Node = -1
		if b.built[i], b.plan.Jobs[i], found = c.recorded(ctx, b, job); !found {
			b.todo = append(b.todo, i)
		}
	}
	b.planned = b.plan
	b.planned.Jobs = slices.Clone(b.plan.Jobs)
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
	result, found := b.recorded(ctx, b.service, b.plan, job)
	if found || b.neverResumed(b.service, job) != "" {
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
		if result, found := b.recorded(ctx, b.service, b.plan, moved); found {
			return result, moved, true
		}
	}
	return result, job, false
}

// prepare makes ready what all nodes read of a batch. The caller calls done.
func (b *batch) prepare(ctx context.Context) (done func(), err error) {
	shared := b.sharedKeys(b.plan)
	if b.caches, done, err = b.openCaches(ctx, b.service, shared); err != nil {
		return nil, err
	}
	files, err := b.rewritten(b.service, b.plan)
	if err == nil {
		b.sources, err = b.offered(b.service, shared, files)
	}
	if err != nil {
		done()
		return nil, err
	}
	b.sources.Caches, b.sources.Shared = b.caches, &builder.Shared{}
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
			wg.Go(func() { s.Close() })
			b.sent = append(b.sent, SentTo{Node: at.name, Sent: s.Sent()})
			if refused := s.Refused(); len(refused) > 0 {
				b.refused = append(b.refused, RefusedTo{Node: at.name, Refusals: refused})
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
	from := b.sources
	from.Remote = node.Remote
	s, err := builder.Start(ctx, node, from)
	if err == nil {
		b.sessions[i] = s
	}
	if err == nil && before != nil { // Its connection broke; jobs that were moved have files in it no longer.
		before.Close()
	}
	return s, err
}
