//go:build linux

package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/archbuild/archbuild/detect"
)

// errNoProc says that the kernel gives no /proc for a process namespace. It does
// not where parts of the machine's /proc are covered, as in most containers.
var errNoProc = errors.New("no /proc of its own")

// moveIn makes the place that the keeper has started this process in its own.
// It learns its pid as seen outside from the machine's /proc.
func (c *childOptions) moveIn() error {
	if !c.kept {
		return nil
	}
	defer unix.Close(keptProcFD)
	name := make([]byte, 32)
	n, err := unix.Readlinkat(keptProcFD, "self", name)
	if err == nil {
		c.pid, err = strconv.Atoi(string(name[:n]))
	}
	if err != nil {
		return fmt.Errorf("reading the engine's own pid: %w", err)
	}
	if !c.ownProc {
		return nil
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("%w: %w", errNoProc, err)
	}
	return nil
}

// settle prepares what an engine in a user namespace has otherwise than root's.
// The notes are for the user.
func (c childOptions) settle(cfg Config) (notes []string, err error) {
	if err := checkRootless(cfg); err != nil {
		return nil, &ConfigError{File: c.config, Err: err}
	}
	// Where runc keeps its records: /run is root's.
	runtimeDir := c.runtimeDir()
	if err := os.Mkdir(runtimeDir, 0o700); err != nil {
		return nil, fmt.Errorf("making runc's folder: %w", err)
	}
	if err := os.Setenv("XDG_RUNTIME_DIR", runtimeDir); err != nil {
		return nil, err
	}
	if !c.ownProc {
		notes = append(notes, "processes of a RUN see those of the other builds: /proc is partly hidden here, as in a container")
	}
	if err := c.registerEmulators(); err != nil {
		notes = append(notes, fmt.Sprintf("foreign RUN steps will fail: %v", err))
	}
	return notes, nil
}

// checkRootless refuses settings that take rights which a user namespace has not.
func checkRootless(cfg Config) error {
	if mode := networkMode(cfg); mode != "host" {
		return fmt.Errorf("worker.oci.networkMode %q needs root; an engine of a plain user has the host's network", mode)
	}
	if cfg.ProxyNetwork {
		return errors.New("proxyNetwork needs root; an engine of a plain user has the host's network")
	}
	return nil
}

// registerEmulators makes a registry of emulators for this user namespace and
// fills it. It lasts as long as it is mounted.
func (c childOptions) registerEmulators() error {
	if len(c.emulators) == 0 {
		return nil
	}
	dir := filepath.Join(c.tmp, "binfmt_misc")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("registering emulators: %w", err)
	}
	if err := unix.Mount("binfmt_misc", dir, "binfmt_misc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting binfmt_misc for emulators: %w", err)
	}
	var errs []error
	for _, r := range detect.Registrations() {
		for _, e := range c.emulators {
			if name, path, _ := strings.Cut(e, "="); name == r.Name {
				r.Interpreter = path
				errs = append(errs, register(dir, r))
			}
		}
	}
	return errors.Join(errs...)
}

func register(dir string, r detect.Registration) error {
	if err := os.WriteFile(filepath.Join(dir, "register"), []byte(r.String()), 0o200); err != nil {
		return fmt.Errorf("registering %s: %w", r.Interpreter, err)
	}
	return nil
}
