package run

import (
	"os"
	"syscall"
)

// ownGroup makes the process the head of a group, in namespaces if it is to have some.
func ownGroup(o Options) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Cloneflags: o.Namespaces}
	if o.MapRoot {
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	return attr
}
