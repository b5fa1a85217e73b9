package builder

import (
	"context"
	"slices"
	"sync"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/moby/buildkit/client"
)

// Two jobs at once that have a stage in common, and read caches, do not find all that is
// there: BuildKit solves the stage for the first of them with that one's caches alone, and what
// follows it in the other's are steps of which it knows nothing (moby/buildkit,
// solver.cacheManager.getIDFromDeps: ids belong to one import). So they take turns, until a
// step has to run: where everything is cached a turn is short, and where it is not, the others
// begin as soon as that is known.
//
// It can go when imports of one reference are shared between solves.

// turns of the jobs of a session.
type turns chan struct{}

func newTurns() turns { return make(turns, 1) }

// take waits for the turn of a job. It ends with a step that runs, or when the caller says so.
func (t turns) take(ctx context.Context, watch *watcher) (leave func(), err error) {
	select {
	case t <- struct{}{}:
	case <-ctx.Done():
		return func() {}, context.Cause(ctx)
	}
	leave = sync.OnceFunc(func() { <-t })
	watch.onRun(leave)
	return leave, nil
}

// taken says whether a job takes turns: it reads caches, and has stages on the node's
// platform, as others may.
func (c *Caches) taken(job plan.Job) bool {
	if c == nil || len(c.inOrder(job.Platform)) == 0 {
		return false
	}
	return slices.ContainsFunc(job.Stages, func(s plan.Stage) bool {
		return s.Platform != (platform.Platform{}) && s.Platform == job.BuildPlatform
	})
}

// onRun has a function called when the first step runs that no cache has answered.
func (w *watcher) onRun(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs = do
}

// noteRunning looks for a step that runs. One that a cache has answered may begin again:
// its layers are fetched when they are needed. The caller holds the lock.
func (w *watcher) noteRunning(v *client.Vertex) {
	if w.runs != nil && v.Started != nil && !v.Cached && !w.steps[v.Digest].cached && isStep(v.Name) {
		w.runs()
		w.runs = nil
	}
}
