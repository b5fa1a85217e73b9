package verify

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Folder is a Memory on disk: one small file for each verdict, the oldest are
// thrown away. Whatever goes wrong with it costs a second look, nothing else.
type Folder struct{ Dir string }

// keepVerdicts is how many files are kept, a few hundred bytes each as a rule.
const keepVerdicts = 512

// temporary begins the names of files that are being written.
const temporary = ".new-"

// Get reads a verdict.
func (f Folder) Get(key string) ([]byte, bool) {
	if !isKey(key) {
		return nil, false
	}
	value, err := os.ReadFile(filepath.Join(f.Dir, key))
	return value, err == nil
}

// Put writes a verdict whole or not at all.
func (f Folder) Put(key string, value []byte) {
	if !isKey(key) || os.MkdirAll(f.Dir, 0o700) != nil {
		return
	}
	f.prune()
	file, err := os.CreateTemp(f.Dir, temporary)
	if err != nil {
		return
	}
	_, writeErr := file.Write(value)
	closeErr := file.Close()
	if writeErr != nil || closeErr != nil || os.Rename(file.Name(), filepath.Join(f.Dir, key)) != nil {
		_ = os.Remove(file.Name())
	}
}

// prune removes the older half when there are too many files.
func (f Folder) prune() {
	entries, err := os.ReadDir(f.Dir)
	if err != nil || len(entries) < keepVerdicts {
		return
	}
	type aged struct {
		name string
		at   time.Time
	}
	var files []aged
	for _, e := range entries {
		if !isKey(e.Name()) && !strings.HasPrefix(e.Name(), temporary) { // not made here
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			files = append(files, aged{e.Name(), info.ModTime()})
		}
	}
	if len(files) < keepVerdicts {
		return
	}
	slices.SortFunc(files, func(a, b aged) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.name, b.name)) })
	for _, old := range files[:len(files)/2] {
		_ = os.Remove(filepath.Join(f.Dir, old.name))
	}
}

func isKey(key string) bool {
	return len(key) == 64 && strings.Trim(key, "0123456789abcdef") == ""
}
