//go:build linux

package engine

import (
	"context"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/archbuild/archbuild/detect"
)

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

// mayMount says whether this process has CAP_SYS_ADMIN.
func mayMount() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return true // the mount itself will tell
	}
	return data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}
