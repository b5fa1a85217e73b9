package run

import "syscall"

// ownGroup makes the process the head of a group, in namespaces if it is to have some.
func ownGroup(o Options) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Cloneflags: o.Namespaces}
}
