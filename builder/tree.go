package builder

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// shelf holds the files of a context that is no folder of this machine: an
// archive, or a node. Names are paths without a slash before them; "." is the root.
type shelf interface {
	// list gives what is in a folder that is there; Path of each is its last word.
	list(folder string) ([]*fstypes.Stat, error)
	// open gives the content of a plain file that is there.
	open(name string) (io.Reader, error)
}

// tree makes an fs.FS of a shelf. Its links lead nowhere out of it.
type tree struct {
	shelf
	mu    sync.Mutex
	known map[string][]*fstypes.Stat
}

var (
	errLinks = errors.New("too many symbolic links")
	errIsDir = errors.New("is a folder")
)

// maxLinks are followed on the way to one file.
const maxLinks = 40

func newTree(from shelf) *tree {
	return &tree{shelf: from, known: map[string][]*fstypes.Stat{}}
}

// entries of a folder; each is asked for once.
func (t *tree) entries(folder string) ([]*fstypes.Stat, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if list, ok := t.known[folder]; ok {
		return list, nil
	}
	list, err := t.list(folder)
	if err == nil {
		t.known[folder] = list
	}
	return list, err
}

// Lstat tells of a file, or of the link itself.
func (t *tree) Lstat(name string) (fs.FileInfo, error) {
	stat, err := t.find(name)
	if err != nil {
		return nil, &fs.PathError{Op: "lstat", Path: name, Err: err}
	}
	return &fsutil.StatInfo{Stat: stat}, nil
}

// ReadLink gives what a symbolic link says.
func (t *tree) ReadLink(name string) (string, error) {
	stat, err := t.find(name)
	if err == nil && fs.FileMode(stat.Mode)&fs.ModeSymlink == 0 {
		err = fs.ErrInvalid
	}
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	return stat.Linkname, nil
}

// Stat tells of what a name leads to.
func (t *tree) Stat(name string) (fs.FileInfo, error) {
	at, err := t.follow(name)
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return t.Lstat(at)
}

// ReadDir lists a folder, sorted.
func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	at, err := t.follow(name)
	var list []*fstypes.Stat
	if err == nil {
		list, err = t.folder(at)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	entries := make([]fs.DirEntry, len(list))
	for i, stat := range list {
		entries[i] = fs.FileInfoToDirEntry(&fsutil.StatInfo{Stat: stat})
	}
	return entries, nil
}

// Open follows links, as fs.FS has it.
func (t *tree) Open(name string) (fs.File, error) {
	at, err := t.follow(name)
	var stat *fstypes.Stat
	if err == nil {
		stat, err = t.find(at)
	}
	file := &treeFile{}
	if err == nil {
		file.info = &fsutil.StatInfo{Stat: stat}
		switch {
		case file.info.Mode().IsRegular():
			file.content, err = t.open(at)
		case file.info.IsDir():
			file.entries, err = t.ReadDir(at)
		}
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return file, nil
}

// find looks a name up in its folder, which is reached through no links.
func (t *tree) find(name string) (*fstypes.Stat, error) {
	if !fs.ValidPath(name) {
		return nil, fs.ErrInvalid
	}
	if name == "." {
		return &fstypes.Stat{Path: ".", Mode: uint32(fs.ModeDir | 0o755)}, nil
	}
	list, err := t.folder(path.Dir(name))
	if err != nil {
		return nil, err
	}
	for _, stat := range list {
		if path.Base(stat.Path) == path.Base(name) {
			return stat, nil
		}
	}
	return nil, fs.ErrNotExist
}

// folder lists one that is reached through no links.
func (t *tree) folder(name string) ([]*fstypes.Stat, error) {
	stat, err := t.find(name)
	if err != nil {
		return nil, err
	}
	if !fs.FileMode(stat.Mode).IsDir() {
		return nil, fs.ErrNotExist
	}
	return t.entries(name)
}

// follow gives the name without links that a name leads to.
func (t *tree) follow(name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", fs.ErrInvalid
	}
	at, rest := ".", strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		next := path.Join(at, rest[0])
		rest = rest[1:]
		stat, err := t.find(next)
		if err != nil {
			return "", err
		}
		if fs.FileMode(stat.Mode)&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", errLinks
		}
		to := stat.Linkname
		if !path.IsAbs(to) {
			to = path.Join(at, to)
		}
		to = path.Join("/", to, path.Join(rest...))
		at, rest = ".", strings.Split(strings.TrimPrefix(to, "/"), "/")
		if to == "/" {
			return ".", nil
		}
	}
	return at, nil
}

// treeFile is an open file of a tree.
type treeFile struct {
	info    fs.FileInfo
	content io.Reader
	entries []fs.DirEntry
}

func (f *treeFile) Stat() (fs.FileInfo, error) { return f.info, nil }

func (f *treeFile) Read(p []byte) (int, error) {
	if f.content == nil {
		return 0, &fs.PathError{Op: "read", Path: f.info.Name(), Err: errIsDir}
	}
	return f.content.Read(p)
}

// ReadDir is that of fs.ReadDirFile.
func (f *treeFile) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(f.entries)
	} else if len(f.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(f.entries))
	list := f.entries[:n]
	f.entries = f.entries[n:]
	return list, nil
}

func (f *treeFile) Close() error { return nil }
