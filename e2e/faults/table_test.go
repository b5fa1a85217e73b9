//go:build linux && amd64

package faults_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/archbuild/archbuild/e2e/faults"
)

// tally counts the runs of a verb with a fault.
type tally struct{ runs, missed, survived, errors, killed, halves, wrong int }

// table is all tallies.
type table struct {
	mu    sync.Mutex
	verbs map[string]map[faults.Fault]*tally
}

func (x *table) add(verb string, tallies map[faults.Fault]*tally) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.verbs == nil {
		x.verbs = map[string]map[faults.Fault]*tally{}
	}
	x.verbs[verb] = tallies
}

func (x *table) text() string {
	var b strings.Builder
	line := func(verb, fault string, n tally) {
		fmt.Fprintf(&b, "%-34s %-12s %6d %11d %9d %6d %7d %12d\n", verb, fault, n.runs, n.missed, n.survived, n.errors, n.killed, n.halves)
	}
	fmt.Fprintf(&b, "\n%-34s %-12s %6s %11s %9s %6s %7s %12s\n", "verb", "fault", "runs", "not reached", "survived", "error", "killed", "half states")
	var names []string
	for name := range x.verbs {
		names = append(names, name)
	}
	slices.Sort(names)
	var sum tally
	for _, name := range names {
		for _, fault := range faults.All {
			n := *x.verbs[name][fault]
			line(name, string(fault), n)
			sum = tally{sum.runs + n.runs, sum.missed + n.missed, sum.survived + n.survived, sum.errors + n.errors, sum.killed + n.killed, sum.halves + n.halves, 0}
		}
	}
	line("all", "", sum)
	return b.String()
}
