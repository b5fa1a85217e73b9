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
		return fmt.Errorf("giving the engine its users: %w", err)
	}
	if err := mapWith(ctx, f.NewGIDMap, pid, os.Getegid(), f.GIDs); err != nil {
		return fmt.Errorf("giving the engine its groups: %w", err)
	}
	return nil
}

func mapWith(ctx context.Context, program string, pid, own int, ranges []detect.IDRange) error {
	_, err := run.Command(ctx, run.Options{Path: program, Args: mapArgs(pid, own, ranges), Timeout: mapTimeout})
	return err
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
