//go:build linux

// Command step is what the RUNs of the tests of many nodes run. It tells the test that it has begun, and does what it is told: so the
// test knows when which step runs where, and decides how it ends.
//
//	step NAME HOST:PORT
//
// It says one line, NAME ARCH MOUNT, where MOUNT is the line of its root in the table of mounts, and reads one:
//
//	done [X]  leave a file, which says X as well, and succeed
//	exit N    fail
//	crash     die of signal 11 as a program does under a broken emulator
//	write     write until the disk is full, and fail for it
//
// It speaks through system calls alone, since compiling package net for each architecture takes longer than the tests.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "crash" {
		fmt.Fprintln(os.Stderr, "step: not even a signal:", crash())
		os.Exit(1)
	}
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: step NAME HOST:PORT")
		os.Exit(2)
	}
	status, err := obey(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "step:", err)
	}
	os.Exit(status)
}

// obey gives the exit status.
func obey(name, addr string) (int, error) {
	order, err := ask(addr, fmt.Sprintf("%s %s %s\n", name, runtime.GOARCH, root()))
	if err != nil {
		return 1, fmt.Errorf("asking what to do: %w", err)
	}
	fmt.Printf("%s is told: %s\n", name, order)
	word, rest, _ := strings.Cut(order, " ")
	switch word {
	case "done":
		if err := os.WriteFile("/"+name, []byte(strings.TrimSpace(name+" "+runtime.GOARCH+" "+rest)+"\n"), 0o644); err != nil {
			return 1, err
		}
		return 0, nil
	case "exit":
		return strconv.Atoi(rest)
	case "crash":
		return crashed()
	case "write":
		return 1, write("/ballast")
	}
	return 1, fmt.Errorf("unknown order %q", order)
}

// root is the first line of the table of mounts. Its options name the folders of the node.
func root() string {
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(string(table), "\n")
	return line
}

// ask sends a line and reads one. The connection stays open until the process ends.
func ask(addr, line string) (string, error) {
	_, port, ok := strings.Cut(addr, ":")
	if !ok {
		return "", fmt.Errorf("%q is no address", addr)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return "", err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return "", err
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: n, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return "", err
	}
	if _, err := syscall.Write(fd, []byte(line)); err != nil {
		return "", err
	}
	var got []byte
	for buf := make([]byte, 100); !strings.HasSuffix(string(got), "\n"); {
		n, err := syscall.Read(fd, buf)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return "", fmt.Errorf("no answer (%w)", err)
		}
		got = append(got, buf[:n]...)
	}
	return strings.TrimSuffix(string(got), "\n"), nil
}

// crashed starts itself, lets that crash, and ends as a shell does then. The first process of a container is immune to
// most signals that it sends to itself, so it has to be another one.
func crashed() (int, error) {
	p, err := os.StartProcess(os.Args[0], []string{os.Args[0], "crash"}, &os.ProcAttr{Files: []*os.File{nil, os.Stdout, os.Stderr}})
	if err != nil {
		return 1, err
	}
	state, err := p.Wait()
	if err != nil {
		return 1, err
	}
	status := state.Sys().(syscall.WaitStatus)
	if !status.Signaled() {
		return 1, fmt.Errorf("it has not crashed: %v", state)
	}
	return 128 + int(status.Signal()), nil
}

// crash takes Go's own handler away, which would make a panic of it, and raises the signal.
func crash() error {
	var action [64]byte // All zero is the default action, on every architecture.
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGSEGV), uintptr(unsafe.Pointer(&action[0])), 0, 8, 0, 0)
	if errno != 0 {
		return errno
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGSEGV); err != nil {
		return err
	}
	select {}
}

// write fills the disk. It returns why it cannot go on.
func write(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	for block := make([]byte, 1<<20); ; {
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
}
