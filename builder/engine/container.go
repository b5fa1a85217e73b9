//go:build linux

package engine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// runcState is where runc keeps its own record of a container when root runs it.
const runcState = "/run/runc"

// killTimeout is how long a container may take to die of SIGKILL.
const killTimeout = 10 * time.Second

// container is a container that BuildKit had runc make and that may have
// outlived both.
type container struct {
	id     string
	bundle string
	// records is where runc keeps its records, if not where root's does.
	records string
	// group is its control group, as BuildKit names it; empty is what the bundle says.
	group string
}

// kill ends the container and removes its control groups and runc's record of
// it. It does without runc, which may be gone or another by now.
func (c container) kill() error {
	groups, err := c.cgroups()
	if err != nil {
		return err
	}
	deadline := time.Now().Add(killTimeout)
	for c.killOnce(groups) > 0 {
		if time.Now().After(deadline) {
			return fmt.Errorf("container %s does not die", c.id)
		}
		time.Sleep(2 * time.Millisecond)
	}
	for _, dir := range groups {
		if err := removeCgroup(dir); err != nil {
			return fmt.Errorf("removing the control group of container %s: %w", c.id, err)
		}
	}
	if c.isOurs() {
		return os.RemoveAll(c.recordFolder())
	}
	return nil
}

// killOnce sends SIGKILL to everything in the container's control groups, and to
// its first process. It gives the number of processes that were there.
func (c container) killOnce(groups []string) int {
	n := 0
	for _, dir := range groups {
		for _, pid := range members(dir) {
			n++
			killIf(pid, func() bool { return slices.Contains(members(dir), pid) })
		}
	}
	if pid, start := c.init(); pid > 0 {
		same := func() bool { now, err := startTime(pid); return err == nil && now == start }
		if same() && killIf(pid, same) && !isZombie(pid) {
			n++
		}
	}
	return n
}

// runcRecord is what is read of runc's state.json.
type runcRecord struct {
	Pid    int    `json:"init_process_pid"`
	Start  uint64 `json:"init_process_start"`
	Config struct {
		Rootfs string   `json:"rootfs"`
		Labels []string `json:"labels"`
	} `json:"config"`
}

func (c container) record() (runcRecord, error) {
	var r runcRecord
	data, err := os.ReadFile(filepath.Join(c.recordFolder(), "state.json"))
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(data, &r)
}

func (c container) recordFolder() string { return filepath.Join(cmp.Or(c.records, runcState), c.id) }

// init is the container's first process as runc has recorded it.
func (c container) init() (pid int, start uint64) {
	r, err := c.record()
	if err != nil || !c.isOurs() {
		return 0, 0
	}
	return r.Pid, r.Start
}

// isOurs says whether runc's record is of this bundle. One without state.json is
// of a container that never came to be; the id is random, nobody else's.
func (c container) isOurs() bool {
	r, err := c.record()
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	return err == nil && (slices.Contains(r.Config.Labels, "bundle="+c.bundle) || strings.HasPrefix(r.Config.Rootfs, c.bundle+"/"))
}

// cgroups lists the container's control groups that exist, one a hierarchy. The
// path is the one that BuildKit has written into the bundle; it ends with the
// container's random id, so nothing else can be in there.
func (c container) cgroups() ([]string, error) {
	path := filepath.Clean("/" + cmp.Or(c.group, c.groupInBundle()))
	if filepath.Base(path) != c.id {
		return nil, nil
	}
	table, err := mountTable()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, m := range table {
		if m.fsType != "cgroup" && m.fsType != "cgroup2" {
			continue
		}
		dir := filepath.Join(m.point, path)
		if info, err := os.Lstat(dir); err == nil && info.IsDir() {
			out = append(out, dir)
		}
	}
	return out, nil
}

func (c container) groupInBundle() string {
	var spec struct {
		Linux struct {
			CgroupsPath string `json:"cgroupsPath"`
		} `json:"linux"`
	}
	data, err := os.ReadFile(filepath.Join(c.bundle, "config.json"))
	if err != nil || json.Unmarshal(data, &spec) != nil {
		// Killed while writing it: then runc was not started yet.
		return ""
	}
	return spec.Linux.CgroupsPath
}

// members lists the processes in a control group and those below it.
func members(dir string) []int {
	var pids []int
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		data, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		for _, field := range strings.Fields(string(data)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids
}

// removeCgroup removes an empty control group and those below it. The kernel
// says "busy" for a moment after the last process has gone.
func removeCgroup(dir string) error {
	var dirs []string
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	deadline := time.Now().Add(killTimeout)
	for _, d := range slices.Backward(dirs) {
		for {
			err := unix.Rmdir(d)
			if err == nil || errors.Is(err, unix.ENOENT) {
				break
			}
			if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
				return err
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	return nil
}

// isZombie says whether a process is dead and only waits for its parent.
func isZombie(pid int) bool {
	fields, err := stat(pid)
	return err != nil || fields[0] == "Z"
}
