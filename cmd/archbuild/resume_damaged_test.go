package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestADamagedBlobIsInNobodysWayForLong has a run fail on a layer that the disk has changed: the
// next one builds it again.
func TestADamagedBlobIsInNobodysWayForLong(t *testing.T) {
	w := newResumeWorld(t)
	dir := w.project(resumeProject)
	out := flags("-o", "type=oci,dest="+filepath.Join(w.TempDir(), "out.tar"))
	want := w.build(dir, out...).Images[0].Digest
	blobs, err := filepath.Glob(filepath.Join(w.state, "store/blobs/sha256/*"))
	w.must(err)
	for _, path := range blobs {
		raw, err := os.ReadFile(path)
		w.must(err)
		if raw[0] == '{' {
			continue // no layer
		}
		raw[len(raw)/2] ^= 1
		w.must(os.Remove(path))
		w.must(os.WriteFile(path, raw, 0o600))
	}
	if failed, err := w.try(dir, out...); err == nil || !strings.Contains(failed.stderr, "was damaged in the content store") {
		t.Errorf("the damage is not told: %v\n%s", err, failed.stderr)
	}
	if again := w.build(dir, out...); again.states() != "built" || again.Images[0].Digest != want {
		t.Errorf("after that it was %s", again.states())
	}
}
