//go:build linux && amd64

package faults

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Run is one run of a program.
type Run struct {
	// Args begin with the program's path.
	Args []string
	Dir  string
	Env  []string
	// Below are the folders in which calls count: absolute, clean, without links.
	Below []string
	// Fault happens at the call number At of those that it can happen at, from 1 on; 0 is never.
	Fault Fault
	At    int
	// Limit ends a run that does not end; 0 is a minute.
	Limit time.Duration
}

// Ended is what came of a run.
type Ended struct {
	// Calls are all that were counted: those that Run.Fault can happen at, or all without one. Of a killed
	// program they end with the call that it was killed at.
	Calls []Call
	// Hit says that the fault happened: the program made that many calls. At is the call.
	Hit bool
	At  Call
	// Killed says that a signal ended the program; Code is its exit status otherwise.
	Killed bool
	Code   int
	// Late says that the program was ended because it did not end by itself.
	Late           bool
	Stdout, Stderr string
}

// tracing is a run while it lasts.
type tracing struct {
	Run
	ended Ended
	pid   int
	// threads are those that were seen, with what they are doing.
	threads map[int]*thread
	// full says that the disk has no room any more.
	full bool
}

// thread is where a thread is: in a call, or not.
type thread struct {
	inside bool
	// result replaces what the call gives; kill ends the program when it is done.
	result unix.Errno
	kill   bool
}

// Do runs the program to its end. It must not be called from a thread that traces already; it takes one of its own.
func (r Run) Do() (Ended, error) {
	type answer struct {
		ended Ended
		err   error
	}
	done := make(chan answer)
	go func() {
		// The kernel takes ptrace calls only from the thread that started the program. It is not
		// given back: it would have to be clean.
		runtime.LockOSThread()
		t := tracing{Run: r, threads: map[int]*thread{}}
		err := t.run()
		done <- answer{t.ended, err}
	}()
	a := <-done
	return a.ended, a.err
}

func (t *tracing) run() error {
	stdout, err := memory("stdout")
	if err != nil {
		return err
	}
	defer stdout.Close()
	stderr, err := memory("stderr")
	if err != nil {
		return err
	}
	defer stderr.Close()
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer nothing.Close()
	t.pid, err = syscall.ForkExec(t.Args[0], t.Args, &syscall.ProcAttr{
		Dir: t.Dir, Env: t.Env, Files: []uintptr{nothing.Fd(), stdout.Fd(), stderr.Fd()},
		Sys: &syscall.SysProcAttr{Ptrace: true, Setpgid: true},
	})
	if err != nil {
		return fmt.Errorf("starting %s: %w", t.Args[0], err)
	}
	limit := t.Limit
	if limit == 0 {
		limit = time.Minute
	}
	late := make(chan struct{})
	timer := time.AfterFunc(limit, func() { close(late); _ = unix.Kill(t.pid, unix.SIGKILL) })
	err = t.follow()
	if !timer.Stop() {
		<-late
		t.ended.Late = true
	}
	t.ended.Stdout, t.ended.Stderr = whole(stdout), whole(stderr)
	return err
}

// memory is a file that is on no disk.
func memory(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making a file in memory: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

func whole(f *os.File) string {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<24))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// follow lets the program go from stop to stop until it is gone.
func (t *tracing) follow() error {
	var status unix.WaitStatus
	if _, err := unix.Wait4(t.pid, &status, unix.WALL, nil); err != nil {
		return fmt.Errorf("starting the program: %w", err)
	}
	if !status.Stopped() {
		return fmt.Errorf("the program ended before it began: %v", status)
	}
	// Threads are traced as they begin; processes that it starts are not, since that was not asked for.
	const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(t.pid, options); err != nil {
		return fmt.Errorf("tracing: %w", err)
	}
	t.threads[t.pid] = &thread{}
	if err := unix.PtraceSyscall(t.pid, 0); err != nil {
		return fmt.Errorf("tracing: %w", err)
	}
	for {
		// Only threads of the program: others are waited for by whoever started them.
		tid, err := unix.Wait4(-t.pid, &status, unix.WALL|unix.WNOTHREAD, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if errors.Is(err, unix.ECHILD) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("tracing: %w", err)
		}
		// A thread can be gone at any moment, with the whole program.
		if err := t.stopped(tid, status); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("tracing thread %d: %w", tid, err)
		}
	}
}

// stopped looks at why a thread has stopped and lets it go on.
func (t *tracing) stopped(tid int, status unix.WaitStatus) error {
	if !status.Stopped() {
		delete(t.threads, tid)
		if tid == t.pid {
			t.ended.Killed, t.ended.Code = status.Signaled(), status.ExitStatus()
		}
		return nil
	}
	at, known := t.threads[tid]
	signal := int(status.StopSignal())
	switch {
	case !known: // A new one begins with a stop of its own.
		t.threads[tid] = &thread{}
		signal = 0
	case signal == int(unix.SIGTRAP)|0x80:
		var err error
		if at.inside {
			err = t.leave(tid, at)
		} else {
			err = t.enter(tid, at)
		}
		if err != nil {
			return err
		}
		signal = 0
	case signal == int(unix.SIGTRAP): // It has begun a thread.
		signal = 0
	}
	return unix.PtraceSyscall(tid, signal)
}

// enter is before a call.
func (t *tracing) enter(tid int, at *thread) error {
	*at = thread{inside: true}
	var r unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &r); err != nil {
		return err
	}
	c, changes := t.call(tid, &r)
	if !changes {
		return nil
	}
	if t.full && c.room {
		return at.skip(tid, &r, unix.ENOSPC)
	}
	if t.Fault != "" && !t.Fault.hits(c) {
		return nil
	}
	t.ended.Calls = append(t.ended.Calls, c)
	if t.ended.Hit || t.At != len(t.ended.Calls) {
		return nil
	}
	t.ended.Hit, t.ended.At = true, c
	switch t.Fault {
	case NoSpace, IOError:
		t.full = t.Fault == NoSpace
		return at.skip(tid, &r, t.Fault.fails())
	case ShortWrite:
		t.full = true
		*c.at(&r) /= 2
		return unix.PtraceSetRegs(tid, &r)
	case KillBefore:
		return errors.Join(at.skip(tid, &r, unix.EINTR), unix.Kill(t.pid, unix.SIGKILL))
	case KillAfter:
		at.kill = true
	}
	return nil
}

// skip has the kernel not make the call, by asking for one that does not exist.
func (at *thread) skip(tid int, r *unix.PtraceRegs, gives unix.Errno) error {
	at.result = gives
	r.Orig_rax = ^uint64(0)
	return unix.PtraceSetRegs(tid, r)
}

// leave is after it.
func (t *tracing) leave(tid int, at *thread) error {
	at.inside = false
	if at.kill {
		return unix.Kill(t.pid, unix.SIGKILL)
	}
	if at.result == 0 {
		return nil
	}
	var r unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &r); err != nil {
		return err
	}
	r.Rax = uint64(-int64(at.result))
	return unix.PtraceSetRegs(tid, &r)
}
