package contents

import (
	"io/fs"
	"path"
	"strings"
)

// maxLinks are followed on the way to one source.
const maxLinks = 40

// tree is the context as a build sees it. A folder is listed once.
type tree struct {
	files   fs.FS
	ignored func(path string, dir bool) bool
	known   map[string][]fs.DirEntry
	notes   map[string]Note
}

func newTree(files fs.FS, ignored func(string, bool) bool) *tree {
	if ignored == nil {
		ignored = func(string, bool) bool { return false }
	}
	return &tree{files: files, ignored: ignored, known: map[string][]fs.DirEntry{}, notes: map[string]Note{}}
}

// list gives what a build sees in a folder, sorted.
func (t *tree) list(dir string) []fs.DirEntry {
	if list, ok := t.known[dir]; ok {
		return list
	}
	all, err := fs.ReadDir(t.files, dir)
	if err != nil {
		t.notes[dir] = Note{Path: dir, Why: "it cannot be listed"}
	}
	list := all[:0]
	for _, entry := range all {
		if !t.ignored(path.Join(dir, entry.Name()), entry.IsDir()) {
			list = append(list, entry)
		}
	}
	t.known[dir] = list
	return list
}

// kind of a path that is reached through no links, or false where a build sees nothing.
func (t *tree) kind(name string) (fs.FileMode, bool) {
	if name == "." {
		return fs.ModeDir, true
	}
	info, err := fs.Lstat(t.files, name)
	if err != nil || t.ignored(name, info.IsDir()) {
		return 0, false
	}
	return info.Mode().Type(), true
}

// follow gives the path that a name leads to through links, none of which leads out of
// the context, and its kind.
func (t *tree) follow(name string) (string, fs.FileMode, bool) {
	at, kind, links := ".", fs.ModeDir, 0
	rest := parts(name)
	for len(rest) > 0 {
		next := path.Join(at, rest[0])
		rest = rest[1:]
		var ok bool
		if kind, ok = t.kind(next); !ok {
			return "", 0, false
		}
		if kind&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		target, err := fs.ReadLink(t.files, next)
		if links++; err != nil || links > maxLinks {
			return "", 0, false
		}
		if !path.IsAbs(target) {
			target = path.Join(at, target)
		}
		at, kind = ".", fs.ModeDir
		rest = append(parts(target), rest...)
	}
	return at, kind, true
}

// leads is where a link leads to in the context. An absolute one does not lead there.
func (t *tree) leads(name, target string) string {
	if path.IsAbs(target) {
		return ""
	}
	at, _, _ := t.follow(path.Join(path.Dir(name), target))
	return at
}

// parts are the words of a path, seen from the root of the context.
func parts(name string) []string {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if name == "" {
		return nil
	}
	return strings.Split(name, "/")
}
