package schedule_test

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/archbuild/archbuild/builder/schedule"
)

// policy is what decides in a simulated run.
type policy interface {
	Next() []schedule.Start
	End(job int)
	GiveBack(job int, notThere bool)
	Lose(node int) []int
}

// happening is the end of an attempt, or the death of a node.
type happening struct {
	at           float64
	job, attempt int
	node         int
	fails        bool
}

type happenings []happening

func (h happenings) Len() int           { return len(h) }
func (h happenings) Less(a, b int) bool { return h[a].at < h[b].at }
func (h happenings) Swap(a, b int)      { h[a], h[b] = h[b], h[a] }
func (h *happenings) Push(x any)        { *h = append(*h, x.(happening)) }
func (h *happenings) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// failing is the share of attempts that are given back, at a random moment.
const failing = 0.05

// run plays a run of the farm in virtual time, and gives its length in seconds. Whether an attempt
// fails, and when, is drawn by job and attempt, so that all policies have the same luck.
func (f *farm) run(t testing.TB, seed uint64, p policy) float64 {
	t.Helper()
	var h happenings
	for n, at := range f.dies {
		if !math.IsInf(at, 1) {
			h = append(h, happening{at: at, job: -1, node: n})
		}
	}
	heap.Init(&h)
	attempts, tries, now, left := make([]int, len(f.jobs)), make([]int, len(f.jobs)), 0.0, len(f.jobs)
	for left > 0 {
		if s, ok := p.(*schedule.Scheduler); ok && !f.untold {
			s.Now(now)
		}
		for _, s := range p.Next() {
			if !slices.Contains(f.can[f.kind[s.Job]], s.Node) || f.dies[s.Node] <= now {
				t.Fatalf("seed %d: job %d started on node %d, which is lost or not of the best way", seed, s.Job, s.Node)
			}
			r := rand.New(rand.NewPCG(seed+uint64(s.Job)<<20, uint64(tries[s.Job])))
			e := happening{job: s.Job, attempt: attempts[s.Job], node: s.Node, fails: r.Float64() < failing}
			seconds := f.work[s.Job] / f.speed[s.Node]
			if e.fails {
				seconds *= r.Float64()
			}
			e.at = now + seconds
			heap.Push(&h, e)
		}
		if len(h) == 0 {
			t.Fatalf("seed %d: %d jobs are left, and nothing runs", seed, left)
		}
		e := heap.Pop(&h).(happening)
		now = e.at
		switch {
		case e.job < 0:
			for _, job := range p.Lose(e.node) {
				attempts[job]++
			}
		case e.attempt != attempts[e.job]: // of a node that was lost
		case e.fails:
			attempts[e.job]++
			tries[e.job]++
			p.GiveBack(e.job, e.job%2 == 0 && f.another(e.node, e.job, now) && tries[e.job] < 2)
		default:
			p.End(e.job)
			left--
		}
	}
	return now
}

// another says whether a job has a node of its way besides this one that never dies.
func (f *farm) another(node, job int, now float64) bool {
	return slices.ContainsFunc(f.can[f.kind[job]], func(n int) bool { return n != node && math.IsInf(f.dies[n], 1) })
}

func (f *farm) scheduler() policy {
	s := schedule.New(f.nodes)
	for _, j := range f.jobs {
		s.Add(j)
	}
	return s
}
