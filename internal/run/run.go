// Package run is archbuild's one door to other processes.
//
// A process started here is bounded in every direction: in time (the context
// and Options.Timeout), in output (Options.MaxOutput), in what it inherits
// (no environment but the one given) and in what it leaves behind (it leads a
// process group of its own, and ending it ends the group).
package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// defaultMaxOutput bounds standard output when Options does not.
	defaultMaxOutput = 1 << 20
	// tailSize is how much of standard error an Error and a Result keep.
	tailSize = 4 << 10
	// waitDelay is how long a grandchild may hold the pipes open after the
	// process itself has ended or been killed.
	waitDelay = 2 * time.Second
	// defaultPath serves programs when the caller has no PATH.
	defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// ErrOutput says that a process wrote more than Options.MaxOutput and was
// ended for it. It is found in an *Error with errors.Is.
var ErrOutput = errors.New("too much output")

// Options say what to start. Path is required; the zero value of the rest is
// useful.
type Options struct {
	// Path is the program: a path with a slash, or a name looked up in PATH.
	Path string
	// Args are its arguments, without the program's own name.
	Args []string
	// Env is the whole environment. Nil means PATH and LC_ALL=C alone, so
	// that no secret of the caller's environment leaks by accident.
	Env []string
	// Dir is the working directory; empty is the caller's.
	Dir string
	// Stdin is read by the process; nil is the null device.
	Stdin io.Reader
	// Timeout ends the process; zero leaves that to the context.
	Timeout time.Duration
	// Namespaces are the CLONE_NEW… flags of namespaces that the process is
	// started in, as clone(2) has them; zero is the caller's own.
	Namespaces uintptr
	// MapRoot makes the caller's user root of the new user namespace, which is
	// to be among Namespaces; other users do not exist in it.
	MapRoot bool
	// MaxOutput bounds standard output, in bytes; zero is 1 MiB. A process
	// that writes more is ended with ErrOutput: nothing is cut off unseen.
	MaxOutput int
}

// Result is what a process that ended with status 0 left.
type Result struct {
	Stdout []byte
	// Stderr is the last 4 KiB of standard error.
	Stderr []byte
}

// Error is a process that could not be started, was ended, or failed.
type Error struct {
	// Path and Args are those of Options. Error() does not print Args: they
	// may hold a secret.
	Path string
	Args []string
	// ExitCode is the exit status; -1 when the process was not started or was
	// ended by a signal.
	ExitCode int
	// Stderr is the end of standard error: text of the process, to be cleaned
	// before it is shown on a terminal.
	Stderr string
	// Err is the cause: the context's error, ErrOutput, exec.ErrNotFound, or
	// an *exec.ExitError.
	Err error
}

func (e *Error) Error() string {
	text := fmt.Sprintf("running %s: %v", filepath.Base(e.Path), e.Err)
	if line := lastLine(e.Stderr); line != "" {
		text += ": " + line
	}
	return text
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// Command starts a process and waits for it. When ctx ends or the time is up,
// the whole process group is killed. Any failure is an *Error.
func Command(ctx context.Context, o Options) (Result, error) {
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	stdout := &bounded{left: limit(o.MaxOutput), full: func() { stop(ErrOutput) }}
	stderr := &tail{}
	err := wait(ctx, command(ctx, o, stdout, stderr))
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if stdout.over {
		err = ErrOutput
	}
	if err != nil {
		return Result{}, &Error{Path: o.Path, Args: o.Args, ExitCode: exitCode(err), Stderr: string(stderr.bytes()), Err: err}
	}
	return Result{Stdout: stdout.buf.Bytes(), Stderr: stderr.bytes()}, nil
}

func command(ctx context.Context, o Options, stdout, stderr io.Writer) *exec.Cmd {
	cmd := exec.CommandContext(ctx, o.Path, o.Args...)
	cmd.Env, cmd.Dir, cmd.Stdin = o.Env, o.Dir, o.Stdin
	if o.Env == nil {
		cmd.Env = scrubbed()
	}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = ownGroup(o)
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	cmd.WaitDelay = waitDelay
	return cmd
}

// wait runs the process to its end. A grandchild that still held the pipes is
// ended too: its group exists as long as it does, so the number is still ours.
func wait(ctx context.Context, cmd *exec.Cmd) error {
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		_ = killGroup(cmd.Process.Pid)
		if ctx.Err() == nil {
			err = fmt.Errorf("a process it started kept its output open: %w", err)
		}
	}
	return err
}

func killGroup(pid int) error {
	err := syscall.Kill(-pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

func scrubbed() []string {
	path := os.Getenv("PATH")
	if path == "" {
		path = defaultPath
	}
	return []string{"PATH=" + path, "LC_ALL=C"}
}

func limit(n int) int {
	if n > 0 {
		return n
	}
	return defaultMaxOutput
}

func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return strings.TrimSpace(s[strings.LastIndexByte(s, '\n')+1:])
}

// bounded keeps what fits and calls full once when more comes. It never
// refuses a write, so that the process meets its end and not a broken pipe.
// The buffer is a field, not embedded: its ReadFrom would go round Write.
type bounded struct {
	buf  bytes.Buffer
	left int
	over bool
	full func()
}

func (b *bounded) Write(p []byte) (int, error) {
	n := len(p)
	if n > b.left && !b.over {
		b.over = true
		b.full()
	}
	keep := p[:min(n, b.left)]
	b.left -= len(keep)
	b.buf.Write(keep)
	return n, nil
}

// tail keeps the last tailSize bytes written.
type tail struct{ buf []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*tailSize {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-tailSize:]...)
	}
	return len(p), nil
}

func (t *tail) bytes() []byte { return t.buf[max(0, len(t.buf)-tailSize):] }
