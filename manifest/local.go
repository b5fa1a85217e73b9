package manifest

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/archbuild/archbuild/internal/whole"
	"golang.org/x/sys/unix"
)

// WriteLocal writes the files of all platforms into the folder dest, each
// platform in a folder of its own (linux_arm64/) if there are several or split
// says so. As with buildx, files are added to what is there, modes and times
// are those of the image, and everything belongs to the user who runs this.
// So setuid and setgid bits stay only where the owner in the image is that
// user: nobody's file becomes root's program.
//
// Nothing is written outside dest, whatever links the image holds. Device nodes
// that this user may not make are skipped and named.
func (x Index) WriteLocal(ctx context.Context, dest string, split *bool) (skipped []string, err error) {
	if full, err := filepath.Abs(dest); err != nil || full == "/" {
		return nil, &OutputError{"dest=" + dest, "is this machine's own root", "name a folder of its own: dest=FOLDER"}
	}
	list, err := x.trees(ctx, split)
	if err != nil {
		return nil, fmt.Errorf("writing files: %w", err)
	}
	if err := os.MkdirAll(dest, 0o755); err != nil {
		return nil, fmt.Errorf("writing files: %w", err)
	}
	for _, t := range list {
		more, err := t.writeLocal(ctx, filepath.Join(dest, t.folder))
		if err != nil {
			return nil, fmt.Errorf("writing files to %s: %w", dest, err)
		}
		for _, name := range more {
			skipped = append(skipped, path.Join(t.folder, name))
		}
	}
	return skipped, nil
}

func (t tree) writeLocal(ctx context.Context, dir string) ([]string, error) {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	whole.Sweep(root, ".")
	out := localDir{root: root, uid: os.Getuid(), gid: os.Getgid(), buffer: make([]byte, copyBuffer)}
	err = errors.Join(out.write(ctx, t), out.parent.close())
	return out.skipped, err
}

// localDir is a folder being filled. All paths go through root, which leads
// nowhere else.
type localDir struct {
	root     *os.Root
	uid, gid int
	buffer   []byte
	skipped  []string
	// parent is the folder worked in last: files come folder by folder.
	parent parent
}

// parent is an open folder, as a root for what it holds and as a descriptor.
type parent struct {
	name string
	root *os.Root
	dir  *os.File
}

func (p parent) close() error {
	if p.root == nil {
		return nil
	}
	return errors.Join(p.root.Close(), p.dir.Close())
}

// open opens the folder that holds a path; it stays open until another is asked for.
func (d *localDir) open(name string) (in parent, base string, err error) {
	dir, base := path.Dir(name), path.Base(name)
	if d.parent.root != nil && d.parent.name == dir {
		return d.parent, base, nil
	}
	if err := d.parent.close(); err != nil {
		return parent{}, "", err
	}
	d.parent = parent{}
	in = parent{name: dir}
	if in.root, err = d.root.OpenRoot(dir); err != nil {
		return parent{}, "", err
	}
	if in.dir, err = in.root.Open("."); err != nil {
		in.root.Close()
		return parent{}, "", err
	}
	d.parent = in
	return in, base, nil
}

