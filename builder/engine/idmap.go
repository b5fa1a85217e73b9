//go:build linux

package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/internal/run"
)

// mapTimeout bounds newuidmap, which may ask a directory service.
const mapTimeout = 30 * time.Second

// mapIDs gives the user namespace of a process its users and groups: 0 is this
// user, 1 and above are those of /etc/subuid and /etc/subgid. Only the programs
// of the package uidmap may do that; they are set-user-ID root.
func mapIDs(ctx context.Context, pid int, f detect.RootlessFacts) error {
	if err := mapWith(ctx, f.NewUIDMap, pid, os.Geteuid(), f.UIDs); err != nil {
		return err
	}
	return mapWith(ctx, f.NewGIDMap, pid, os.Getegid(), f.GIDs)
}

func mapWith(ctx context.Context, program string, pid, own int, ranges []detect.IDRange) error {
	_, err := run.Command(ctx, run.Options{Path: program, Args: mapArgs(pid, own, ranges), Timeout: mapTimeout})
	if err != nil && ctx.Err() == nil {
		return &MapError{Program: program, Err: err}
	}
	return err
}

// MapError says that newuidmap or newgidmap has refused.
type MapError struct {
	// Program is its path.
	Program string
	Err     error
}

func (e *MapError) Error() string { return fmt.Sprintf("giving the engine its users: %v", e.Err) }

// Unwrap gives the cause.
func (e *MapError) Unwrap() error { return e.Err }

// Hint says where to look. Without CAP_SYS_ADMIN in the bounding set, as in a
// container, a set-user-ID newuidmap may write no map, if it does not become the
// user again before (Debian's does not): only the owner of a namespace may.
func (e *MapError) Hint() string {
	if mayBecome(unix.CAP_SYS_ADMIN) {
		return fmt.Sprintf("look whether the ranges in /etc/subuid and /etc/subgid overlap, and whether %s lies on a disk mounted with nosuid", e.Program)
	}
	dir := filepath.Dir(e.Program)
	return fmt.Sprintf("in a container these programs need file capabilities in place of the set-user-ID bit; as root: "+
		"chmod u-s %[1]s/newuidmap %[1]s/newgidmap && setcap cap_setuid=ep %[1]s/newuidmap && setcap cap_setgid=ep %[1]s/newgidmap", dir)
}

// mayBecome says whether a program that is started can have a capability at all.
func mayBecome(capability uintptr) bool {
	set, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, capability, 0, 0, 0)
	return err != nil || set == 1
}

// mapArgs is the process and then, one range after the other, the first number
// inside, the first outside, and how many.
func mapArgs(pid, own int, ranges []detect.IDRange) []string {
	args := []string{strconv.Itoa(pid), "0", strconv.Itoa(own), "1"}
	inside := 1
	for _, r := range ranges {
		args = append(args, strconv.Itoa(inside), strconv.FormatUint(uint64(r.First), 10), strconv.FormatUint(uint64(r.Count), 10))
		inside += int(r.Count)
	}
	return args
}
