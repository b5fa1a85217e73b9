package manifest

import (
	"archive/tar"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// A layer is a tar archive of what changed. An entry NAME replaces what lower
// layers have there; an entry .wh.NAME hides it; .wh..wh..opq in a folder hides
// all that lower layers have in that folder (OCI image-spec, layer.md).
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
	// maxHops bounds symbolic links followed for one path, as Linux does.
	maxHops = 40
)

// rootfs is the file system that the layers of an image make, without the
// contents of files: those are read from the layers once it is known which count.
type rootfs struct{ root *node }

// node is one path. Paths that are hard links of each other share an inode.
type node struct {
	*inode
	// layer that named the path last.
	layer    int
	children map[string]*node
}

// inode is one entry of one layer.
type inode struct {
	header *tar.Header
	source source
}

// source tells where a file's content lies: entry counted from 0, of a layer.
type source struct{ layer, entry int }

func newRootfs() *rootfs {
	return &rootfs{&node{inode: impliedDir(), layer: -1, children: map[string]*node{}}}
}

// impliedDir is the inode of a folder that no layer describes.
func impliedDir() *inode {
	return &inode{header: &tar.Header{Typeflag: tar.TypeDir, Mode: 0o755, ModTime: time.Unix(0, 0)}}
}

func (n *node) isDir() bool { return n.header.Typeflag == tar.TypeDir }

// apply takes over one entry of a layer. Layers come lowest first.
func (fs *rootfs) apply(h *tar.Header, at source) error {
	name := clean(h.Name)
	if name == "" {
		if h.Typeflag == tar.TypeDir {
			fs.root.inode = &inode{header: h}
		}
		return nil
	}
	dir, err := fs.dir(path.Dir(name), at.layer)
	if err != nil {
		return fmt.Errorf("entry %q: %w", h.Name, err)
	}
	base := path.Base(name)
	switch {
	case base == opaque:
		dir.prune(at.layer)
		return nil
	case strings.HasPrefix(base, whiteout+whiteout):
		return nil // bookkeeping of aufs
	case strings.HasPrefix(base, whiteout):
		dir.hide(strings.TrimPrefix(base, whiteout), at.layer)
		return nil
	}
	in := &inode{header: h, source: at}
	switch h.Typeflag {
	case tar.TypeDir, tar.TypeReg, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
	case tar.TypeXGlobalHeader:
		return nil
	case tar.TypeLink:
		target, err := fs.find(h.Linkname, at.layer)
		if err != nil {
			return fmt.Errorf("hard link %q: %w", h.Name, err)
		}
		in = target.inode
	default:
		return fmt.Errorf("entry %q: unknown type %q", h.Name, h.Typeflag)
	}
	dir.put(base, in, at.layer)
	return nil
}

// clean makes a path relative to the root; what leads above the root stays at it.
func clean(name string) string { return path.Clean("/" + name)[1:] }

// put names an inode. A folder that replaces a folder keeps what is in it.
func (n *node) put(base string, in *inode, layer int) {
	old := n.children[base]
	if old != nil && old.isDir() && in.header.Typeflag == tar.TypeDir {
		old.inode, old.layer = in, layer
		return
	}
	n.children[base] = &node{inode: in, layer: layer, children: map[string]*node{}}
}

// hide removes what lower layers have under a name.
func (n *node) hide(base string, layer int) {
	child := n.children[base]
	switch {
	case child == nil:
	case child.layer < layer:
		delete(n.children, base)
	default:
		child.prune(layer)
	}
}

// prune removes all that lower layers have in a folder.
func (n *node) prune(layer int) {
	for base := range n.children {
		n.hide(base, layer)
	}
}

// dir finds a folder, following symbolic links within the root as a container
// runtime does when it unpacks, and makes what is missing.
func (fs *rootfs) dir(name string, layer int) (*node, error) {
	hops := 0
	trail := []*node{fs.root}
	for rest := elements(name); len(rest) > 0; {
		base := rest[0]
		rest = rest[1:]
		if base == ".." {
			trail = trail[:max(1, len(trail)-1)]
			continue
		}
		n := trail[len(trail)-1]
		child := n.children[base]
		if child != nil && child.header.Typeflag == tar.TypeSymlink {
			if hops++; hops > maxHops {
				return nil, fmt.Errorf("too many symbolic links")
			}
			if path.IsAbs(child.header.Linkname) {
				trail = trail[:1]
			}
			rest = append(elements(child.header.Linkname), rest...)
			continue
		}
		if child == nil || !child.isDir() {
			child = &node{inode: impliedDir(), children: map[string]*node{}}
			n.children[base] = child
		}
		child.layer = layer
		trail = append(trail, child)
	}
	return trail[len(trail)-1], nil
}

// find gives the node that a hard link names. It must be there already.
func (fs *rootfs) find(name string, layer int) (*node, error) {
	name = clean(name)
	dir, err := fs.dir(path.Dir(name), layer)
	if err != nil {
		return nil, err
	}
	n := dir.children[path.Base(name)]
	if n == nil || n.isDir() {
		return nil, fmt.Errorf("names %q, which is no file", name)
	}
	return n, nil
}

// elements splits a path; empty ones and dots go.
func elements(name string) []string {
	return slices.DeleteFunc(strings.Split(name, "/"), func(e string) bool { return e == "" || e == "." })
}

// file is a path of the finished file system.
type file struct {
	// name relative to the root, without a slash before or behind.
	name string
	*inode
}

// files lists all paths but the root, sorted so that a folder comes before what
// is in it.
func (fs *rootfs) files() []file {
	var list []file
	var walk func(prefix string, n *node)
	walk = func(prefix string, n *node) {
		for _, base := range slices.Sorted(maps.Keys(n.children)) {
			child := n.children[base]
			list = append(list, file{prefix + base, child.inode})
			walk(prefix+base+"/", child)
		}
	}
	walk("", fs.root)
	return list
}
