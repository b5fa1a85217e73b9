//go:build linux

// Command measure runs a program and writes down what it took.
//
//	measure FILE PROGRAM [ARGUMENT...]
//
// FILE gets one line: the processor time in nanoseconds and the most memory that was resident, in bytes. Both are of the program
// and of what it waited for. It stands between the tests and the program since the kernel counts the memory of a program from what
// the one who started it had (ru_maxrss in getrusage(2), over an execve): this one has next to nothing.
//
// Its exit status is that of the program, or 128 and more for a signal.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: measure FILE PROGRAM [ARGUMENT...]")
		os.Exit(2)
	}
	status, err := run(os.Args[1], os.Args[2], os.Args[3:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(2)
	}
	os.Exit(status)
}

func run(file, program string, args []string) (status int, err error) {
	cmd := exec.Command(program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // or the signal would come with the end of a thread
	err = cmd.Run()
	state := cmd.ProcessState
	if state == nil {
		return 0, err
	}
	usage := state.SysUsage().(*syscall.Rusage)
	line := fmt.Sprintln(int64(state.UserTime()+state.SystemTime()), usage.Maxrss<<10)
	if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
		return 0, err
	}
	if wait := state.Sys().(syscall.WaitStatus); wait.Signaled() {
		return 128 + int(wait.Signal()), nil
	}
	return state.ExitCode(), nil
}
