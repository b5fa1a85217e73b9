package schedule_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/archbuild/archbuild/builder/schedule"
)

const (
	// promised is how many times the lower bound a run may last.
	promised = 1.15
	services = 1000
)

var farms = []int{3, 5, 10, 20, 50}

// simulated is a farm on which one node of ten is lost while it works.
func simulated(seed uint64, nodes, services int, told history) *farm {
	f := newFarm(seed, nodes, services, told)
	f.kill(rand.New(rand.NewPCG(seed, 3)), nodes/10)
	return f
}

// TestSimulation holds the promise for 1,000 services on 5 platforms, on 3 to 50 nodes,
// where one attempt of twenty fails and one node of ten is lost.
//
// It holds for each of these runs, not for any: with 40 seeds for each of the farms it did not
// in 3 runs of 200. There the longest job failed near its end, or the node was lost that a
// platform depended on most. The bound knows that beforehand; no scheduler does.
func TestSimulation(t *testing.T) {
	for _, nodes := range farms {
		for seed := range uint64(6) {
			f := simulated(seed, nodes, services, lastTime)
			f.untold = seed >= 3
			if ratio := f.run(t, seed, f.scheduler()) / f.bound(); ratio > promised || ratio < 1 {
				t.Errorf("%d nodes, seed %d: %.3f times the lower bound", nodes, seed, ratio)
			}
		}
	}
}

// TestTellingTheTimePays is why Now is there: on few nodes of unequal speed, runs end earlier.
func TestTellingTheTimePays(t *testing.T) {
	var told, untold float64
	for seed := range uint64(30) {
		f := newFarm(seed, 10, 20, lastTime)
		told += f.run(t, seed, f.scheduler()) / f.bound()
		f.untold = true
		untold += f.run(t, seed, f.scheduler()) / f.bound()
	}
	if told > 0.93*untold {
		t.Errorf("with the time %.2f times the bound, without it %.2f", told/30, untold/30)
	}
}

// TestPlanningIsQuick promises 200 ms for 5,000 jobs on 50 nodes, from Add to the
// last decision.
func TestPlanningIsQuick(t *testing.T) {
	f := newFarm(1, 50, services, lastTime)
	least := time.Duration(math.MaxInt64)
	for range 5 {
		start := processor(t)
		if planned := forecast(f); planned != len(f.jobs) {
			t.Fatalf("%d of %d jobs are planned", planned, len(f.jobs))
		}
		least = min(least, processor(t)-start)
	}
	t.Logf("5,000 jobs on 50 nodes: %v of processor time", least)
	if least > 200*time.Millisecond && !raced {
		t.Errorf("planning 5,000 jobs takes %v of processor time", least)
	}
}

// forecast adds the jobs of a farm, decides on all, and says how many got a node.
func forecast(f *farm) int {
	s := schedule.New(f.nodes)
	for _, j := range f.jobs {
		s.Add(j)
	}
	planned := 0
	for _, e := range s.Forecast() {
		if e.Node >= 0 {
			planned++
		}
	}
	return planned
}

func processor(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func BenchmarkPlanning5000Jobs50Nodes(b *testing.B) {
	f := newFarm(1, 50, services, lastTime)
	b.ReportAllocs()
	for b.Loop() {
		forecast(f)
	}
}

// BenchmarkSimulation prints, for farms of each size, how many times the lower bound
// runs last on average: with the scheduler, when it knows how long jobs took last time (and
// the worst of these runs), when it is not told the time, and when it knows nothing of jobs; with
// the first node that lists the platform, as buildx does; and with random nodes.
func BenchmarkSimulation(b *testing.B) {
	for _, c := range []struct{ services, seeds int }{{20, 100}, {services, 10}} {
		for _, nodes := range farms {
			b.Run(fmt.Sprintf("services=%d/nodes=%d", c.services, nodes), func(b *testing.B) {
				for range b.N {
					compare(b, nodes, c.services, c.seeds)
				}
			})
		}
	}
}

func compare(b *testing.B, nodes, services, seeds int) {
	sums := map[string]float64{}
	worst := 0.0
	for seed := range uint64(seeds) {
		f, ignorant := simulated(seed, nodes, services, lastTime), simulated(seed, nodes, services, unknown)
		bound := f.bound()
		play := func(name string, f *farm, p policy) float64 {
			ratio := f.run(b, seed, p) / bound
			sums[name] += ratio
			return ratio
		}
		worst = max(worst, play("known", f, f.scheduler()))
		play("unknown", ignorant, ignorant.scheduler())
		play("first-match", f, f.firstMatch())
		play("random", f, f.random(seed))
		f.untold = true
		play("untimed", f, f.scheduler())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(worst, "worst")
	for name, sum := range sums {
		b.ReportMetric(sum/float64(seeds), name)
	}
}
