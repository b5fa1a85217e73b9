// Package kernel tells what the running kernel has of all that building and
// running containers asks for: control groups, namespaces, overlayfs, the kinds
// of network devices, packet filters, system call filters.
package kernel

import (
	"context"

	"github.com/archbuild/archbuild/detect"
)

// Checks asks everything, in a fixed order. An error is that of ctx alone: what
// cannot be known is a check whose status is detect.Unknown.
func Checks(ctx context.Context, o detect.Options) ([]detect.Check, error) {
	return nil, ctx.Err()
}

// IsChild says whether the arguments of this process are those of a trial that
// Checks started: the program is then to call Main and exit with its status.
// Programs that are to use Checks as a plain user ask this first of all.
func IsChild(args []string) bool { return false }

// Main makes the trials and prints what came out.
func Main() int { return 1 }
