// Package whole puts files in their places whole or not at all.
//
// A file that is written where it lies is, for a while, neither the old one nor
// the new one; where the disk is full or the program is killed it stays so. So
// the new one is written beside it under a name of its own, handed to the disk,
// given the mode of the old one, and renamed, which a file system does in one
// step:
//
//	.archbuild-123456 ── write, fsync, chmod ── rename ──► Dockerfile.arm64
//
// Readers see the old file or the new one. After an error the old one is there
// and the one beside it is removed. A killed program cannot remove it: the next
// one that writes into the folder does. Which files are left behind the kernel
// tells: who writes one holds its lock, and a lock ends with its process. Where
// there are no locks, it is a file to which nobody has written for an hour.
package whole

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// beside begins the names of files on their way; the rest is a number. After loose
// it is one of a file that nobody has locked.
const (
	beside = ".archbuild-"
	loose  = "loose-"
)

// abandoned is how long nobody writes to a file without a lock before it counts as
// left behind.
const abandoned = time.Hour

// Write gives a file its content. What is no plain file (/dev/stdout, a pipe) is
// written to, never replaced; a link is replaced, not followed. A new file has
// the mode 0644, and the folder must be there.
func Write(path string, content []byte) error {
	if info, err := os.Stat(path); err == nil && (!info.Mode().IsRegular() || isOpened(path)) {
		return os.WriteFile(path, content, 0o644)
	}
	return Stream(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// Stream gives a file the content that write writes, as Write does. A path that
// is no plain file is a *fs.PathError.
func Stream(path string, write func(io.Writer) error) (err error) {
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		if !info.Mode().IsRegular() || isOpened(path) {
			return &fs.PathError{Op: "replace", Path: path, Err: errors.New("it exists and is no regular file")}
		}
		mode = info.Mode().Perm()
	}
	sweep(filepath.Dir(path))
	f, err := create(filepath.Dir(path))
	if err != nil {
		return about(path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
			err = about(path, err)
		}
		_ = f.Close() // Sync has said what there was to say.
	}()
	if err := write(f); err != nil {
		return err
	}
	// A disk can take a write and fail to keep it: that is known after Sync.
	if err := errors.Join(f.Sync(), f.Chmod(mode)); err != nil {
		return err
	}
	return os.Rename(f.Name(), path) // The lock is held until the file has its name.
}

// isOpened says of a name that it stands for a file that is open already, wherever that lies: /dev/stdout where
// the shell has sent it to a file. Beside it nothing can be written, or /dev would lose its entry.
func isOpened(path string) bool {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	return err == nil && (dir == "/dev" || dir == "/dev/fd" || strings.HasPrefix(dir, "/proc/"))
}

// create makes a file beside and locks it. One that a sweep has seen before it was
// locked is gone, or is about to be.
func create(dir string) (*os.File, error) {
	for {
		f, err := os.CreateTemp(dir, beside)
		if err != nil {
			return nil, err
		}
		var now unix.Stat_t
		swept := errors.Is(lock(f), unix.EWOULDBLOCK) || unix.Fstat(int(f.Fd()), &now) == nil && now.Nlink == 0
		if !swept {
			return f, nil
		}
		_ = f.Close()
	}
}

// lock takes the lock of a file, which goes when it is closed.
func lock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

// about puts the file's own name in place of one that nobody has heard of.
func about(path string, err error) error {
	if at := new(fs.PathError); errors.As(err, &at) && IsTemporary(filepath.Base(at.Path)) {
		at.Path = path
	}
	return err
}

// IsTemporary says whether a name, without its folder, is that of a file on its way.
func IsTemporary(name string) bool {
	number, ok := strings.CutPrefix(name, beside)
	number = strings.TrimPrefix(number, loose)
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

// Beside makes up a name for a file on its way, or a link or a pipe, which has no lock.
func Beside() string { return beside + loose + strconv.FormatUint(rand.Uint64(), 10) }

// Sweep removes what killed programs have left in a folder below root. What
// cannot be removed is left to the next one.
func Sweep(root *os.Root, dir string) {
	entries, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if !IsTemporary(entry.Name()) || entry.IsDir() {
			continue
		}
		if info, err := entry.Info(); err == nil {
			sweepOne(root, path.Join(dir, entry.Name()), info)
		}
	}
}

// sweepOne removes a file unless somebody writes to it. It does so with the file's
// lock held, so that nobody takes it for their own meanwhile.
func sweepOne(root *os.Root, name string, info fs.FileInfo) {
	if info.Mode().IsRegular() && !strings.HasPrefix(info.Name(), beside+loose) {
		f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			return
		}
		defer f.Close()
		err = lock(f)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return
		}
		if err == nil {
			_ = root.Remove(name)
			return
		}
	}
	if time.Since(info.ModTime()) > abandoned {
		_ = root.Remove(name)
	}
}

func sweep(dir string) {
	if root, err := os.OpenRoot(dir); err == nil {
		Sweep(root, ".")
		root.Close()
	}
}
