package engine

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/moby/sys/userns"

	"github.com/archbuild/archbuild/detect"
)

// power is where an engine has its rights from.
type power struct {
	// plain: the user is not root, and the engine is made root of a user
	// namespace of its own.
	plain bool
	// rootless: the engine is root of a user namespace, its own or one that it
	// was started in; there are no control groups for it and no networks.
	rootless bool
}

// IsRootless says whether an engine of this process would be root of a user
// namespace only: that of a plain user, and of who is root in a container that
// has a namespace of its own.
func IsRootless() bool { return ownPower().rootless }

func ownPower() power {
	if runtime.GOOS != "linux" {
		return power{}
	}
	plain := os.Geteuid() != 0
	return power{plain: plain, rootless: plain || userns.RunningInUserNS()}
}

// Check says whether [Ensure] could start an engine here, before anything else
// is done. For a plain user it takes some milliseconds. The error is a
// *RootlessError, a *CapabilityError or a *SystemError.
func Check(ctx context.Context) error {
	_, err := check(ctx)
	return err
}

// check gives what an engine of a plain user is made of.
func check(ctx context.Context) (detect.RootlessFacts, error) {
	if runtime.GOOS != "linux" {
		return detect.RootlessFacts{}, &SystemError{}
	}
	if os.Geteuid() == 0 {
		if !mayMount() {
			return detect.RootlessFacts{}, &CapabilityError{}
		}
		return detect.RootlessFacts{}, nil
	}
	facts := detect.Rootless(ctx, detect.Options{})
	if ctx.Err() != nil {
		return facts, context.Cause(ctx)
	}
	if len(facts.Lacks) > 0 {
		return facts, &RootlessError{Facts: facts}
	}
	return facts, nil
}

// RootlessError says what the engine of a plain user needs and does not find.
type RootlessError struct{ Facts detect.RootlessFacts }

func (e *RootlessError) Error() string {
	var what []string
	for _, m := range e.Facts.Lacks {
		what = append(what, m.What)
	}
	return fmt.Sprintf("the private engine of user %s lacks: %s", e.Facts.User, strings.Join(what, "; "))
}

// Hint is the commands that supply it, or what else to do.
func (e *RootlessError) Hint() string {
	var commands []string
	for _, m := range e.Facts.Lacks {
		if m.Command == "" {
			return m.Hint
		}
		commands = append(commands, m.Command)
	}
	return "as root: " + strings.Join(commands, " && ")
}

// CapabilityError says that this is a root without the rights of one.
type CapabilityError struct{}

func (e *CapabilityError) Error() string {
	return "the private engine mounts file systems, which this root may not do (it lacks CAP_SYS_ADMIN, as in a container)"
}

// Hint says what to do instead.
func (e *CapabilityError) Hint() string {
	return "start the container with --privileged, or give --node ADDR"
}

// SystemError says that this system can run no engine. Everything else than
// building, and building on a node, works on it.
type SystemError struct{}

func (e *SystemError) Error() string {
	return "the private engine runs on Linux only, and this is " + runtime.GOOS
}

// Hint says what to do instead.
func (e *SystemError) Hint() string {
	return "give --node ADDR, a BuildKit on a Linux machine, or --builder NAME of docker buildx"
}
