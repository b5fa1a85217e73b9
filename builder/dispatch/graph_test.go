package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/archbuild/archbuild/builder/dispatch"
	"github.com/archbuild/archbuild/builder/schedule"
)

const graphs = 200

// TestGraphs builds random projects: services that stand on each other, each for some platforms, on nodes that
// have more or less room, of which some die midway. Jobs fail by themselves, or crash once.
func TestGraphs(t *testing.T) {
	total := tally{}
	for seed := range uint64(graphs) {
		synctest.Test(t, func(t *testing.T) {
			g := newGraph(seed)
			out := g.run(t.Context(), g.jobs)
			for _, wrong := range g.wrongs(out) {
				t.Errorf("seed %d: %s", seed, wrong)
			}
			total.add(g, out)
		})
	}
	t.Logf("%d graphs: %+v", graphs, total)
	if total.Built == 0 || total.Failed == 0 || total.NotBuilt == 0 || total.NoNode == 0 || total.Again == 0 || total.Lost == 0 {
		t.Errorf("not everything that can happen has happened: %+v", total)
	}
}

// TestABrokenOrderIsNoticed keeps the test above honest: a dispatcher that knows less than the whole truth
// must be found out by it.
func TestABrokenOrderIsNoticed(t *testing.T) {
	for _, row := range []struct {
		what   string
		policy dispatch.Policy
		breaks func(*graph, []dispatch.Job)
		least  int // of graphs in which it has to show
	}{
		{"one edge in eight is forgotten", dispatch.Policy{KeepGoing: true}, func(g *graph, jobs []dispatch.Job) {
			for i := range jobs {
				jobs[i].Needs = slices.DeleteFunc(slices.Clone(jobs[i].Needs), func(int) bool { return g.IntN(8) == 0 })
			}
		}, graphs / 4},
		{"a failure stops more than its descendants", dispatch.Policy{}, func(*graph, []dispatch.Job) {}, graphs / 4},
		{"a failure stops what stands beside it", dispatch.Policy{KeepGoing: true}, func(_ *graph, jobs []dispatch.Job) {
			for i := range jobs {
				if i > 0 && !slices.Contains(jobs[i].Needs, i-1) {
					jobs[i].Needs = append(slices.Clone(jobs[i].Needs), i-1)
				}
			}
		}, graphs / 8},
		{"a job is done twice", dispatch.Policy{KeepGoing: true}, func(_ *graph, jobs []dispatch.Job) {
			do := jobs[0].Do
			jobs[0].Do = func(ctx context.Context, node int) (func(), error) {
				if _, err := do(ctx, node); err != nil {
					return nil, err
				}
				return do(ctx, node)
			}
		}, graphs / 4},
	} {
		noticed := 0
		for seed := range uint64(graphs) {
			synctest.Test(t, func(t *testing.T) {
				g := newGraph(seed)
				jobs := slices.Clone(g.jobs)
				row.breaks(g, jobs)
				g.policy = row.policy
				if len(g.wrongs(g.run(t.Context(), jobs))) > 0 {
					noticed++
				}
			})
		}
		if noticed < row.least {
			t.Errorf("%s: it shows in %d of %d graphs alone", row.what, noticed, graphs)
		}
	}
}

// graph is a project, the nodes that build it, and what was seen of that.
type graph struct {
	*rand.Rand
	nodes  []schedule.Node
	dies   []time.Duration // 0 is never
	began  time.Time
	jobs   []dispatch.Job
	able   [][]bool // nodes by job that can do it in any way
	fails  []bool
	crash  []bool // once
	policy dispatch.Policy

	mu    sync.Mutex
	runs  []*attempt
	tries []int
	kept  []int
	// worked is how often a job was done to the end.
	worked []int
	seen   []string
	lost   []error
}

// attempt is a job on a node. One that was given up has a context that has ended.
type attempt struct {
	job, node int
	ctx       context.Context
}

const graphRetries = 12