// write makes folders first, open to us while they are filled; then contents,
// links and the rest; then gives the folders their modes and times, innermost first.
func (d *localDir) write(ctx context.Context, t tree) error {
	for _, f := range t.files {
		if f.header.Typeflag == tar.TypeDir {
			if err := d.makeDir(f.name); err != nil {
				return err
			}
		}
	}
	first := map[*inode]string{}
	err := t.contents(ctx, func(f file, content io.Reader) error {
		first[f.inode] = f.name
		return d.regular(f, content)
	})
	if err != nil {
		return err
	}
	for _, f := range t.files {
		if f.header.Typeflag == tar.TypeDir || first[f.inode] == f.name {
			continue
		}
		if err := d.other(f, first); err != nil {
			return err
		}
	}
	for _, f := range slices.Backward(t.files) {
		if f.header.Typeflag == tar.TypeDir {
			if err := errors.Join(d.root.Chmod(f.name, d.mode(f)), d.touch(f)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *localDir) makeDir(name string) error {
	if fi, err := d.root.Lstat(name); err == nil && fi.IsDir() {
		whole.Sweep(d.root, name)
		return d.root.Chmod(name, fi.Mode()|0o700)
	}
	if err := d.root.RemoveAll(name); err != nil {
		return err
	}
	return d.root.Mkdir(name, 0o700)
}

func (d *localDir) regular(f file, content io.Reader) error {
	err := d.place(f, func(in parent, beside string) error {
		w, err := in.root.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = io.CopyBuffer(struct{ io.Writer }{w}, content, d.buffer)
		d.attributes(w, f)
		return errors.Join(err, w.Chmod(d.mode(f)), w.Close())
	})
	if err != nil {
		return err
	}
	return d.touch(f)
}

// place makes a path under a name beside it and then renames it, so that what
// was there is there until the new one is whole.
func (d *localDir) place(f file, make func(in parent, beside string) error) error {
	in, base, err := d.open(f.name)
	if err != nil {
		return err
	}
	beside := whole.Beside()
	if err = make(in, beside); err == nil {
		err = in.root.Rename(beside, base)
	}
	if errors.Is(err, unix.EISDIR) {
		if err = in.root.RemoveAll(base); err == nil {
			err = in.root.Rename(beside, base)
		}
	}
	if err != nil {
		_ = in.root.Remove(beside) // It may not be there.
	}
	return err
}

// other makes a path that has no content of its own: a hard link of a path made
// before, a symbolic link, a pipe or a device.
func (d *localDir) other(f file, first map[*inode]string) error {
	if name, ok := first[f.inode]; ok {
		return d.place(f, func(_ parent, beside string) error {
			return d.root.Link(name, path.Join(path.Dir(f.name), beside))
		})
	}
	err := d.place(f, func(in parent, beside string) error {
		if f.header.Typeflag == tar.TypeSymlink {
			return in.root.Symlink(f.header.Linkname, beside)
		}
		return d.special(f, in, beside)
	})
	if errors.Is(err, unix.EPERM) && f.header.Typeflag != tar.TypeSymlink {
		d.skipped = append(d.skipped, f.name)
		return nil
	}
	if err != nil {
		return err
	}
	first[f.inode] = f.name
	return d.touch(f)
}

// special makes a pipe or, if the kernel lets this user, a device node.
func (d *localDir) special(f file, in parent, name string) error {
	kind := map[byte]uint32{tar.TypeFifo: unix.S_IFIFO, tar.TypeChar: unix.S_IFCHR, tar.TypeBlock: unix.S_IFBLK}[f.header.Typeflag]
	device := unix.Mkdev(uint32(f.header.Devmajor), uint32(f.header.Devminor))
	if err := mknodAt(int(in.dir.Fd()), name, kind|0o600, int(device)); err != nil {
		return &fs.PathError{Op: "mknod", Path: f.name, Err: err}
	}
	return unix.Fchmodat(int(in.dir.Fd()), name, uint32(d.mode(f).Perm()), 0)
}

// touch sets the time of a path, of a symbolic link too.
func (d *localDir) touch(f file) error {
	t := f.header.ModTime
	if t.IsZero() {
		t = time.Unix(0, 0)
	}
	in, base, err := d.open(f.name)
	if err != nil {
		return err
	}
	spec, err := unix.TimeToTimespec(t)
	if err == nil {
		err = unix.UtimesNanoAt(int(in.dir.Fd()), base, []unix.Timespec{spec, spec}, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil {
		return &fs.PathError{Op: "utimes", Path: f.name, Err: err}
	}
	return nil
}

// mode is the file's mode, without setuid and setgid if they would give the
// rights of the user who runs this to somebody else's program.
func (d *localDir) mode(f file) fs.FileMode {
	mode := f.header.FileInfo().Mode()
	if f.header.Uid != d.uid {
		mode &^= fs.ModeSetuid
	}
	if f.header.Gid != d.gid {
		mode &^= fs.ModeSetgid
	}
	return mode
}

// attributes sets extended attributes of users, and capabilities where setuid
// would stay. A file system that has none loses them, as with buildx.
func (d *localDir) attributes(w *os.File, f file) {
	for record, value := range f.header.PAXRecords {
		name, ok := strings.CutPrefix(record, xattrPrefix)
		if ok && (strings.HasPrefix(name, "user.") || name == "security.capability" && f.header.Uid == d.uid) {
			_ = unix.Fsetxattr(int(w.Fd()), name, []byte(value), 0)
		}
	}
}
