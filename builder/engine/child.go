package engine

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
	fscopy "github.com/tonistiigi/fsutil/copy"
	"golang.org/x/sys/unix"
)

// childArg is the first argument of a program that is to be the engine.
const childArg = "__engine"

// maxLog is where engine.log is cut.
const maxLog = 10 << 20

// lockTimeout is how long a new engine waits for a dying predecessor.
const lockTimeout = 20 * time.Second

// IsChild says whether this process was started by archbuild itself to be the
// engine. A program that calls [Ensure] asks it first thing in main, and if so
// does nothing but os.Exit(engine.Main(os.Args)).
func IsChild(args []string) bool {
	return isNoRunc(args) || len(args) > 1 && args[1] == childArg
}

func isNoRunc(args []string) bool {
	return len(args) > 0 && filepath.Base(args[0]) == noRuncName
}

// Main is the engine's process, from its arguments to its exit status.
func Main(args []string) int {
	if isNoRunc(args) {
		err := &MissingRuncError{}
		fmt.Fprintf(os.Stderr, "archbuild: error: RUN needs runc: %v\narchbuild: hint: %s\n", err, err.Hint())
		return 1
	}
	say := os.NewFile(readyFD, "ready")
	if err := serve(args[2:], say); err != nil {
		logrus.Errorf("engine: %v", err)
		tell(say, ready{Error: err.Error(), Hint: hintOf(err)})
		return 1
	}
	return 0
}

// tell writes to the client that waits, once: afterwards the pipe is closed. A
// client that has gone does not matter.
func tell(say *os.File, r ready) {
	_ = json.NewEncoder(say).Encode(r)
	say.Close()
}

func hintOf(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return ""
}

// childArgs is the command line of an engine.
func (l layout) childArgs(s State) []string {
	return []string{
		"-state", l.state, "-socket", l.socket, "-config", s.Config, "-runc", s.Runc, "-idle", s.Idle,
	}
}

// childOptions is childArgs, read.
type childOptions struct {
	layout
	config string
	runc   string
	idle   time.Duration
}

func parseChild(args []string) (childOptions, error) {
	var c childOptions
	var state, socket string
	fs := flag.NewFlagSet(childArg, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&state, "state", "", "")
	fs.StringVar(&socket, "socket", "", "")
	fs.StringVar(&c.config, "config", "", "")
	fs.StringVar(&c.runc, "runc", "", "")
	fs.DurationVar(&c.idle, "idle", DefaultIdle, "")
	if err := fs.Parse(args); err != nil {
		return c, err
	}
	l, err := newLayout(Options{State: state})
	c.layout = l
	c.socket = socket
	return c, err
}

// confine takes from the process what it inherited from the run that started it
// and a server has no use for.
func confine() error {
	// Whatever this process reads into memory (registry tokens, secrets of
	// builds) is not for a debugger of the same user, nor for a core file.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("making the engine undumpable: %w", err)
	}
	unix.CloseOnExec(readyFD)
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("listing open files: %w", err)
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= readyFD {
			continue
		}
		// A descriptor that survives exec can only have come from outside:
		// the Go runtime marks its own.
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
	// BuildKit makes files with the modes it means.
	syscall.Umask(0)
	fscopy.UmaskIsZero = true
	return nil
}

// own takes the state lock, waiting for a predecessor that is on its way out. If
// the predecessor turns out to be alive and serving, the answer is nil: another
// run was quicker, and nothing is left to do.
func (c childOptions) own() (*os.File, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lockTimeout)
	defer cancel()
	for {
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		lock, err := waitLock(short, c.lock)
		cancel()
		if err == nil || !errors.Is(err, context.DeadlineExceeded) {
			return lock, err
		}
		if cl, err := dial(ctx, c.liveSocket()); err == nil {
			cl.Close()
			return nil, nil
		}
		if ctx.Err() != nil {
			r, _ := c.readRecord()
			return nil, &HungError{PID: r.PID, Err: err}
		}
	}
}

// serve is the engine from start to end.
func serve(args []string, say *os.File) error {
	c, err := parseChild(args)
	if err != nil {
		return err
	}
	if err := confine(); err != nil {
		return err
	}
	lock, err := c.own()
	if err != nil {
		return err
	}
	if lock == nil {
		tell(say, ready{OK: true})
		return nil
	}
	defer lock.Close()
	boundLog()
	logrus.Infof("engine: starting, pid %d, BuildKit %s, state %s", os.Getpid(), BuildKit, c.state)
	if err := c.sweep(); err != nil {
		// A process that no signal reaches is no reason to refuse builds.
		logrus.Warnf("engine: sweeping up after the last engine: %v", err)
	}
	if err := c.makeRoot(); err != nil {
		return err
	}
	if err := os.Setenv(stateVar, c.state); err != nil {
		return err
	}
	cfg, data, err := readConfig(c.config)
	if err != nil {
		return err
	}
	return c.run(cfg, configHash(data, os.Environ()), say)
}
