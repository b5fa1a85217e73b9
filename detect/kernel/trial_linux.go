package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	userNamespace  = unix.CLONE_NEWUSER
	mountNamespace = unix.CLONE_NEWNS
)

// kinds are the flags of unshare(2). CLONE_NEWTIME is for processes started later.
var kinds = map[string]int{
	"mnt": unix.CLONE_NEWNS, "pid": unix.CLONE_NEWPID, "ipc": unix.CLONE_NEWIPC, "uts": unix.CLONE_NEWUTS,
	"net": unix.CLONE_NEWNET, "cgroup": unix.CLONE_NEWCGROUP, "time": unix.CLONE_NEWTIME,
}

// tryOne makes one trial, in a thread of its own that ends with it and with all
// that it made.
func tryOne(name string) trial {
	kind, what, _ := strings.Cut(name, ":")
	switch kind {
	case "ns":
		return apart(kinds[what], nil)
	case "overlay", "tmpfs", "mqueue":
		return apart(unix.CLONE_NEWNS|unix.CLONE_NEWIPC, func() error { return mountOnce(kind) })
	case "link":
		return apart(unix.CLONE_NEWNET, func() error { return addLink(what) })
	case "table", "table6", "match", "target":
		return apart(unix.CLONE_NEWNET, func() error { return askTables(kind, what) })
	case "seccomp":
		return ofSeccomp(unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, 0, 0, 0))
	case "devices":
		return ofError(loadDeviceProgram())
	case "keys":
		_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
		return ofKeys(err)
	}
	return trial{unknown, "nobody knows how to try " + name}
}

// errAside is an error of what a trial needs and does not try: it says nothing of
// what was to be tried.
type errAside struct{ error }

func (e errAside) Unwrap() error { return e.error }

// apart does something in new namespaces; nil only makes them. The thread is never given back.
func apart(flags int, do func() error) trial {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this function
		err := unix.Unshare(flags)
		if do != nil && err != nil {
			err = errAside{err}
		} else if do != nil {
			err = do()
		}
		result <- err
	}()
	err := <-result
	if aside := (errAside{}); errors.As(err, &aside) {
		return trial{unknown, err.Error()}
	}
	return ofError(err)
}

// ofError reads the kernel's usual answers.
func ofError(err error) trial {
	switch {
	case err == nil:
		return trial{Verdict: works}
	case isOneOf(err, unix.EPERM, unix.EACCES, unix.ENOSPC, unix.EUSERS):
		return trial{refused, err.Error()}
	case isOneOf(err, unix.EINVAL, unix.ENOSYS, unix.ENODEV, unix.EOPNOTSUPP, unix.EPROTONOSUPPORT, unix.EAFNOSUPPORT):
		return trial{absent, err.Error()}
	}
	return trial{unknown, err.Error()}
}

func isOneOf(err error, list ...error) bool {
	for _, one := range list {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// ofSeccomp: without an address of a filter the call fails in any case. EINVAL is
// the kernel that has none.
func ofSeccomp(err error) trial {
	if isOneOf(err, unix.EINVAL, unix.ENOSYS) {
		return trial{absent, err.Error()}
	}
	return trial{Verdict: works}
}

func ofKeys(err error) trial {
	switch {
	case isOneOf(err, unix.ENOSYS):
		return trial{absent, err.Error()}
	case isOneOf(err, unix.EPERM, unix.EACCES):
		return trial{unknown, err.Error()} // Docker's profile forbids the call
	}
	return trial{Verdict: works} // to have no keyring is an answer of a kernel that has them
}

// anyFolder is one to mount on; images may have few.
func anyFolder() (string, error) {
	for _, dir := range []string{"/tmp", "/run", "/mnt", "/var", "/dev"} {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir, nil
		}
	}
	return "", fmt.Errorf("looking for a folder to mount on: %w", os.ErrNotExist)
}

// mountOnce mounts a file system for as long as this thread lives. Two folders of
// a tmpfs are stacked: without an upper one overlayfs asks nothing of it.
func mountOnce(kind string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return errAside{err}
	}
	dir, err := anyFolder()
	if err != nil {
		return errAside{err}
	}
	const quiet = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if kind != "overlay" {
		return unix.Mount(kind, dir, kind, quiet, "")
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", quiet, ""); err != nil {
		return errAside{err}
	}
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, d := range []string{a, b} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return errAside{err}
		}
	}
	return unix.Mount("overlay", b, "overlay", unix.MS_RDONLY|quiet, "lowerdir="+a+":"+b)
}
