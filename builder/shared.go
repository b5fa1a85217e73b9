package builder

import (
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"

	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"
	"golang.org/x/sys/unix"
)

// Shared lets several sessions walk a folder once. What one of them has read of it, names
// and what lstat tells, the others are told again; contents are read whenever a node wants
// them. So all nodes get to see one state of the folder, that of when it was first looked
// at. The zero value is ready, and safe for concurrent use; it is made for one run and not
// kept for the next.
type Shared struct {
	mu      sync.Mutex
	folders map[string]*sharedFolder
}

// sharedFolder is what is known of a folder and what is in it. It is read when it is first
// asked for, folder by folder and file by file: what an ignore file leaves out nobody reads.
type sharedFolder struct {
	// FS reads contents.
	fsutil.FS
	root string
	top  known
}

// known is one file. Its path is known by the folder that it is in.
type known struct {
	entry fs.DirEntry

	told sync.Once
	// stat has no path; file tells it from others if it has several names.
	stat *fstypes.Stat
	file fileID
	err  error

	// below is what is in a folder; nil for other files.
	below *listing
}

// listing is what a folder holds.
type listing struct {
	once sync.Once
	// files are sorted by name. They can be some where err is set.
	files []known
	err   error
}

// fileID is the same for all names of a file; the zero value is a file with one name.
type fileID struct{ device, inode uint64 }

// folder is the one at path, which is absolute.
func (s *Shared) folder(path string) (*sharedFolder, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.folders[path]; ok {
		return known, nil
	}
	plain, err := fsutil.NewFS(path)
	if err != nil {
		return nil, err
	}
	root, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	if s.folders == nil {
		s.folders = map[string]*sharedFolder{}
	}
	s.folders[path] = &sharedFolder{FS: plain, root: root, top: known{below: new(listing)}}
	return s.folders[path], nil
}

// list gives what is in a folder, at path below the root.
func (f *sharedFolder) list(path string, folder *known) ([]known, error) {
	in := folder.below
	in.once.Do(func() {
		var entries []fs.DirEntry
		entries, in.err = os.ReadDir(filepath.Join(f.root, path))
		in.files = make([]known, len(entries))
		for i, entry := range entries {
			in.files[i].entry = entry
			if entry.IsDir() {
				in.files[i].below = new(listing)
			}
		}
	})
	return in.files, in.err
}

// find gives the file at path; nil where the way to it is not all folders.
func (f *sharedFolder) find(path string) *known {
	if path == "." {
		return &f.top
	}
	dir, name := filepath.Split(path)
	above := f.find(filepath.Clean(dir))
	if above == nil || above.below == nil {
		return nil
	}
	files, _ := f.list(dir, above)
	i, found := sort.Find(len(files), func(i int) int { return strings.Compare(name, files[i].entry.Name()) })
	if !found {
		return nil
	}
	return &files[i]
}

// tell gives what lstat and the extended attributes say of a file, at path below the root.
func (f *sharedFolder) tell(path string, file *known) (*fstypes.Stat, fileID, error) {
	file.told.Do(func() { file.stat, file.file, file.err = lstat(filepath.Join(f.root, path), file.entry) })
	return file.stat, file.file, file.err
}

// lstat tells what fsutil does, and that takes its time: most files are plain ones without
// attributes, and need not go there.
func lstat(path string, entry fs.DirEntry) (*fstypes.Stat, fileID, error) {
	info, err := entry.Info()
	if err != nil {
		return nil, fileID{}, err
	}
	var file fileID
	sys, ok := info.Sys().(*syscall.Stat_t)
	if ok && sys.Nlink > 1 && !info.IsDir() {
		file = fileID{uint64(sys.Dev), sys.Ino} //nolint:unconvert // Dev is of another type on macOS
	}
	if ok && (info.Mode().IsRegular() || info.IsDir()) {
		if size, err := unix.Llistxattr(path, nil); size == 0 && err == nil {
			stat := &fstypes.Stat{Mode: uint32(info.Mode()), Uid: sys.Uid, Gid: sys.Gid, ModTime: info.ModTime().UnixNano()}
			if !info.IsDir() {
				stat.Size = info.Size()
			}
			return stat, file, nil
		}
	}
	stat, err := fsutil.Stat(path)
	return stat, file, err
}
