//go:build linux

package engine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// sweep removes what engines of this state folder have left when they were
// killed: processes, containers, their control groups, mounts, temporary files.
// The caller holds the state lock, so nothing found belongs to a living engine.
func (l layout) sweep() error {
	l.killMarked()
	var errs []error
	boxes := l.containers()
	for _, box := range boxes {
		errs = append(errs, box.kill())
	}
	errs = append(errs, l.sweepCgroups())
	if err := errors.Join(unmountBelow(l.root), unmountBelow(l.tmp)); err != nil {
		// With a mount left, deleting would reach through it.
		return errors.Join(append(errs, err)...)
	}
	for _, box := range boxes {
		errs = append(errs, removeBelow(l.root, box.bundle))
	}
	errs = append(errs, l.sweepHalfMade())
	return errors.Join(append(errs, removeBelow(l.run, l.tmp))...)
}

// killMarked ends the processes that a dead engine has started and that have
// outlived it, runc above all: they carry its state folder in their environment.
// Containers do not, runc gives them an environment of their own; nor does git,
// which BuildKit starts with the order to die with its parent.
func (l layout) killMarked() {
	mark := []byte(stateVar + "=" + l.state)
	deadline := time.Now().Add(2 * time.Second)
	for {
		var found bool
		for _, pid := range processes() {
			if pid == os.Getpid() {
				continue
			}
			marked := func() bool { return hasEnv(pid, mark) }
			if marked() && killIf(pid, marked) {
				logrus.Infof("engine: killed process %d of a dead engine", pid)
				found = true
			}
		}
		if !found || time.Now().After(deadline) {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// hasEnv says whether a process was started with a variable, as NAME=VALUE.
func hasEnv(pid int, kv []byte) bool {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil || !bytes.Contains(env, kv) {
		return false
	}
	return slices.ContainsFunc(bytes.Split(env, []byte{0}), func(v []byte) bool { return bytes.Equal(v, kv) })
}

// containers lists the containers whose bundle lies below the root.
func (l layout) containers() []container {
	entries, _ := filepath.Glob(filepath.Join(globQuote(l.root), "*", "executor", "*"))
	var out []container
	for _, path := range entries {
		// The files there (hosts, resolv.conf) belong to no single container, and what a
		// link leads to is not the engine's.
		real, err := filepath.EvalSymlinks(path)
		if info, statErr := os.Lstat(path); err == nil && real == path && statErr == nil && info.IsDir() {
			out = append(out, container{id: filepath.Base(path), bundle: path})
		}
	}
	return out
}

// sweepCgroups removes the control group of this state folder with whatever is
// in it. A runc that is killed while it makes a container leaves that container's
// groups, and BuildKit then removes the bundle that would tell of them.
func (l layout) sweepCgroups() error {
	table, err := mountTable()
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range table {
		if m.fsType != "cgroup" && m.fsType != "cgroup2" {
			continue
		}
		dir := filepath.Join(m.point, l.cgroup())
		for _, pid := range members(dir) {
			killIf(pid, func() bool { return slices.Contains(members(dir), pid) })
		}
		if err := removeCgroup(dir); err != nil {
			errs = append(errs, fmt.Errorf("removing the control group %s: %w", dir, err))
		}
	}
	return errors.Join(errs...)
}

// globQuote makes a path stand for itself in a pattern.
func globQuote(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// unmountBelow detaches every mount below root, innermost first, by the
// kernel's list: what links point to is not in it.
func unmountBelow(root string) error {
	// Mounts stacked on one point show one by one.
	for range 20 {
		points, err := mountsBelow(root)
		if err != nil {
			return err
		}
		if len(points) == 0 {
			return nil
		}
		for _, point := range slices.Backward(points) {
			if err := unmountIn(root, point); err != nil && !errors.Is(err, unix.EINVAL) {
				return fmt.Errorf("unmounting %s: %w", point, err)
			}
		}
	}
	return fmt.Errorf("mounts below %s keep coming back", root)
}

// mountsBelow lists the mount points below root in the order of mounting.
func mountsBelow(root string) ([]string, error) {
	infos, err := mountTable()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, m := range infos {
		if strings.HasPrefix(m.point, root+"/") {
			out = append(out, m.point)
		}
	}
	return out, nil
}

// mountInfo is a line of the kernel's list of mounts.
type mountInfo struct {
	point  string
	fsType string
}

func mountTable() ([]mountInfo, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("reading the mounts: %w", err)
	}
	var out []mountInfo
	for line := range strings.Lines(string(data)) {
		left, right, ok := strings.Cut(line, " - ")
		fields, types := strings.Fields(left), strings.Fields(right)
		if ok && len(fields) >= 5 && len(types) >= 1 {
			out = append(out, mountInfo{point: unescape(fields[4]), fsType: types[0]})
		}
	}
	return out, nil
}

// unescape undoes the kernel's octal escapes: space, tab, newline, backslash.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#").Replace(s)
}
