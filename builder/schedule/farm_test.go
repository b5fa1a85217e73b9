package schedule_test

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/archbuild/archbuild/builder/schedule"
)

// history is what the scheduler is told of earlier runs.
type history int

const (
	unknown  history = iota // nothing
	lastTime                // the seconds on one node, 20 % more or less than this time
)

// farm is what is true of a run, of which the scheduler knows a part.
type farm struct {
	nodes []schedule.Node
	speed []float64 // the truth; weights are declared with an error of up to 20 %
	dies  []float64 // when, if not never
	jobs  []schedule.Job
	work  []float64 // of each job: seconds on a slot of speed 1, in the way that counts
	kind  []int     // its platform
	can   [][]int   // nodes that count for each platform
	// untold says that the scheduler is not told the time.
	untold bool
}

const kinds = 5

// newFarm draws nodes of unequal speed, 1 to 6 slots and one to three native
// platforms, and jobs for 5 platforms whose lengths differ as builds do: most take about a
// minute, a few half an hour.
func newFarm(seed uint64, nodes, services int, told history) *farm {
	r := rand.New(rand.NewPCG(seed, uint64(nodes)))
	f := &farm{can: make([][]int, kinds)}
	for n := range nodes {
		speed := math.Exp(r.Float64()*2 - 1) // 0.37 to 2.7
		f.speed = append(f.speed, speed)
		f.nodes = append(f.nodes, schedule.Node{Slots: 1 + r.IntN(6), Weight: speed * (0.8 + 0.4*r.Float64())})
		f.dies = append(f.dies, math.Inf(1))
		for _, kind := range r.Perm(kinds)[:1+r.IntN(3)] {
			f.can[kind] = append(f.can[kind], n)
		}
	}
	way := make([]schedule.Way, kinds)
	for kind := range kinds {
		if len(f.can[kind]) == 0 { // no native node: all emulate
			way[kind] = schedule.Emulated
			for n := range nodes {
				f.can[kind] = append(f.can[kind], n)
			}
		}
	}
	for range services {
		size := 60 * math.Exp(r.NormFloat64())
		for kind := range kinds {
			work := size * (0.7 + 0.6*r.Float64())
			if way[kind] == schedule.Emulated {
				work *= 6
			}
			f.work, f.kind = append(f.work, work), append(f.kind, kind)
			f.jobs = append(f.jobs, schedule.Job{Options: f.options(r, kind, work, way[kind], told)})
		}
	}
	return f
}

func (f *farm) options(r *rand.Rand, kind int, work float64, way schedule.Way, told history) []schedule.Option {
	var options []schedule.Option
	last := f.can[kind][r.IntN(len(f.can[kind]))]
	for n := range f.nodes {
		switch {
		case n == last && told == lastTime:
			options = append(options, schedule.Option{Node: n, Way: way, Seconds: work / f.speed[n] * (0.8 + 0.4*r.Float64())})
		case slices.Contains(f.can[kind], n):
			options = append(options, schedule.Option{Node: n, Way: way})
		default: // could emulate, which must never happen
			options = append(options, schedule.Option{Node: n, Way: schedule.Emulated})
		}
	}
	return options
}

// kill draws nodes that die, at the earliest after a tenth of the run, such that each
// platform keeps one of those that count.
func (f *farm) kill(r *rand.Rand, count int) {
	length := f.bound()
	for _, n := range r.Perm(len(f.nodes)) {
		last := slices.ContainsFunc(f.can, func(can []int) bool {
			return !slices.ContainsFunc(can, func(other int) bool { return other != n && math.IsInf(f.dies[other], 1) })
		})
		if count > 0 && !last {
			f.dies[n] = length * (0.1 + 0.7*r.Float64())
			count--
		}
	}
}

// bound is a time before which no scheduler at all ends, even one that knows every
// duration and every death beforehand, and can split and move jobs:
//
//   - For each set of platforms, the nodes that count for any of them have to do all the
//     work of these platforms; until time T they do at most slots × speed × T, those
//     that die at D only slots × speed × D. So T is at least what makes this the work.
//     For work that can be split this is not only a bound but the answer
//     (maximal flow, minimal cut): the largest of these is reached.
//   - No job takes less than its seconds on its fastest node.
//
// What failed attempts cost is not in it; it falls on the scheduler.
func (f *farm) bound() float64 {
	bound := 0.0
	for j, work := range f.work {
		fastest := 0.0
		for _, n := range f.can[f.kind[j]] {
			fastest = max(fastest, f.speed[n])
		}
		bound = max(bound, work/fastest)
	}
	for set := 1; set < 1<<kinds; set++ {
		work := 0.0
		for j, w := range f.work {
			if set>>f.kind[j]&1 == 1 {
				work += w
			}
		}
		var eligible []int
		for n := range f.nodes {
			if slices.ContainsFunc([]int{0, 1, 2, 3, 4}, func(kind int) bool { return set>>kind&1 == 1 && slices.Contains(f.can[kind], n) }) {
				eligible = append(eligible, n)
			}
		}
		bound = max(bound, f.until(eligible, work))
	}
	return bound
}

// until is when nodes have done this much work, if no slot of theirs is ever idle.
func (f *farm) until(nodes []int, work float64) float64 {
	slices.SortFunc(nodes, func(a, b int) int {
		if f.dies[a] < f.dies[b] {
			return -1
		}
		return 1
	})
	rate := 0.0
	for _, n := range nodes {
		rate += float64(f.nodes[n].Slots) * f.speed[n]
	}
	now := 0.0
	for _, n := range nodes {
		if now+work/rate <= f.dies[n] {
			break
		}
		work -= (f.dies[n] - now) * rate
		now = f.dies[n]
		rate -= float64(f.nodes[n].Slots) * f.speed[n]
	}
	return now + work/rate
}
