package verify

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/internal/program"
)

// maxLinks is how many symbolic links a path may lead through, as in Linux.
const maxLinks = 40

// tree is a root file system: layers put on top of one another.
type tree struct {
	root *node
	// fold makes names equal whatever their case, as on Windows.
	fold bool
	// nodes counts what was made: a path can name many folders that have no
	// entry of their own.
	nodes int
}

// node is one file. A folder has children, a symbolic link has link.
type node struct {
	name     string
	children map[string]*node
	link     string
	file     bool
	exec     bool
	// added is set for what does not come from the base.
	added   bool
	program *program.Program
}

func newTree(windows bool) *tree {
	return &tree{root: &node{children: map[string]*node{}}, fold: windows}
}

func (t *tree) key(name string) string {
	if t.fold {
		return strings.ToLower(name)
	}
	return name
}

// apply puts a layer on top. Whiteouts come first: they are about lower layers
// only, wherever they stand in the tar.
func (t *tree) apply(layer []entry, added bool) error {
	for _, e := range layer {
		switch e.Kind {
		case kindWhiteout:
			if parent, _ := t.lookup(path.Dir(e.Path)); parent != nil {
				delete(parent.children, t.key(path.Base(e.Path)))
			}
		case kindOpaque:
			if n, _ := t.lookup(e.Path); n != nil && n.children != nil {
				clear(n.children)
			}
		}
	}
	for _, e := range layer {
		if e.Kind != kindWhiteout && e.Kind != kindOpaque {
			t.add(e, added)
		}
		if t.nodes > maxEntries {
			return &LimitError{fmt.Sprintf("%d files and folders", maxEntries)}
		}
	}
	return nil
}

func (t *tree) add(e entry, added bool) {
	parent := t.folder(path.Dir(e.Path), added)
	if parent == nil {
		return
	}
	base := path.Base(e.Path)
	n := &node{name: base, added: added}
	t.nodes++
	switch e.Kind {
	case kindDir:
		if old := parent.children[t.key(base)]; old != nil && old.children != nil {
			return
		}
		n.children = map[string]*node{}
	case kindFile:
		n.file, n.exec, n.program = true, e.Exec, e.Program
	case kindSymlink:
		n.link = e.Link
	case kindHardlink:
		// Its content is that of an earlier file; if that lies in an unread base,
		// nothing is known about it.
		n.file = true
		if target, _ := t.lookup(path.Dir(e.Link)); target != nil {
			if same := target.children[t.key(path.Base(e.Link))]; same != nil {
				n.exec, n.program, n.link, n.file = same.exec, same.program, same.link, same.file
			}
		}
	}
	parent.children[t.key(base)] = n
}

// folder finds a folder and makes what is missing of it. Links in the way are
// followed, as a runtime does when it unpacks a layer. nil means that no folder
// can be there.
func (t *tree) folder(name string, added bool) *node {
	w := t.walk(name)
	if slices.Contains(w.rest, "..") { // a link to what is not there and back
		w = t.walk(path.Join(append([]string{w.at}, w.rest...)...))
	}
	if w.lost || slices.Contains(w.rest, "..") || len(w.at)+len(name) > 2*maxPath {
		return nil
	}
	n := w.node
	for {
		if n.children == nil { // a folder over a file
			n.children, n.file, n.program, n.added = map[string]*node{}, false, nil, added
		}
		if len(w.rest) == 0 {
			return n
		}
		child := &node{name: w.rest[0], added: added}
		t.nodes++
		n.children[t.key(child.name)] = child
		n, w.rest = child, w.rest[1:]
	}
}

// lookup finds what a path leads to, links followed, and where that really is.
// A nil node means that it is not in the tree; the path then says where the
// search went astray.
func (t *tree) lookup(name string) (*node, string) {
	w := t.walk(name)
	if !w.found() {
		return nil, path.Join(append([]string{w.at}, w.rest...)...)
	}
	return w.node, w.at
}

// walked is how far a walk came.
type walked struct {
	node      *node
	at        string   // the real path of node
	rest      []string // names not found below node
	overAdded bool     // an added link was followed
	lost      bool     // too many links
}

func (w walked) found() bool { return len(w.rest) == 0 && !w.lost }

func (t *tree) walk(name string) walked {
	w := walked{node: t.root, at: "/", rest: split(name)}
	links := 0
	for len(w.rest) > 0 {
		part := w.rest[0]
		if part == ".." {
			w.at = path.Dir(w.at)
			w.node, _ = t.exact(w.at)
			w.rest = w.rest[1:]
			continue
		}
		child := w.node.children[t.key(part)]
		if child == nil {
			return w
		}
		w.rest = w.rest[1:]
		if child.link == "" {
			w.node, w.at = child, path.Join(w.at, child.name)
			continue
		}
		if links++; links > maxLinks {
			w.lost = true
			return w
		}
		w.overAdded = w.overAdded || child.added
		w.rest = append(split(child.link), w.rest...)
		if len(w.rest) > maxPath {
			w.lost = true
			return w
		}
		if path.IsAbs(child.link) {
			w.node, w.at = t.root, "/"
		}
	}
	return w
}

// exact finds a real path: no links are followed.
func (t *tree) exact(name string) (*node, bool) {
	n := t.root
	for _, part := range split(name) {
		if n = n.children[t.key(part)]; n == nil {
			return t.root, false
		}
	}
	return n, true
}

// split cuts a path into names; ".." stays.
func split(name string) []string {
	return slices.DeleteFunc(strings.Split(name, "/"), func(s string) bool { return s == "" || s == "." })
}

// each visits all files in order of their paths.
func (t *tree) each(visit func(name string, n *node)) { t.root.each("/", visit) }

func (n *node) each(at string, visit func(string, *node)) {
	for _, key := range slices.Sorted(maps.Keys(n.children)) {
		child := n.children[key]
		name := path.Join(at, child.name)
		if child.file {
			visit(name, child)
		}
		child.each(name, visit)
	}
}

// flat lists links and programs, which is all that a search needs to know of a
// base.
func (t *tree) flat() []entry { return t.root.flat("/", nil) }

func (n *node) flat(at string, list []entry) []entry {
	for _, key := range slices.Sorted(maps.Keys(n.children)) {
		child := n.children[key]
		name := path.Join(at, child.name)
		switch {
		case child.link != "":
			list = append(list, entry{Path: name, Kind: kindSymlink, Link: child.link})
		case child.program != nil:
			list = append(list, entry{Path: name, Kind: kindFile, Exec: child.exec, Program: child.program})
		}
		list = child.flat(name, list)
	}
	return list
}
