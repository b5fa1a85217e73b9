package detect

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// userAndMounts are new namespaces, one of users and one of mounts.
const userAndMounts = unix.CLONE_NEWUSER | unix.CLONE_NEWNS

// memoryFile makes a file in memory that can be run. The caller closes it.
func memoryFile(name string) (int, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_EXEC)
	if err != nil { // kernels before 6.3 know no MFD_EXEC, and need none
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	}
	return fd, err
}

// mountFresh mounts a file system of the kernel's own.
func mountFresh(kind, dir string) error {
	if err := unix.Mount(kind, dir, kind, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("on %s: %w", dir, err)
	}
	return nil
}

// kernelLog is the kernel's buffer of messages. Plain users may be kept from it
// (kernel.dmesg_restrict).
func kernelLog() (string, error) {
	const readAll, size = 3, 10
	n, err := unix.Klogctl(size, nil)
	if err != nil {
		return "", fmt.Errorf("reading the kernel's log: %w", err)
	}
	buffer := make([]byte, min(n, maxLog))
	if n, err = unix.Klogctl(readAll, buffer); err != nil {
		return "", fmt.Errorf("reading the kernel's log: %w", err)
	}
	return string(buffer[:n]), nil
}
