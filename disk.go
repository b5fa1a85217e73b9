package archbuild

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/archbuild/archbuild/internal/whole"
	"github.com/archbuild/archbuild/wrong"
)

// fullBelow is how little free space, in bytes, counts as none: BuildKit's
// databases grow in steps of this order.
const fullBelow = 16 << 20

// DiskFullError says that a step failed while a disk had no room.
type DiskFullError struct {
	// Folder on that disk.
	Folder string
	Err    error
}

func (e *DiskFullError) Error() string {
	return fmt.Sprintf("no space left on the disk of %s: %v", e.Folder, e.Err)
}

// Unwrap gives what failed.
func (e *DiskFullError) Unwrap() error { return e.Err }

// Hint says how to get room.
func (e *DiskFullError) Hint() string {
	return "free some space (archbuild engine prune), or keep archbuild's files on another disk with --state FOLDER"
}

// StateError says that nothing can be kept in the state folder.
type StateError struct {
	Folder string
	Err    error
}

func (e *StateError) Error() string {
	return fmt.Sprintf("the state folder %s cannot be used: %v", e.Folder, e.Err)
}

// Unwrap gives what the system said.
func (e *StateError) Unwrap() error { return e.Err }

// Hint names the flag.
func (e *StateError) Hint() string {
	switch {
	case errors.Is(e.Err, syscall.ENOSPC), errors.Is(e.Err, syscall.EDQUOT):
		return "free some space there (archbuild engine prune), or keep archbuild's files on another disk with --state FOLDER"
	case errors.Is(e.Err, fs.ErrPermission):
		return "run archbuild as the user whose folder it is, or give another --state folder"
	}
	return "name a folder that you can write to: --state FOLDER, or $ARCHBUILD_STATE"
}

// explainDisk finds out whether a failure comes from a full disk. What a node
// reports is text, so the disk itself is asked.
func (o Options) explainDisk(err error) error {
	var status interface{ ExitStatus() int }
	if err == nil || errors.As(err, &status) || errors.As(err, new(*wrong.Write)) { // wrong usage, refused images and files of the user have their cause
		return err
	}
	if state := o.stateDir(); free(state) < fullBelow {
		return &DiskFullError{Folder: state, Err: err}
	}
	if errors.Is(err, syscall.ENOSPC) {
		return &DiskFullError{Folder: o.stateDir(), Err: err}
	}
	return err
}

// explainOutput says of an output that could not be written what failed: its own place, or the
// store that it is made from.
func (o Options) explainOutput(dest string, err error) error {
	var says interface{ Hint() string }
	if !errors.As(err, new(syscall.Errno)) || errors.As(err, &says) {
		return err
	}
	if at := new(fs.PathError); errors.As(err, &at) && isBelow(o.stateDir(), at.Path) {
		return &StateError{Folder: o.stateDir(), Err: err}
	}
	return &wrong.Write{Path: dest, Err: err}
}

func isBelow(folder, path string) bool {
	relative, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(relative)
}

// free is the room on the disk of a folder, or of the nearest parent that is there.
func free(folder string) uint64 {
	var disk unix.Statfs_t
	for unix.Statfs(folder, &disk) != nil {
		parent := filepath.Dir(folder)
		if parent == folder {
			return 1 << 62
		}
		folder = parent
	}
	if disk.Blocks == 0 { // procfs and the like keep nothing
		return 1 << 62
	}
	return disk.Bavail * uint64(disk.Bsize)
}

// writeWhole writes a file whole or not at all. What is no plain file
// (/dev/stdout, a pipe) is written to, never replaced.
func writeWhole(path string, content []byte) error {
	if err := whole.Write(path, content); err != nil {
		return &wrong.Write{Path: path, Err: err}
	}
	return nil
}
