package archbuild

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/keep"
	"github.com/archbuild/archbuild/plan"
)

// A disk that fails here is not the node's lie. (Such errors cannot be had from a disk in a test, so the judge is asked.)
func TestWhatThisMachineCannotReadIsNoLie(t *testing.T) {
	r := run{store: keep.Store{Dir: t.TempDir()}}
	for name, tt := range map[string]struct {
		err error
		lie bool
	}{
		"no room":                {syscall.ENOSPC, false},
		"a quota":                {syscall.EDQUOT, false},
		"too many open files":    {syscall.EMFILE, false},
		"a disk that fails":      {syscall.EIO, false},
		"a blob that is missing": {syscall.ENOENT, true},
		"anything else":          {errors.New("layer 2 has another size"), true},
	} {
		wrapped := fmt.Errorf("reading layer: %w", &fs.PathError{Op: "read", Path: "blob", Err: tt.err})
		err := r.refused(t.Context(), builder.Result{}, plan.Job{Node: "far"}, wrapped)
		if !errors.Is(err, tt.err) || errors.As(err, new(*builder.LieError)) != tt.lie {
			t.Errorf("%s: %v", name, err)
		}
	}
}