func newGraph(seed uint64) *graph {
	g := &graph{Rand: rand.New(rand.NewPCG(seed, 11)), policy: dispatch.Policy{KeepGoing: true}}
	platforms := 1 + g.IntN(4)
	for i := range 1 + g.IntN(5) {
		g.nodes = append(g.nodes, schedule.Node{Name: fmt.Sprint("n", i), Slots: 1 + g.IntN(4), Weight: 0.5 + g.Float64()})
		dies := time.Duration(0)
		if i > 0 && g.IntN(3) == 0 {
			dies = time.Duration(1+g.IntN(200)) * time.Second
		}
		g.dies = append(g.dies, dies)
	}
	native := make([][]bool, platforms)
	for p := range native {
		for n := range g.nodes {
			native[p] = append(native[p], n == p%len(g.nodes) || g.IntN(2) == 0)
		}
	}
	services := 1 + g.IntN(60)
	for s := range services {
		stands := map[int]bool{}
		for range min(s, g.IntN(4)) {
			stands[max(0, s-1-g.IntN(12))] = true
		}
		for p := range platforms {
			g.add(s, p, platforms, stands, native[p])
		}
	}
	return g
}

// add adds the job of a service for a platform. It needs the same platform of what the service stands on; some
// also the first one, as with --platform=$BUILDPLATFORM.
func (g *graph) add(service, p, platforms int, stands map[int]bool, native []bool) {
	i := len(g.jobs)
	job := dispatch.Job{Name: fmt.Sprintf("s%d p%d", service, p), Set: service}
	for base := range service {
		if !stands[base] {
			continue
		}
		job.Needs = append(job.Needs, base*platforms+p)
		if p > 0 && g.IntN(6) == 0 {
			job.Needs = append(job.Needs, base*platforms)
		}
	}
	able := slices.Clone(native)
	var others []schedule.Option
	for n, is := range native {
		switch {
		case is:
			job.Options = append(job.Options, schedule.Option{Node: n, Seconds: float64(g.IntN(30)), Warm: g.IntN(3) == 0})
		case p%2 == 0: // the other platforms are never emulated
			others = append(others, schedule.Option{Node: n, Way: schedule.Emulated})
			able[n] = true
		}
	}
	job.Others = func(context.Context) ([]schedule.Option, error) {
		time.Sleep(time.Second)
		return others, nil
	}
	took := time.Duration(1+g.IntN(30)) * time.Second
	job.Do = func(ctx context.Context, node int) (func(), error) { return g.do(ctx, i, node, took) }
	g.jobs, g.able = append(g.jobs, job), append(g.able, able)
	g.fails, g.crash = append(g.fails, g.IntN(40) == 0), append(g.crash, g.IntN(20) == 0)
	g.tries, g.kept, g.worked = append(g.tries, 0), append(g.kept, 0), append(g.worked, 0)
}

func (g *graph) run(ctx context.Context, jobs []dispatch.Job) []dispatch.Outcome {
	var list []dispatch.Node
	for _, n := range g.nodes {
		list = append(list, dispatch.Node{Node: n})
	}
	d := dispatch.New(list, dispatch.Options{Retries: graphRetries, Blame: blame})
	g.began = time.Now()
	out := d.Run(ctx, jobs, g.policy)
	synctest.Wait()
	g.lost = d.Lost()
	return out
}

// do is one attempt.
func (g *graph) do(ctx context.Context, i, node int, took time.Duration) (func(), error) {
	a, try := g.begin(ctx, i, node)
	defer g.leave(a)
	dies := time.Hour
	if g.dies[node] > 0 {
		dies = max(0, g.dies[node]-time.Since(g.began))
	}
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(min(took, dies)):
	}
	switch {
	case dies <= took:
		return nil, errGone
	case g.crash[i] && try == 1:
		return nil, errCrash
	case g.fails[i]:
		return nil, errBuild
	}
	g.work(ctx, i)
	return func() { g.mu.Lock(); g.kept[i]++; g.mu.Unlock() }, nil
}

// work counts what was done to the end.
func (g *graph) work(ctx context.Context, i int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if ctx.Err() == nil {
		g.worked[i]++
	}
}

