package engine

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/moby/sys/userns"
)

// OpenDirError says that somebody else could exchange what lies in a folder.
type OpenDirError struct {
	Dir string
	// Owner is the user whose folder it is, if that is the reason; else -1: the mode
	// lets others write.
	Owner int
}

func (e *OpenDirError) Error() string {
	if e.Owner >= 0 {
		return fmt.Sprintf("%s belongs to user %d, who could exchange what lies in it", e.Dir, e.Owner)
	}
	return e.Dir + " can be written to by others, who could exchange what lies in it"
}

// Hint says what to do.
func (e *OpenDirError) Hint() string {
	if e.Owner >= 0 {
		return "run archbuild as the user whose folder it is, or give another --state folder"
	}
	return fmt.Sprintf("chmod go-w %s, or give another --state folder", e.Dir)
}

// checkOwner refuses a state folder that is another user's, and one in a folder
// whose entries others could exchange: caches, locks and the engine's record in it
// are believed. The path has no symlinks any more. As sshd and sudo have it, the
// folders above may be root's or this user's; in one with the sticky bit, as /tmp
// is, entries are their owners' alone.
func checkOwner(state string) error {
	if err := checkDir(state, false); err != nil {
		return err
	}
	for dir := filepath.Dir(state); ; dir = filepath.Dir(dir) {
		if err := checkDir(dir, true); err != nil {
			return err
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// checkDir judges one folder. One above the state folder may be root's and sticky.
func checkDir(dir string, above bool) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() {
		return &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
	}
	owner, group := int(stat.Uid), int(stat.Gid)
	own := owner == os.Geteuid()
	if !own && !(above && isRootHere(owner)) {
		return &OpenDirError{Dir: dir, Owner: owner}
	}
	if above && info.Mode()&fs.ModeSticky != 0 {
		return nil
	}
	// With umask 002 all that a user makes is the group's too, and the group has one
	// member; groups that may write to root's folders are the administrator's choice.
	trusted := !own || group == os.Getegid() || isRootHere(group)
	if info.Mode().Perm()&0o002 != 0 || info.Mode().Perm()&0o020 != 0 && !trusted {
		return &OpenDirError{Dir: dir, Owner: -1}
	}
	return nil
}

// overflowID is whom a user namespace shows in place of all that it has no number
// for, the machine's root above all (/proc/sys/kernel/overflowuid).
const overflowID = 65534

// isRootHere says whether a user (or group) is root, or root outside.
func isRootHere(id int) bool {
	return id == 0 || id == overflowID && userns.RunningInUserNS()
}
