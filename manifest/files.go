package manifest

import (
	"errors"
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
