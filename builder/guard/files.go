package guard

import (
	"context"
	"fmt"
	"io"
	gofs "io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/buildkit/session/filesync"
	"github.com/moby/patternmatcher"
	"github.com/tonistiigi/fsutil"
)

// Folders guards the folders of a session: one that is not offered is written down.
type Folders struct {
	From filesync.DirSource
	Book *Book
}

// LookupDir is asked by the session.
func (f Folders) LookupDir(name string) (fsutil.FS, bool) {
	found, ok := f.From.LookupDir(name)
	if !ok {
		f.Book.note(Files, "folder "+name)
	}
	return found, ok
}

// Ignoring is a folder without what its ignore files leave out, whatever the node asks for:
// BuildKit has the node apply them. Each of sets are the patterns of one ignore file; where there
// are several, for the Dockerfiles of several platforms, a file is shown that one of them lets through.
// Ignore files themselves, by the names in keep, are always shown: the node is to read them.
func Ignoring(from fsutil.FS, sets [][]string, keep ...string) (fsutil.FS, error) {
	f := ignoring{FS: from, keep: keep}
	for _, patterns := range sets {
		if len(patterns) == 0 {
			return from, nil
		}
		m, err := patternmatcher.New(patterns)
		if err != nil {
			return nil, fmt.Errorf("reading the ignore file: %w", err)
		}
		f.sets = append(f.sets, m)
	}
	switch len(f.sets) {
	case 0:
		return from, nil
	case 1: // as BuildKit does it
		patterns := slices.Clone(sets[0])
		for _, name := range keep {
			patterns = append(patterns, "!"+name)
		}
		return fsutil.NewFilterFS(from, &fsutil.FilterOpt{ExcludePatterns: patterns})
	}
	return f, nil
}

type ignoring struct {
	fsutil.FS
	sets []*patternmatcher.PatternMatcher
	keep []string
}

// Walk leaves out what is ignored. A folder that is, and in which a later pattern may show
// something, is walked through and told of only with what is shown in it.
func (f ignoring) Walk(ctx context.Context, target string, fn gofs.WalkDirFunc) error {
	w := &ignoringWalk{ignoring: f, fn: fn}
	return f.FS.Walk(ctx, target, w.visit)
}

// Open refuses what Walk leaves out.
func (f ignoring) Open(name string) (io.ReadCloser, error) {
	clean := filepath.ToSlash(filepath.Clean(strings.TrimPrefix(name, "/")))
	if f.ignored(clean) {
		return nil, &gofs.PathError{Op: "open", Path: name, Err: gofs.ErrNotExist}
	}
	return f.FS.Open(name)
}

func (f ignoring) ignored(name string) bool {
	for _, keep := range f.keep {
		if name == keep {
			return false
		}
	}
	for _, set := range f.sets {
		if out, err := set.MatchesOrParentMatches(name); err == nil && !out {
			return false
		}
	}
	return true
}

// ignoringWalk is one walk.
type ignoringWalk struct {
	ignoring
	fn gofs.WalkDirFunc
	// waiting are ignored folders above the place in hand that have not been told of.
	waiting []waitingFolder
}

type waitingFolder struct {
	path  string
	entry gofs.DirEntry
}

func (w *ignoringWalk) visit(path string, entry gofs.DirEntry, err error) error {
	for len(w.waiting) > 0 && !strings.HasPrefix(path, w.waiting[len(w.waiting)-1].path+string(filepath.Separator)) {
		w.waiting = w.waiting[:len(w.waiting)-1]
	}
	if err != nil || entry == nil {
		if w.ignored(filepath.ToSlash(path)) {
			return nil
		}
		return w.fn(path, entry, err)
	}
	if !w.ignored(filepath.ToSlash(path)) {
		for _, folder := range w.waiting {
			if err := w.fn(folder.path, folder.entry, nil); err != nil {
				return err
			}
		}
		w.waiting = nil
		return w.fn(path, entry, nil)
	}
	if !entry.IsDir() {
		return nil
	}
	for _, set := range w.sets {
		if set.Exclusions() {
			w.waiting = append(w.waiting, waitingFolder{path, entry})
			return nil
		}
	}
	for _, keep := range w.keep {
		if strings.HasPrefix(keep, filepath.ToSlash(path)+"/") {
			w.waiting = append(w.waiting, waitingFolder{path, entry})
			return nil
		}
	}
	return gofs.SkipDir
}
