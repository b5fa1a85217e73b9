//go:build linux

package engine_test

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/tonistiigi/fsutil"
)

// An engine that is killed while it copies a context has files of which it has noted the digests of those before.
// The next build must not take the new file for the old one, which it knows already.
func TestACopyOfAContextThatWasInterruptedIsNotBelieved(t *testing.T) {
	o := options(t)
	context := t.TempDir()
	file := filepath.Join(context, "file")
	write := func(name, text string, at time.Time) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	before, after := time.Unix(1700000000, 0), time.Unix(1700000100, 0)
	write(filepath.Join(context, "Dockerfile"), "FROM scratch\nCOPY file /\n", before)
	write(file, "before", before)
	if got := copied(t, o.State, context); got != "before" {
		t.Fatalf("the first build holds %q", got)
	}

	// What a kill in the middle leaves: the file has come, and nothing is noted of it.
	h := ensure(t, o)
	h.Close()
	syscall.Kill(h.State.PID, syscall.SIGKILL)
	waitFor(t, "the engine's end", func() bool { return syscall.Kill(h.State.PID, 0) != nil })
	copies, err := filepath.Glob(filepath.Join(h.State.Root, "runc-*", "snapshots", "snapshots", "*", "fs", "file"))
	if err != nil || len(copies) != 2 {
		t.Fatalf("copies of the file: %q, %v; want that of the context, and that in the image", copies, err)
	}
	slices.SortFunc(copies, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	write(copies[0], "after!", after) // the context's was made first

	write(file, "after!", after)
	if got := copied(t, o.State, context); got != "after!" {
		t.Errorf("the build after the kill holds %q: the file before", got)
	}
	stop(t, o)
	if left, _ := filepath.Glob(filepath.Join(h.State.Root, "runc-*", "open")); len(left) > 0 {
		t.Errorf("left after an end in order: %q", left)
	}
}

// copied builds the context and gives the file that is in the result.
func copied(t *testing.T, state, dir string) string {
	t.Helper()
	o := options(t)
	o.State = state
	h := ensure(t, o)
	defer h.Close()
	mount, err := fsutil.NewFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	_, err = h.Client.Solve(context.WithoutCancel(t.Context()), nil, client.SolveOpt{
		Frontend: "dockerfile.v0", SharedKey: "the same folder", // which has BuildKit keep its copy
		LocalMounts: map[string]fsutil.FS{"context": mount, "dockerfile": mount},
		Exports:     []client.ExportEntry{{Type: client.ExporterLocal, OutputDir: out}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(out, "file"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}
