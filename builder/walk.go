package builder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// folderFS offers a shared folder to one node. It is walked in the order, and tells of files
// in the way, of the one that fsutil makes, but that every file is root's: who owns the
// files on this machine is no property of the image.
type folderFS struct {
	*sharedFolder
	// hidden is a folder that is not offered; empty is none. Files of leftOut are not either.
	hidden  string
	leftOut []string
}

// offer is a folder as the node sees it: without the folder of results, should that lie in
// it, and without rewritten Dockerfiles.
func (from Sources) offer(path string) (fsutil.FS, error) {
	shared := from.Shared
	if shared == nil {
		shared = new(Shared)
	}
	folder, err := shared.folder(path)
	if err != nil {
		return nil, fmt.Errorf("reading context %s: %w", path, err)
	}
	offered := folderFS{sharedFolder: folder}
	if hidden, err := filepath.Rel(path, from.Results); err == nil && filepath.IsLocal(hidden) {
		offered.hidden = hidden
	}
	if path == from.Context.Folder {
		offered.leftOut = from.Rewrites
	}
	return offered, nil
}

// Walk visits target and what is below it, folders before what is in them.
func (f folderFS) Walk(ctx context.Context, target string, fn fs.WalkDirFunc) error {
	path := filepath.Clean("/" + target)[1:]
	if path == "" {
		path = "."
	}
	start := f.find(path)
	if start == nil { // fsutil finds out why, or follows the links on the way
		return f.FS.Walk(ctx, target, fn)
	}
	w := &walk{ctx: ctx, from: f, fn: fn, names: map[fileID]string{}}
	err := w.visit(path, start)
	if errors.Is(err, fs.SkipDir) || errors.Is(err, fs.SkipAll) {
		return nil
	}
	return err
}

// walk is one walk through a folder.
type walk struct {
	ctx  context.Context
	from folderFS
	fn   fs.WalkDirFunc
	// names are the first ones of files that have several.
	names map[fileID]string
}

// visit goes through a file and what is below it, as filepath.WalkDir does.
func (w *walk) visit(path string, file *known) error {
	v := &visited{walk: w, path: path, file: file}
	if path != "." {
		if w.from.isLeftOut(path, v.IsDir()) {
			return nil
		}
		err := w.call(v, nil)
		switch {
		case errors.Is(err, fs.SkipDir) && (v.IsDir() || v.gone):
			return nil
		case err != nil || !v.IsDir():
			return err
		}
	}
	files, err := w.from.list(path, file)
	if err != nil && path == "." {
		return err
	}
	if err != nil {
		err = w.call(v, err)
		if errors.Is(err, fs.SkipDir) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	for i := range files {
		name := files[i].entry.Name()
		if path != "." {
			name = path + string(filepath.Separator) + name
		}
		err := w.visit(name, &files[i])
		if errors.Is(err, fs.SkipDir) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// call tells of a file, or why a folder cannot be read. What is not there any more is no error.
func (w *walk) call(v *visited, err error) error {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	err = w.fn(v.path, v, err)
	if isGone(err) {
		return fs.SkipDir
	}
	return err
}

func isGone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) }

func (f folderFS) isLeftOut(path string, isDir bool) bool {
	if isDir {
		return path == f.hidden
	}
	return slices.Contains(f.leftOut, path)
}

// visited is a file as one walk tells of it.
type visited struct {
	walk *walk
	path string
	file *known
	// gone says that the file was there when its folder was read, and then not.
	gone bool
}

func (v *visited) Name() string      { return v.file.entry.Name() }
func (v *visited) IsDir() bool       { return v.file.below != nil }
func (v *visited) Type() fs.FileMode { return v.file.entry.Type() }

// Info is asked for when the file is to be sent. Of several names of a file, those after the
// first are links to that. What it gives is the caller's own, but for the attributes.
func (v *visited) Info() (fs.FileInfo, error) {
	stat, file, err := v.walk.from.tell(v.path, v.file)
	if err != nil {
		v.gone = isGone(err)
		return nil, err
	}
	told := &info{stat: fstypes.Stat{
		Path: v.path, Mode: stat.Mode, Size: stat.Size, ModTime: stat.ModTime, Linkname: stat.Linkname,
		Devmajor: stat.Devmajor, Devminor: stat.Devminor, Xattrs: stat.Xattrs,
	}}
	if first := v.first(file); first != "" {
		told.stat.Linkname = first
	}
	told.Stat = &told.stat
	return &told.StatInfo, nil
}

// info is what fsutil wants, in one piece: there are many of them.
type info struct {
	fsutil.StatInfo
	stat fstypes.Stat
}

// first is the name of the file that this walk has come upon before; empty if it has not.
func (v *visited) first(file fileID) string {
	if file == (fileID{}) || v.Type()&fs.ModeSymlink != 0 {
		return ""
	}
	first, again := v.walk.names[file]
	if !again {
		v.walk.names[file] = v.path
	}
	if first == v.path {
		return ""
	}
	return first
}
