package keep

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

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

// Free is the room, in bytes, on the disk of a folder, or of the nearest parent that is there.
func Free(folder string) uint64 {
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
