package schedule_test

import (
	"math/rand/v2"
	"slices"

	"github.com/archbuild/archbuild/builder/schedule"
)

// decided is a policy that gives each job its node at once, as pick says, and has it
// queue there.
type decided struct {
	*farm
	lost   []bool
	queues [][]int
	used   []int
	at     []int
	pick   func(nodes []int) int
}

func (f *farm) decided(pick func(nodes []int) int) policy {
	d := &decided{farm: f, lost: make([]bool, len(f.nodes)), queues: make([][]int, len(f.nodes)), used: make([]int, len(f.nodes)),
		at: make([]int, len(f.jobs)), pick: pick}
	for j := range f.jobs {
		d.add(j)
	}
	return d
}

// firstMatch is what docker buildx does: the first node that lists the platform. It is
// spared what buildx suffers besides: it never emulates when a native node lives, never
// overloads a node, and a failure costs it no more than the others.
func (f *farm) firstMatch() policy { return f.decided(func(nodes []int) int { return nodes[0] }) }

func (f *farm) random(seed uint64) policy {
	r := rand.New(rand.NewPCG(seed, 7))
	return f.decided(func(nodes []int) int { return nodes[r.IntN(len(nodes))] })
}

func (d *decided) add(job int) {
	living := slices.DeleteFunc(slices.Clone(d.can[d.kind[job]]), func(n int) bool { return d.lost[n] })
	d.at[job] = d.pick(living)
	d.queues[d.at[job]] = append(d.queues[d.at[job]], job)
}

func (d *decided) Next() []schedule.Start {
	var starts []schedule.Start
	for n := range d.nodes {
		for !d.lost[n] && d.used[n] < d.nodes[n].Slots && len(d.queues[n]) > 0 {
			starts = append(starts, schedule.Start{Job: d.queues[n][0], Node: n})
			d.queues[n] = d.queues[n][1:]
			d.used[n]++
		}
	}
	return starts
}

func (d *decided) End(job int) { d.used[d.at[job]]--; d.at[job] = -1 }

func (d *decided) GiveBack(job int, _ bool) {
	d.used[d.at[job]]--
	d.add(job)
}

func (d *decided) Lose(node int) []int {
	d.lost[node] = true
	var ran []int
	for j, at := range d.at {
		if at == node {
			if !slices.Contains(d.queues[node], j) {
				ran = append(ran, j)
			}
			d.add(j)
		}
	}
	return ran
}
