//go:build !linux

package manifest

import "golang.org/x/sys/unix"

// mknodAt refuses: without the system call there is no making a node in an open
// folder. It is left out as where a user may make none.
func mknodAt(int, string, uint32, int) error { return unix.EPERM }
