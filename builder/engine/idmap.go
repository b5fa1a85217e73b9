package engine

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

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

// Hint says where to look.
func (e *MapError) Hint() string {
	return fmt.Sprintf("look whether the ranges in /etc/subuid and /etc/subgid overlap, and whether %s lies on a disk mounted with nosuid", e.Program)
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
