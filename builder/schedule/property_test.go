package schedule_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/archbuild/archbuild/builder/schedule"
)

// world is a random run, and what has to hold in it at any moment.
type world struct {
	testing.TB
	*rand.Rand
	s      *schedule.Scheduler
	timed  bool
	now    float64
	nodes  []schedule.Node
	lost   []bool
	used   []int
	jobs   []schedule.Job
	where  []int // the node a job runs on, or one of those below
	barred [][]int
}

const (
	waits = -1 - iota
	wasDone
	hasFailed
	isStranded
)

// TestWhateverHappens plays random runs with everything that can happen in any order;
// in every other one the scheduler is told the time, and may let slots idle.
func TestWhateverHappens(t *testing.T) {
	for seed := range uint64(300) {
		w := &world{TB: t, Rand: rand.New(rand.NewPCG(seed, 1)), timed: seed%2 == 1}
		for range 1 + w.IntN(6) {
			w.nodes = append(w.nodes, schedule.Node{Slots: w.IntN(4), Weight: 2 * w.Float64()})
		}
		w.lost, w.used = make([]bool, len(w.nodes)), make([]int, len(w.nodes))
		w.s = schedule.New(w.nodes)
		for range w.IntN(30) {
			w.add()
		}
		for step := 0; w.step(); step++ {
			if t.Failed() || step > 10000 {
				t.Fatalf("seed %d, step %d: it goes on and on, or went wrong", seed, step)
			}
		}
		for j, state := range w.where {
			if state >= waits {
				t.Errorf("seed %d: job %d neither ended nor was stranded", seed, j)
			}
		}
	}
}

// step lets something happen, and is false when nothing is left that could.
func (w *world) step() bool {
	if w.timed {
		w.now += 50 * w.Float64()
		w.s.Now(w.now)
	}
	w.s.Forecast()
	for _, start := range w.s.Next() {
		w.started(start)
	}
	for _, j := range w.s.Stranded() {
		if w.where[j] != waits || w.able(j) {
			w.Errorf("job %d is stranded, but could be done", j)
		}
		w.where[j] = isStranded
	}
	if !w.timed {
		w.noIdleSlot()
	}
	var running []int
	for j, at := range w.where {
		if at >= 0 {
			running = append(running, j)
		}
	}
	if len(running) == 0 {
		return false
	}
	j := running[w.IntN(len(running))]
	at := w.where[j]
	switch chance := w.IntN(100); {
	case chance < 60:
		w.s.End(j)
		w.where[j] = wasDone
		w.used[at]--
	case chance < 65:
		w.s.Fail(j)
		w.where[j] = hasFailed
		w.used[at]--
	case chance < 85:
		w.s.GiveBack(j, chance < 75)
		if chance < 75 {
			w.barred[j] = append(w.barred[j], at)
		}
		w.where[j] = waits
		w.used[at]--
	case chance < 88:
		w.lose(w.IntN(len(w.nodes)))
	case chance < 91:
		if j := w.IntN(len(w.jobs)); w.where[j] == waits {
			w.s.Withdraw(j)
			w.where[j] = hasFailed
		}
	case len(w.jobs) < 60:
		w.add()
	}
	return true
}

func (w *world) add() {
	job := schedule.Job{}
	for n := range w.nodes {
		if w.IntN(2) == 0 {
			job.Options = append(job.Options, schedule.Option{Node: n, Way: schedule.Way(w.IntN(3)), Seconds: 100*w.Float64() - 50, Warm: w.IntN(2) == 0})
		}
	}
	for j := range w.jobs {
		if w.IntN(20) == 0 {
			job.Needs = append(job.Needs, j)
		}
	}
	if id := w.s.Add(job); id != len(w.jobs) {
		w.Errorf("job %d is called %d", len(w.jobs), id)
	}
	w.jobs, w.where, w.barred = append(w.jobs, job), append(w.where, waits), append(w.barred, nil)
}

func (w *world) lose(n int) {
	var ran []int
	for j, at := range w.where {
		if at == n {
			ran = append(ran, j)
			w.where[j] = waits
		}
	}
	if back := w.s.Lose(n); !slices.Equal(back, ran) {
		w.Errorf("node %d was lost with %v, given back are %v", n, ran, back)
	}
	w.lost[n], w.used[n] = true, 0
}

func (w *world) started(s schedule.Start) {
	if w.where[s.Job] != waits {
		w.Errorf("job %d starts, but is not waiting", s.Job)
	}
	if w.lost[s.Node] || slices.Contains(w.barred[s.Job], s.Node) {
		w.Errorf("job %d starts on node %d, which is lost for it", s.Job, s.Node)
	}
	if !slices.ContainsFunc(w.options(s.Job), func(o schedule.Option) bool { return o.Node == s.Node && o.Way == s.Way }) {
		w.Errorf("job %d starts on node %d, which is not of the best way", s.Job, s.Node)
	}
	if !w.met(s.Job) {
		w.Errorf("job %d starts before those it needs", s.Job)
	}
	w.where[s.Job] = s.Node
	w.used[s.Node]++
	if w.used[s.Node] > max(1, w.nodes[s.Node].Slots) {
		w.Errorf("node %d has more jobs than slots", s.Node)
	}
}

// options are those that count for a job.
func (w *world) options(j int) []schedule.Option {
	best := schedule.Emulated
	possible := slices.DeleteFunc(slices.Clone(w.jobs[j].Options), func(o schedule.Option) bool { return w.lost[o.Node] || slices.Contains(w.barred[j], o.Node) })
	for _, o := range possible {
		best = min(best, o.Way)
	}
	return slices.DeleteFunc(possible, func(o schedule.Option) bool { return o.Way != best })
}

func (w *world) met(j int) bool {
	return !slices.ContainsFunc(w.jobs[j].Needs, func(n int) bool { return w.where[n] != wasDone })
}

// able says whether a job can still be done.
func (w *world) able(j int) bool {
	return len(w.options(j)) > 0 && !slices.ContainsFunc(w.jobs[j].Needs, func(n int) bool {
		return w.where[n] == hasFailed || w.where[n] == isStranded || w.where[n] == waits && !w.able(n)
	})
}

func (w *world) noIdleSlot() {
	for j, at := range w.where {
		if at != waits || !w.met(j) {
			continue
		}
		for _, o := range w.options(j) {
			if w.used[o.Node] < max(1, w.nodes[o.Node].Slots) {
				w.Errorf("node %d has a free slot, and job %d waits", o.Node, j)
			}
		}
	}
}
