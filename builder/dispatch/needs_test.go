package dispatch_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/archbuild/archbuild/builder/dispatch"
)

// Of several jobs, the one on which most others wait begins first.
func TestTheLongestChainBeginsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newField(1, 1, dispatch.Options{}, nil)
		var jobs []dispatch.Job
		for _, name := range []string{"alone", "base", "middle", "user"} {
			job := f.job(name, []int{0})
			job.Options[0].Seconds = 10
			jobs = append(jobs, job)
		}
		jobs[0].Options[0].Seconds = 15
		jobs[2].Needs, jobs[3].Needs = []int{1}, []int{2}
		f.Run(t.Context(), jobs, dispatch.Policy{})
		if got := fmt.Sprint(f.done); got != "[base@0 middle@0 alone@0 user@0]" {
			t.Errorf("done in the order %s", got)
		}
	})
}

// What stops a set leaves others alone, but for those that need it.
func TestAFailureStopsItsSetAndItsDescendants(t *testing.T) {
	for _, row := range []struct {
		name   string
		policy dispatch.Policy
		want   string
	}{
		{"without a policy", dispatch.Policy{}, "failed not-started not-built not-started built"},
		{"keeping going", dispatch.Policy{KeepGoing: true}, "failed built not-built built built"},
		{"failing fast", dispatch.Policy{FailFast: true}, "failed not-started not-built not-started not-started"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newField(1, 1, dispatch.Options{}, nil)
			jobs := []dispatch.Job{f.job("base a", []int{0}, errBuild), f.job("base b", []int{0}), f.job("user a", []int{0}), f.job("user b", []int{0}), f.job("other", []int{0})}
			jobs[2].Needs, jobs[3].Needs = []int{0}, []int{1}
			jobs[2].Set, jobs[3].Set, jobs[4].Set = 1, 1, 2
			if got := states(f.Run(t.Context(), jobs, row.policy)); got != row.want {
				t.Errorf("%s: %s, want %s", row.name, got, row.want)
			}
		})
	}
}
