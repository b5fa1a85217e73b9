package archbuild

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/archbuild/archbuild/keep"
)

// A node is sent a link as it is: it finds no ignore file behind one that leads nowhere, or out of
// the context, and takes everything.
func TestAnIgnoreFileOutsideOfTheContextIsNotBelieved(t *testing.T) {
	for _, row := range []struct {
		what, target string
		readable     bool
	}{
		{"a link to a file of the context", "more/ignore", true},
		{"a link to nowhere", "missing", false},
		{"a link to a file beside the context", "../ignore", false},
	} {
		dir := t.TempDir()
		folder := filepath.Join(dir, "context")
		for _, name := range []string{"ignore", "context/more/ignore"} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte("hidden\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(row.target, filepath.Join(folder, ".dockerignore")); err != nil {
			t.Fatal(err)
		}
		r := run{store: keep.In(t.TempDir()), resuming: &resuming{}}
		if _, err := r.listed(t.Context(), folder, nil, nil, time.Now()); (err == nil) != row.readable {
			t.Errorf("%s: the error is %v", row.what, err)
		}
	}
}
