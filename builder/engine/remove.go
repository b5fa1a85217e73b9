//go:build linux

package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What a sweep removes was filled by builds, with links and mounts as they liked.
// So nothing is removed by its path: a folder is opened once, and all below it is
// reached from there, name by name, in a way that the kernel lets follow no link and
// enter no mount. A folder that is moved or exchanged meanwhile is removed as it was
// when it was opened, or not at all.

// ForeignMountError says that something is mounted where files were to be removed.
type ForeignMountError struct{ Path string }

func (e *ForeignMountError) Error() string {
	return e.Path + " is on another disk, and is left as it is"
}

// removeBelow removes what lies at a path below base, whatever it is. What is not
// there is no error.
func removeBelow(base, path string) error {
	rel, err := filepath.Rel(base, path)
	if err != nil {
		return err
	}
	top, err := openBase(base)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer top.Close()
	dir, err := openIn(top, filepath.Dir(rel), unix.RESOLVE_NO_XDEV)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	return removeEntry(dir, filepath.Base(rel))
}

// removeEntry removes a name of an open folder.
func removeEntry(dir *os.File, name string) error {
	path := filepath.Join(dir.Name(), name)
	err := unix.Unlinkat(int(dir.Fd()), name, 0)
	switch {
	case err == nil || errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.EBUSY):
		return &ForeignMountError{Path: path}
	case !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM):
		return fmt.Errorf("removing %s: %w", path, err)
	}
	child, err := openIn(dir, name, unix.RESOLVE_NO_XDEV)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer child.Close()
	names, err := child.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	var errs []error
	for _, inner := range names {
		errs = append(errs, removeEntry(child, inner))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := unix.Unlinkat(int(dir.Fd()), name, unix.AT_REMOVEDIR); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("removing %s: %w", path, err)
	}
	return nil
}

// openBase opens a folder, if no part of its path is a link.
func openBase(path string) (*os.File, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &how)
	if isUnknownCall(err) {
		fd, err = unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// openIn opens a folder below an open one, without links on the way. resolve is
// RESOLVE_NO_XDEV, or 0 where the way may lead through mounts.
func openIn(dir *os.File, rel string, resolve uint64) (*os.File, error) {
	path := filepath.Join(dir.Name(), rel)
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | resolve,
	}
	fd, err := unix.Openat2(int(dir.Fd()), rel, &how)
	if isUnknownCall(err) {
		fd, err = stepInto(int(dir.Fd()), rel)
	}
	switch {
	case errors.Is(err, unix.EXDEV):
		return nil, &ForeignMountError{Path: path}
	case err != nil:
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// isUnknownCall says that there is no openat2: before Linux 5.6, and where an older
// seccomp filter of a container refuses what it does not know.
func isUnknownCall(err error) bool { return errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) }

// stepInto does for openIn, name by name, what can be done without openat2: a mount of
// the same disk is not seen.
func stepInto(dir int, rel string) (int, error) {
	at, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	for name := range strings.SplitSeq(filepath.Clean(rel), "/") {
		next, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == nil && !sameDisk(at, next) {
			unix.Close(next)
			err = unix.EXDEV
		}
		unix.Close(at)
		if err != nil {
			return -1, err
		}
		at = next
	}
	return at, nil
}

func sameDisk(a, b int) bool {
	var one, two unix.Stat_t
	return unix.Fstat(a, &one) == nil && unix.Fstat(b, &two) == nil && one.Dev == two.Dev
}

// unmountIn detaches the uppermost mount at a path below base. The path is the
// kernel's, from its list of mounts; in case it was bent since, it is walked without
// links, and what is detached is what was found at its end.
func unmountIn(base, point string) error {
	top, err := openBase(base)
	if err != nil {
		return err
	}
	defer top.Close()
	rel, err := filepath.Rel(base, point)
	if err != nil {
		return err
	}
	how := unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	fd, err := unix.Openat2(int(top.Fd()), rel, &how)
	if isUnknownCall(err) {
		return unix.Unmount(point, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Unmount("/proc/self/fd/"+strconv.Itoa(fd), unix.MNT_DETACH)
}
