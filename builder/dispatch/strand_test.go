package dispatch_test

import (
	"testing"
	"testing/synctest"

	"github.com/archbuild/archbuild/builder/dispatch"
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
