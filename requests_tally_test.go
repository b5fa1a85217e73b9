package archbuild

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// outcomes counts what came of troubles, by their way and how long they lasted.
type outcomes struct {
	mu   sync.Mutex
	rows map[string]*outcome
	all  []*played
}

type outcome struct {
	runs, done, failed, lost, wrong int
	longest                         time.Duration
}

func (o *outcomes) add(t *testing.T, p *played) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, p)
	row := o.row(p.troubles)
	row.runs++
	row.longest = max(row.longest, p.took)
	switch {
	case len(p.wrong) > 0:
		row.wrong++
		t.Errorf("%v:\n  %s", p.troubles, strings.Join(p.wrong, "\n  "))
	case p.met == 0:
		t.Errorf("%v never happened", p.troubles)
	case p.lost:
		row.lost++
	case p.err != nil:
		row.failed++
	default:
		row.done++
	}
}

func (o *outcomes) row(troubles []trouble) *outcome {
	first, last := troubles[0], troubles[len(troubles)-1]
	name := first.way.name + ", " + first.lasts
	if len(troubles) > 1 && last.way.name == first.way.name && last.lasts == once {
		name = first.way.name + ", twice"
	} else if len(troubles) > 1 {
		name = "one of each of two ways"
	}
	if o.rows == nil {
		o.rows = map[string]*outcome{}
	}
	if o.rows[name] == nil {
		o.rows[name] = &outcome{}
	}
	return o.rows[name]
}

// print shows the table.
func (o *outcomes) print(t *testing.T, of string) {
	var out strings.Builder
	var total outcome
	fmt.Fprintf(&out, "%-34s %6s %6s %6s %6s %6s %9s\n", of, "runs", "done", "failed", "lost", "wrong", "longest")
	line := func(name string, r outcome) {
		fmt.Fprintf(&out, "%-34s %6d %6d %6d %6d %6d %9s\n", name, r.runs, r.done, r.failed, r.lost, r.wrong, r.longest.Round(time.Second))
	}
	for _, name := range slices.Sorted(maps.Keys(o.rows)) {
		r := *o.rows[name]
		line(name, r)
		total = outcome{total.runs + r.runs, total.done + r.done, total.failed + r.failed, total.lost + r.lost, total.wrong + r.wrong, max(total.longest, r.longest)}
	}
	line("all", total)
	t.Log("\n" + out.String())
}

// playAll plays a scene with each of the lists of troubles, some at the same time.
func playAll(t *testing.T, of scene, lists [][]trouble, into *outcomes) {
	t.Helper()
	t.Run("with", func(t *testing.T) {
		const hands = 4
		for hand := range hands {
			t.Run(fmt.Sprint(hand), func(t *testing.T) {
				t.Parallel()
				for i := hand; i < len(lists); i += hands {
					into.add(t, play(t, of, lists[i]...))
				}
			})
		}
	})
}

// failEvery plays a scene with every single trouble, and with pairs of them: a sample, or with ARCHBUILD_FAULTS=all those of one
// fault all.
func failEvery(t *testing.T, of scene, name string, sample int) {
	t.Helper()
	requests := undisturbed(t, of)
	found := &outcomes{}
	playAll(t, of, singles(requests), found)
	firsts := slices.SortedFunc(slices.Values(found.all), func(a, b *played) int { return cmp.Compare(a.troubles[0].String(), b.troubles[0].String()) })
	two := pairs(firsts)
	if os.Getenv("ARCHBUILD_FAULTS") != "all" {
		two = some(two, sample)
	} else {
		sample = 10 * sample
	}
	playAll(t, of, append(two, mixed(rand.New(rand.NewPCG(3, 4)), firsts, sample)...), found)
	found.print(t, fmt.Sprintf("%s: %d requests", name, len(requests)))
}
