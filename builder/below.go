package builder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/opencontainers/go-digest"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// One archive or repository can hold the contexts of several images. A folder of it is opened where the whole is
// open already: nothing is fetched or unpacked again, and all are of one state.

// shelfBelow is a folder of a shelf.
type shelfBelow struct {
	shelf
	folder string
}

func (s shelfBelow) list(folder string) ([]*fstypes.Stat, error) {
	return s.shelf.list(path.Join(s.folder, folder))
}

func (s shelfBelow) open(name string) (io.Reader, error) {
	return s.shelf.open(path.Join(s.folder, name))
}

// folderOf finds a folder of a tree, links followed, and gives the tree of what is in it.
func folderOf(files fs.FS, folder string) (at string, below *tree, err error) {
	t, ok := files.(*tree)
	if !ok {
		return "", nil, errors.New("its files cannot be read")
	}
	if at, err = t.follow(folder); err == nil {
		_, err = t.folder(at)
	}
	if err != nil {
		return "", nil, &fs.PathError{Op: "open", Path: folder, Err: err}
	}
	return at, newTree(shelfBelow{t.shelf, at}), nil
}

// Sub is a folder of the context, at the same commit or in the same archive, as a context of its own. It lives as long as
// the whole, and its Close does nothing. A folder that is not there is fs.ErrNotExist.
func (f *Fetched) Sub(folder string) (*Fetched, error) {
	at, files, err := folderOf(f.Files, folder)
	if err != nil {
		return nil, err
	}
	sub := &Fetched{Remote: f.Remote, Pin: f.Pin, Git: f.Git, Time: f.Time, Files: files, state: f.state, finish: func() {}}
	if at == "." {
		return sub, nil
	}
	sub.folder = path.Join(f.folder, at)
	if !f.Git {
		sub.state = llb.Scratch().File(llb.Copy(f.state, "/"+at, "/", &llb.CopyInfo{CopyDirContentsOnly: true}), llb.WithCustomName("[internal] take folder "+at+" of "+f.Shown()))
		return sub, nil
	}
	sub.Address = f.Below(at, "")
	g, err := sub.git()
	if err != nil {
		return nil, &AddressError{sub.Shown(), err}
	}
	sub.state = sub.pinned(g)
	return sub, nil
}

// Sub is a folder of the archive as a context of its own. It lives as long as the whole, and its Close does nothing.
// A folder that is not there is fs.ErrNotExist.
func (a *Archive) Sub(folder string) (*Archive, error) {
	at, _, err := folderOf(a.Files(), folder)
	if err != nil {
		return nil, err
	}
	if at == "." {
		whole := *a
		whole.close = func() {}
		return &whole, nil
	}
	sub := EmptyArchive()
	sub.file, sub.digest = a.file, digest.FromString(fmt.Sprintf("%s %s", a.digest, at))
	for name, entry := range a.entries {
		if below, ok := strings.CutPrefix(name, at+"/"); ok {
			sub.entries[below] = entry
		}
	}
	for name, list := range a.folders {
		below, ok := strings.CutPrefix(name+"/", at+"/")
		if !ok {
			continue
		}
		names := make([]string, len(list))
		for i, each := range list {
			names[i] = strings.TrimPrefix(each, at+"/")
		}
		sub.folders[inside(below)] = names
	}
	return sub, nil
}
