package dispatch_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/archbuild/archbuild/builder/dispatch"
	"github.com/archbuild/archbuild/builder/schedule"
)

// A node that has failed a job without being lost goes last. When the others are lost, it is asked again.
func TestANodeThatFailedAJobIsAskedAgainWhenNoOtherIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newField(2, 1, dispatch.Options{Retries: 2}, nil)
		out := f.Run(t.Context(), []dispatch.Job{f.job("a", []int{0, 1}, errCrash, errGone)}, dispatch.Policy{})[0]
		lost := f.Lost()
		if out.Err != nil || out.Tries != 3 || lost[out.Node] != nil || lost[1-out.Node] == nil {
			t.Errorf("%+v, lost %v", out, lost)
		}
	})
}

// A job that waited for nodes, all of which are lost by now, ends with what they said.
func TestAJobThatNeverBeganSaysWhyItsNodesAreLost(t *testing.T) {
	for _, row := range []struct {
		name   string
		nodes  int
		others func(context.Context) ([]schedule.Option, error)
	}{
		{"of one node", 1, func(context.Context) ([]schedule.Option, error) { return nil, nil }},
		{"of several", 2, func(context.Context) ([]schedule.Option, error) { return nil, nil }},
		{"where nobody can tell of others", 2, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newField(row.nodes, 1, dispatch.Options{Retries: 2}, nil)
				waits := f.job("waits", []int{0})
				waits.Others = row.others
				out := f.Run(t.Context(), []dispatch.Job{f.job("finds out", []int{0}, errGone), waits}, dispatch.Policy{KeepGoing: true})
				if out[1].Tries != 0 || !errors.Is(out[1].Err, errGone) {
					t.Errorf("%+v", out[1])
				}
			})
		})
	}
}
