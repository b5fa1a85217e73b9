//go:build linux

package engine

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// A rootless engine has a keeper: the process that a client starts in a new user
// and mount namespace, and that starts the engine once the client has given the
// namespace its users. The engine is the first process of a process namespace,
// so the kernel ends everything that it has started when it ends, however it
// ends. Where the kernel refuses that namespace a /proc of its own (in most
// containers) there is none, and the keeper does it: orphans become its children.
//
// The keeper holds the file of the state lock open until nothing is left. So the
// lock says of a rootless engine, too, that it and all of its containers are gone.

// Descriptors of a keeper and of an engine that has one, besides readyFD.
const (
	// goFD is where a keeper waits for a byte: its namespace has its users now.
	goFD = 4
	// keptLockFD is the file of the state lock.
	keptLockFD = 4
	// keptProcFD is the /proc of the machine.
	keptProcFD = 5
)

// noProcStatus is how an engine ends that could not mount its /proc.
const noProcStatus = 3

// keep is the keeper from start to end; it gives the engine's exit status.
func (c childOptions) keep(args []string, say *os.File) (int, error) {
	// The engine gets a signal when this thread ends, and what this thread gives up.
	runtime.LockOSThread()
	if err := closeInherited(goFD); err != nil {
		return 1, err
	}
	if n, err := os.NewFile(goFD, "go").Read(make([]byte, 1)); n != 1 {
		return 1, fmt.Errorf("waiting for the users of the namespace: %w", err)
	}
	if err := undumpable(); err != nil {
		return 1, err
	}
	// A session that ends tells all of its processes; the engine decides.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 1, fmt.Errorf("becoming the parent of orphans: %w", err)
	}
	if err := dropInheritable(); err != nil {
		return 1, err
	}
	lock, err := openLock(c.lock)
	if err != nil {
		return 1, fmt.Errorf("opening the state lock: %w", err)
	}
	defer lock.Close()
	proc, err := os.Open("/proc")
	if err != nil {
		return 1, fmt.Errorf("opening /proc: %w", err)
	}
	defer proc.Close()
	start, err := startTime(os.Getpid())
	if err != nil {
		return 1, err
	}
	args = append(args, "-keep=false", "-kept", "-keeper", strconv.Itoa(os.Getpid()), "-keeper-start", strconv.FormatUint(start, 10))
	files := []uintptr{0, 1, 2, say.Fd(), lock.Fd(), proc.Fd()}
	status, err := startKept(append(args, "-own-proc"), files, unix.CLONE_NEWPID)
	if err == nil && status == noProcStatus {
		status, err = startKept(args, files, 0)
	}
	reapAll()
	return status, err
}

// startKept starts an engine and waits until it ends.
func startKept(args []string, files []uintptr, namespaces uintptr) (int, error) {
	argv := append([]string{"archbuild", childArg}, args...)
	pid, err := syscall.ForkExec("/proc/self/exe", argv, &syscall.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: files,
		Sys: &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return 1, fmt.Errorf("starting the engine in its namespace: %w", err)
	}
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 1, fmt.Errorf("waiting for the engine: %w", err)
		case ended == pid && status.Exited():
			return status.ExitStatus(), nil
		case ended == pid:
			return 1, nil
		}
	}
}

// reapAll ends what the engine has left: its orphans are children now, and when
// one ends, its own children are.
func reapAll() {
	for {
		if _, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err == syscall.ECHILD {
			return
		}
		for _, pid := range processes() {
			if fields, err := stat(pid); err == nil && fields[1] == strconv.Itoa(os.Getpid()) {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
		_, _ = syscall.Wait4(-1, nil, 0, nil) // until one has ended; the next look says the rest
	}
}

// dropInheritable takes from this thread what the client gave the keeper for the
// way through exec, so that the programs started next get their rights as root's
// programs do and hand on none to others.
func dropInheritable() error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("dropping ambient capabilities: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	err := unix.Capget(&header, &data[0])
	if err == nil {
		data[0].Inheritable, data[1].Inheritable = 0, 0
		err = unix.Capset(&header, &data[0])
	}
	if err != nil {
		return fmt.Errorf("dropping inheritable capabilities: %w", err)
	}
	return nil
}

// allCapabilities are the numbers of those that the kernel knows.
func allCapabilities() []uintptr {
	last := unix.CAP_LAST_CAP
	if data, err := os.ReadFile("/proc/sys/kernel/cap_last_cap"); err == nil {
		if n, err := strconv.Atoi(string(data[:max(0, len(data)-1)])); err == nil {
			last = n
		}
	}
	var list []uintptr
	for c := range last + 1 {
		list = append(list, uintptr(c))
	}
	return list
}
