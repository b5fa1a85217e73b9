package engine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/moby/sys/userns"
	"golang.org/x/sys/unix"

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
	plain := os.Geteuid() != 0
	return power{plain: plain, rootless: plain || userns.RunningInUserNS()}
}

// startKeeper starts a keeper in namespaces of its own. The way through exec
// takes all capabilities of a process that is not yet anybody in there, so they
// are made ambient: the keeper gives them up as soon as there is a root.
func (p power) startKeeper(ctx context.Context, cmd *exec.Cmd, facts detect.RootlessFacts) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close()
	cmd.ExtraFiles = append(cmd.ExtraFiles, r)
	cmd.Args = append(cmd.Args, "-keep")
	cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWNS
	if p.plain {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.AmbientCaps = allCapabilities()
	}
	err = cmd.Start()
	r.Close()
	if err != nil {
		return err
	}
	if p.plain {
		err = mapIDs(ctx, cmd.Process.Pid, facts)
	}
	if err == nil {
		_, err = w.Write([]byte{1})
	}
	if err != nil {
		// Without its byte the keeper ends.
		w.Close()
		_ = cmd.Wait()
	}
	return err
}

// Check says whether [Ensure] could start an engine here, before anything else
// is done. For a plain user it takes some milliseconds. The error is a
// *RootlessError or a *CapabilityError.
func Check(ctx context.Context) error {
	_, err := check(ctx)
	return err
}

// check gives what an engine of a plain user is made of.
func check(ctx context.Context) (detect.RootlessFacts, error) {
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

// mayMount says whether this process has CAP_SYS_ADMIN.
func mayMount() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return true // the mount itself will tell
	}
	return data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
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
