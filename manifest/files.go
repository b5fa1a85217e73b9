package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// makeDir makes a folder with its parents, and names the outermost one it made,
// so that it can be taken back.
func makeDir(dir string) (created string, err error) {
	for p := filepath.Clean(dir); ; p = filepath.Dir(p) {
		_, err := os.Stat(p)
		if err == nil || p == filepath.Dir(p) {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		created = p
	}
	return created, os.MkdirAll(dir, 0o755)
}

// replaceFile puts a whole file in place of another.
func replaceFile(path string, body []byte) error {
	return atomicFile(path, func(w io.Writer) error {
		_, err := w.Write(body)
		return err
	})
}

// atomicFile writes a file beside its place and renames it: readers see the
// old one or the new one, and a failure leaves the old one.
func atomicFile(path string, write func(io.Writer) error) (err error) {
	if fi, err := os.Stat(path); err == nil && !fi.Mode().IsRegular() {
		return fmt.Errorf("%s exists and is no regular file", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