// begin looks whether an attempt may begin at all: all that the job needs is done, nobody else does it, it was
// not done before, the node can do it and has room.
func (g *graph) begin(ctx context.Context, i, node int) (*attempt, int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	say := func(format string, args ...any) {
		g.seen = append(g.seen, g.jobs[i].Name+": "+fmt.Sprintf(format, args...))
	}
	for _, need := range g.jobs[i].Needs {
		if g.kept[need] == 0 {
			say("it begins before %s, which it needs, is done", g.jobs[need].Name)
		}
	}
	if g.worked[i] > 0 {
		say("it was done before")
	}
	if !g.able[i][node] {
		say("node %d cannot do it", node)
	}
	busy := 1
	for _, a := range g.runs {
		if a.ctx.Err() != nil {
			continue // given up
		}
		if a.job == i {
			say("it is done on two nodes at once")
		}
		if a.node == node {
			busy++
		}
	}
	if busy > g.nodes[node].Slots {
		say("node %d has no room", node)
	}
	a := &attempt{i, node, ctx}
	g.runs = append(g.runs, a)
	g.tries[i]++
	return a, g.tries[i]
}

func (g *graph) leave(a *attempt) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.runs = slices.DeleteFunc(g.runs, func(b *attempt) bool { return a == b })
}

// wrongs is what was wrong in a run, and in what became of its jobs.
func (g *graph) wrongs(out []dispatch.Outcome) []string {
	wrong := g.seen
	for i, o := range out {
		if text := g.wrong(i, o, out); text != "" {
			wrong = append(wrong, fmt.Sprintf("%s: %s: %v", g.jobs[i].Name, text, o.Err))
		}
	}
	return wrong
}

func (g *graph) wrong(i int, o dispatch.Outcome, out []dispatch.Outcome) string {
	blocked := slices.ContainsFunc(g.jobs[i].Needs, func(need int) bool { return out[need].Err != nil })
	var because *dispatch.NotBuiltError
	is := errors.As(o.Err, &because)
	switch {
	case blocked && !is:
		return "what it needs has failed, and it is not told so"
	case blocked && (errors.As(out[because.Index].Err, new(*dispatch.NotBuiltError)) || out[because.Index].Err == nil):
		return "it is said to fail because of a job that did not fail by itself"
	case blocked && !g.descends(i, because.Index):
		return "it is said to fail because of a job that it does not need"
	case blocked && g.tries[i] > 0:
		return "it was begun, though what it needs has failed"
	case blocked:
		return ""
	case is:
		return "all that it needs is there"
	case o.Err == nil && g.kept[i] != 1:
		return fmt.Sprintf("it counts %d times", g.kept[i])
	case o.Err == nil && g.fails[i]:
		return "it fails, and is said to be done"
	case o.Err == nil:
		return ""
	case errors.Is(o.Err, errBuild) && g.fails[i]:
		return ""
	case slices.Contains(g.alive(i), true):
		return "a node that can do it is alive, and it is not done"
	}
	return ""
}

// alive says of each node whether it can do a job and is not lost.
func (g *graph) alive(i int) []bool {
	var list []bool
	for n, able := range g.able[i] {
		list = append(list, able && g.lost[n] == nil)
	}
	return list
}

// descends says whether a job needs another one, directly or through others.
func (g *graph) descends(i, from int) bool {
	return slices.ContainsFunc(g.jobs[i].Needs, func(need int) bool { return need == from || g.descends(need, from) })
}

// tally is what happened in all graphs.
type tally struct{ Jobs, Edges, Built, Failed, NotBuilt, NoNode, Again, Lost int }

func (t *tally) add(g *graph, out []dispatch.Outcome) {
	t.Jobs += len(out)
	for i, o := range out {
		t.Edges += len(g.jobs[i].Needs)
		t.Again += max(0, o.Tries-1)
		switch {
		case o.Err == nil:
			t.Built++
		case errors.Is(o.Err, errBuild):
			t.Failed++
		case errors.As(o.Err, new(*dispatch.NotBuiltError)):
			t.NotBuilt++
		default:
			t.NoNode++
		}
	}
	for _, err := range g.lost {
		if err != nil {
			t.Lost++
		}
	}
}
