package keep

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// Folder holds files that can be had again: blobs, answers of registries. Others
// may lie there too: a state folder can be one that was made for something else.
type Folder string

// ours is how archbuild names the files that it keeps, below their folder: blobs and
// verdicts by a digest, answers of registries by repository and digest or tag, times of
// jobs by a part of a digest.
var ours = regexp.MustCompile(`^(?:[0-9a-f]{64}|[0-9a-f]{32}\.json|[0-9a-f]{16}/(?:[a-z0-9]+-[0-9a-f]{64,128}|tag-[^/]+|\.new-[^/]+)|\.new-[0-9]+)$`)

// halfDone is how a file is named until it is whole.
var halfDone = regexp.MustCompile(`^(?:[0-9a-f]{16}/)?\.(?:new|archbuild)-[^/]+$`)

// Bounds say which of them may go. The zero value lets all go.
type Bounds struct {
	// Age is how old a file must be.
	Age time.Duration
	// Most is how many bytes may stay, Least how many stay in any case, Free how
	// many the disk shall have. As in BuildKit, 0 is no bound.
	Most, Least, Free int64
}

// Trimmed is what was removed.
type Trimmed struct {
	Size  int64
	Count int
}

// held is a file of a folder.
type held struct {
	path string
	info fs.FileInfo
}

// files lists archbuild's files below a folder, the oldest first, and their size.
func (f Folder) files() (list []held, size int64) {
	_ = filepath.WalkDir(string(f), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil
		}
		if name, err := filepath.Rel(string(f), path); err != nil || !ours.MatchString(name) {
			return nil
		}
		if info, err := entry.Info(); err == nil { // else another run was quicker
			list = append(list, held{path, info})
			size += info.Size()
		}
		return nil
	})
	slices.SortFunc(list, func(a, b held) int {
		return cmp.Or(a.info.ModTime().Compare(b.info.ModTime()), cmp.Compare(a.path, b.path))
	})
	return list, size
}

// Size is how many bytes archbuild's files below a folder have, and how many files they are.
func (f Folder) Size() (bytes int64, count int) {
	list, size := f.files()
	return size, len(list)
}

// clear removes files that a killed run was writing. One that somebody writes now
// is removed as well: what is kept here can be had again.
func (f Folder) clear() {
	_ = filepath.WalkDir(string(f), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil
		}
		if name, err := filepath.Rel(string(f), path); err == nil && halfDone.MatchString(name) {
			os.Remove(path)
		}
		return nil
	})
}

// Trim removes the oldest files until the bounds are met, one after the other.
// What it cannot remove is left.
func (f Folder) Trim(now time.Time, each ...Bounds) Trimmed {
	list, size := f.files()
	var gone Trimmed
	for _, b := range each {
		keep, bounded := b.keep(size, int64(Free(string(f))))
		for len(list) > 0 && now.Sub(list[0].info.ModTime()) >= b.Age && (!bounded || size > keep) {
			bytes := list[0].info.Size()
			if os.Remove(list[0].path) == nil {
				gone.Size += bytes
				gone.Count++
			}
			size -= bytes
			list = list[1:]
		}
	}
	return gone
}

// keep is how many of size bytes may stay, if there is a bound for them at all.
func (b Bounds) keep(size, free int64) (bytes int64, bounded bool) {
	if b.Most == 0 && b.Least == 0 && b.Free == 0 {
		return 0, false
	}
	keep := size
	if b.Most > 0 || b.Free == 0 {
		keep = b.Most
	}
	if lacking := b.Free - free; b.Free > 0 && lacking > 0 {
		keep = min(keep, size-lacking)
	}
	return max(keep, b.Least), true
}
