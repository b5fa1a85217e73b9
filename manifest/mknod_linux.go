package manifest

import "golang.org/x/sys/unix"

// mknodAt makes a pipe or a device node in an open folder.
func mknodAt(dir int, base string, mode uint32, device int) error {
	return unix.Mknodat(dir, base, mode, device)
}
