//go:build linux

package engine

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// killIf kills a process if it is the one that is meant. The descriptor is
// taken first and the question asked second, so the process that is killed is
// the one about which the question was answered.
func killIf(pid int, isMeant func() bool) (sent bool) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	if !isMeant() {
		return false
	}
	return unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil
}

// processes lists the pids of all processes.
func processes() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
