package archbuild

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/archbuild/archbuild/keep"
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

// explainDisk finds out whether a failure comes from a full disk. What a node
// reports is text, so the disk itself is asked.
func (o Options) explainDisk(err error) error {
	var status interface{ ExitStatus() int }
	if err == nil || errors.As(err, &status) || errors.As(err, new(*wrong.Write)) { // wrong usage, refused images and files of the user have their cause
		return err
	}
	if state := o.stateDir(); keep.Free(state) < fullBelow {
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
		return &keep.StateError{Folder: o.stateDir(), Err: err}
	}
	return &wrong.Write{Path: dest, Err: err}
}

func isBelow(folder, path string) bool {
	relative, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(relative)
}
