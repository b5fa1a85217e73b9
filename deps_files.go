package archbuild

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/wrong"
)

// addContexts adds what a build reads: the files of its folders that .dockerignore
// leaves, and the folders themselves, whose time changes when a file comes or goes.
// An archive counts as one file. What is not on this machine does not count.
func (r run) addContexts(m *makeRule, s service, p plan.Plan, written []string) error {
	switch {
	case s.context.Folder != "":
		if err := m.addFolder(s, p, written); err != nil {
			return err
		}
	case s.beside.tree != nil && isArchive(s.context.from):
		m.addNamed(asMakeSees(s.context.from))
	}
	for _, folder := range r.folders {
		c, err := folderContext(folder)
		if err != nil {
			return err
		}
		if err := m.addFolder(service{context: c}, plan.Plan{}, written); err != nil {
			return err
		}
	}
	return nil
}

// addFolder adds the files of one folder, as a build sees them.
func (m *makeRule) addFolder(s service, p plan.Plan, written []string) error {
	f, err := openContext(s)
	if err != nil {
		return &wrong.Read{What: "the context for --deps", Err: err}
	}
	defer f.end()
	f.hidden = append(f.hidden, rewrites(s, p)...)
	root := s.context.Folder
	// Folders that the build itself writes to are newer than what it writes.
	busy := map[string]bool{}
	for _, path := range written {
		if abs, err := filepath.Abs(path); err == nil {
			busy[abs], busy[filepath.Dir(abs)] = true, true
		}
	}
	err = fs.WalkDir(f.tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path := filepath.Join(root, filepath.FromSlash(name))
		out := name != "." && f.leftOut(name)
		switch {
		case entry.IsDir() && out && (f.isHidden(name) || !f.ignore.Exclusions()):
			return fs.SkipDir
		case out, busy[path]:
		case entry.IsDir():
			m.needs = append(m.needs, asMakeSees(path)+"/.") // so that it is no goal of that name, and no member of an archive
		case entry.Type().IsRegular():
			m.needs = append(m.needs, aside(path, s))
		}
		return nil
	})
	if err != nil {
		return &wrong.Read{What: "the context for --deps", Err: err}
	}
	return nil
}

// isHidden says whether a path is one of archbuild's own.
func (f *contextFiles) isHidden(name string) bool {
	return slices.ContainsFunc(f.hidden, func(hidden string) bool { return name == hidden || strings.HasPrefix(name, hidden+"/") })
}
