package archbuild

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/internal/ignore"
	"github.com/archbuild/archbuild/template"
	"github.com/moby/patternmatcher"
)

// Bounds of what the analysis may read of a context. What is beyond is not known to it.
const (
	maxSeenFile  = 4 << 20
	maxSeenBytes = 64 << 20
	maxSeenNames = 50_000
)

// contextFiles are the files of a build context as a build sees them: without what
// .dockerignore leaves out, and without what archbuild itself has written there.
// A symbolic link is none of them: where it leads to is decided in the stage.
type contextFiles struct {
	tree          fs.FS
	close         func()
	ignore        *patternmatcher.PatternMatcher
	hidden        []string
	bytes, listed int
}

// openContext opens a service's context. Methods of the nil that comes with an error know nothing.
func openContext(s service) (*contextFiles, error) {
	tree, closeTree, err := s.context.open()
	if err != nil {
		return nil, err
	}
	f := &contextFiles{tree: tree, close: closeTree}
	text := s.ignore
	if text == nil {
		text, err = s.context.ignored()
	}
	if err == nil {
		f.ignore, err = ignore.Matcher(ignore.File, text)
	}
	if err != nil {
		f.close()
		return nil, err
	}
	if out, err := filepath.Abs(resultsFolder); err == nil && s.context.Folder != "" {
		if name, err := filepath.Rel(s.context.Folder, out); err == nil {
			f.hidden = append(f.hidden, filepath.ToSlash(name))
		}
	}
	return f, nil
}

func (f *contextFiles) end() {
	if f != nil {
		f.close()
	}
}

// Read gives the content of a file, by its path below the context.
func (f *contextFiles) Read(name string) ([]byte, bool) {
	name, ok := f.clean(name)
	if !ok || f.leftOut(name) || f.bytes > maxSeenBytes {
		return nil, false
	}
	content, ok := f.load(name)
	f.bytes += len(content)
	return content, ok
}

// List gives the names in a folder, sorted, folders with a slash behind them.
func (f *contextFiles) List(dir string) ([]string, bool) {
	dir, ok := f.clean(dir)
	if !ok || !f.isPlain(dir, true) {
		return nil, false
	}
	opened, err := f.tree.Open(dir)
	if err != nil {
		return nil, false
	}
	defer opened.Close()
	folder, ok := opened.(fs.ReadDirFile)
	if !ok {
		return nil, false
	}
	entries, err := folder.ReadDir(maxSeenNames - f.listed + 1)
	f.listed += len(entries)
	if err != nil && !errors.Is(err, io.EOF) || f.listed > maxSeenNames {
		return nil, false
	}
	names := []string{}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		switch {
		case entry.IsDir() && (!f.leftOut(name) || f.ignore.Exclusions()):
			names = append(names, entry.Name()+"/")
		case !entry.IsDir() && !f.leftOut(name):
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names, true
}

// clean is a path as the context has it: without a slash before it.
func (f *contextFiles) clean(name string) (string, bool) {
	if f == nil || strings.ContainsRune(name, '\\') {
		return "", false
	}
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if name == "" {
		name = "."
	}
	return name, true
}

// leftOut says whether a build does not see a path.
func (f *contextFiles) leftOut(name string) bool {
	if f.isHidden(name) {
		return true
	}
	out, err := f.ignore.MatchesOrParentMatches(name)
	return err != nil || out
}

// isPlain says whether a path leads to a file, or a folder, through no links.
func (f *contextFiles) isPlain(name string, folder bool) bool {
	for at := name; ; at = path.Dir(at) {
		info, err := fs.Lstat(f.tree, at)
		switch {
		case err != nil, at != name && !info.IsDir():
			return false
		case at == name && folder != info.IsDir(), at == name && !folder && !info.Mode().IsRegular():
			return false
		case at == ".":
			return true
		}
	}
}

func (f *contextFiles) load(name string) ([]byte, bool) {
	if !f.isPlain(name, false) {
		return nil, false
	}
	file, err := f.tree.Open(name)
	if err != nil {
		return nil, false
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxSeenFile+1))
	return content, err == nil && len(content) <= maxSeenFile
}

// templateDigest tells one text of a Dockerfile from another.
func templateDigest(t *template.Template) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256(t.Source))
}
