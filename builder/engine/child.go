//go:build linux

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
	"strings"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
	fscopy "github.com/tonistiigi/fsutil/copy"
	"golang.org/x/sys/unix"
)

// lockTimeout is how long a new engine waits for a dying predecessor.
const lockTimeout = time.Minute

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
	status, err := work(args[2:], say)
	if errors.Is(err, errNoProc) {
		return noProcStatus
	}
	if err != nil {
		logrus.Errorf("engine: %v", err)
		tell(say, ready{Error: err.Error(), Hint: hintOf(err)})
		return 1
	}
	return status
}

// work is what the process is for: to keep an engine, to be one, or to sweep
// where one has been.
func work(args []string, say *os.File) (status int, err error) {
	c, err := parseChild(args)
	if err != nil {
		return 1, err
	}
	if c.keeps {
		return c.keep(args, say)
	}
	if err := c.moveIn(); err != nil {
		return 1, err
	}
	if err := c.confine(); err != nil {
		return 1, err
	}
	if c.sweepOnly {
		if err := c.sweep(); err != nil {
			return 1, err
		}
		tell(say, ready{OK: true})
		return 0, nil
	}
	return 0, c.serve(say)
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
		"-state", l.state, "-socket", l.socket, "-config", s.Config, "-runc", s.Runc, "-idle", s.Idle, "-version", s.Version,
		"-emulators", strings.Join(s.Emulators, ","),
	}
}

// childOptions is childArgs, read.
type childOptions struct {
	layout
	config    string
	runc      string
	version   string
	idle      time.Duration
	emulators []string

	// keeps says that this process is a keeper, sweepOnly that no engine is wanted.
	keeps, sweepOnly bool
	// kept says that this process has a keeper; ownProc that it is the first
	// process of a namespace, and that /proc has to be mounted anew.
	kept, ownProc bool
	// keeper is the keeper's pid and keeperStart its start time, as seen outside.
	keeper      int
	keeperStart uint64
	// pid is this process's, as seen outside.
	pid int
}

func parseChild(args []string) (childOptions, error) {
	var c childOptions
	var state, socket, emulators string
	fs := flag.NewFlagSet(childArg, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&state, "state", "", "")
	fs.StringVar(&socket, "socket", "", "")
	fs.StringVar(&c.config, "config", "", "")
	fs.StringVar(&c.runc, "runc", "", "")
	fs.StringVar(&c.version, "version", "", "")
	fs.DurationVar(&c.idle, "idle", DefaultIdle, "")
	fs.StringVar(&emulators, "emulators", "", "")
	fs.BoolVar(&c.keeps, "keep", false, "")
	fs.BoolVar(&c.sweepOnly, "sweep", false, "")
	fs.BoolVar(&c.kept, "kept", false, "")
	fs.BoolVar(&c.ownProc, "own-proc", false, "")
	fs.IntVar(&c.keeper, "keeper", 0, "")
	fs.Uint64Var(&c.keeperStart, "keeper-start", 0, "")
	if err := fs.Parse(args); err != nil {
		return c, err
	}
	if emulators != "" {
		c.emulators = strings.Split(emulators, ",")
	}
	c.pid = os.Getpid()
	l, err := newLayout(Options{State: state})
	c.layout = l
	c.socket = socket
	return c, err
}

// confine takes from the process what it inherited from the run that started it
// and a server has no use for.
func (c childOptions) confine() error {
	if err := undumpable(); err != nil {
		return err
	}
	last := readyFD
	if c.kept {
		last = keptLockFD
	}
	if err := closeInherited(last); err != nil {
		return err
	}
	// BuildKit makes files with the modes it means.
	syscall.Umask(0)
	fscopy.UmaskIsZero = true
	return nil
}

// undumpable keeps what this process reads into memory (registry tokens, secrets
// of builds) and its environment from debuggers, /proc and core files. Who has the
// rights of root over its user namespace can look all the same: root, and the owner
// of a rootless engine.
func undumpable() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("making the engine undumpable: %w", err)
	}
	return nil
}

// closeInherited closes what was left open by the run that started this process,
// but for the descriptors up to last, which are meant for it.
func closeInherited(last int) error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("listing open files: %w", err)
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd < readyFD {
			continue
		}
		if fd <= last {
			unix.CloseOnExec(fd)
			continue
		}
		// A descriptor that survives exec can only have come from outside:
		// the Go runtime marks its own.
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
	return nil
}

// own takes the state lock, waiting for a predecessor that is on its way out. If
// the predecessor turns out to be alive and serving, the answer is nil: another
// run was quicker, and nothing is left to do. So it is if the run that waits for
// this engine has ended by now: nobody wants it.
func (c childOptions) own(say *os.File) (*os.File, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lockTimeout)
	defer cancel()
	take := waitLock
	if c.kept {
		kept := os.NewFile(keptLockFD, c.lock)
		take = func(ctx context.Context, _ string) (*os.File, error) { return kept, waitTaken(ctx, kept) }
	}
	for {
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		lock, err := take(short, c.lock)
		cancel()
		if nobodyReads(say) {
			if lock != nil {
				lock.Close()
			}
			return nil, nil
		}
		if err == nil || !errors.Is(err, context.DeadlineExceeded) {
			return lock, err
		}
		if cl, err := dial(ctx, c.liveSocket()); err == nil {
			cl.Close()
			return nil, nil
		}
		if ctx.Err() != nil {
			r, _ := c.readRecord()
			return nil, &HungError{PID: r.PID, Stop: c.stop, Err: err}
		}
	}
}

// nobodyReads says whether the other end of a pipe is closed.
func nobodyReads(w *os.File) bool {
	fds := []unix.PollFd{{Fd: int32(w.Fd())}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents&unix.POLLERR != 0
}

// serve is the engine from start to end.
func (c childOptions) serve(say *os.File) error {
	lock, err := c.own(say)
	if err != nil {
		return err
	}
	if lock == nil {
		tell(say, ready{OK: true})
		return nil
	}
	defer lock.Close()
	boundLog()
	logrus.Infof("engine: starting, pid %d, BuildKit %s, state %s", c.pid, BuildKit, c.state)
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
	var notes []string
	if c.kept {
		if notes, err = c.settle(cfg); err != nil {
			return err
		}
	}
	return c.run(cfg, configHash(data, os.Environ()), notes, say)
}
