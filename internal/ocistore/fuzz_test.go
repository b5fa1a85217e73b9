package ocistore_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// FuzzOpen promises: whatever bytes an archive has, opening and reading it ends.
func FuzzOpen(f *testing.F) {
	dir, _ := fixture(f)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := errors.Join(w.AddFS(os.DirFS(dir)), w.Close()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(nil))
	file := filepath.Join(f.TempDir(), "fuzz.tar")
	f.Fuzz(func(t *testing.T, content []byte) {
		path := file + "-" + filepath.Base(t.TempDir())
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(path)
		_ = readAll(path)
	})
}
