package detect

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// peekBinfmt looks at the registry where it is mounted nowhere near: root can
// get at a file system without mounting it. In a user namespace of its own
// that look would be harmful: since Linux 6.7 it would give the namespace a
// registry of its own, empty, in place of its parent's.
func peekBinfmt(o Options, supported bool) (closePeek func(), dir string) {
	if !supported || !o.Real() || os.Geteuid() != 0 || inUserNamespace(o) {
		return nil, ""
	}
	fs, err := unix.Fsopen("binfmt_misc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, ""
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, ""
	}
	mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, ""
	}
	return func() { unix.Close(mount) }, fmt.Sprintf("/proc/self/fd/%d", mount)
}
