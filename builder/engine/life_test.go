//go:build linux

package engine_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/archbuild/archbuild/builder/engine"
	"golang.org/x/sys/unix"
)

func TestTheEngineEndsWhenIdleAndOnlyThen(t *testing.T) {
	o := options(t)
	o.Idle = 300 * time.Millisecond
	h := ensure(t, o)
	time.Sleep(time.Second)
	if s := status(t, o); s.PID != h.State.PID || s.Idle != "300ms" {
		t.Fatalf("with a client connected: %+v", s)
	}
	h.Close()
	waitFor(t, "the engine to end", func() bool { return !status(t, o).Running })
	waitFor(t, "its process to end", func() bool { return isGone(h.State.PID) })
	if left := remains(t, o.State, o.State, nil); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if next := ensure(t, o); !next.Started {
		t.Error("the next run has not started an engine")
	}
}

func TestStatusOfNothingIsNotRunning(t *testing.T) {
	o := options(t)
	s := status(t, o)
	if s.Running || s.PID != 0 || s.BuildKit != engine.BuildKit {
		t.Errorf("%+v", s)
	}
	stop(t, o)
	if _, err := os.Stat(o.State); !os.IsNotExist(err) {
		t.Errorf("asking and stopping have made the state folder: %v", err)
	}
}

func TestAnEngineThatDoesNotFitIsReplaced(t *testing.T) {
	toml := func(t *testing.T, text string) string {
		path := filepath.Join(t.TempDir(), "buildkitd.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := map[string]struct {
		change   func(t *testing.T, o *engine.Options)
		replaced bool
	}{
		"another configuration": {func(t *testing.T, o *engine.Options) {
			o.Config = toml(t, "[registry.\"docker.io\"]\nmirrors = [\"mirror.example\"]\n")
		}, true},
		"another proxy": {func(t *testing.T, o *engine.Options) {
			o.Environ = append(slices.Clone(o.Environ), "HTTPS_PROXY=http://proxy.example:3128")
		}, true},
		"a runc that was missing": {func(t *testing.T, o *engine.Options) { o.Runc = "/bin/true" }, true},
		"no runc any more":        {func(t *testing.T, o *engine.Options) { o.Runc = "" }, false},
		"another idle time":       {func(t *testing.T, o *engine.Options) { o.Idle = 7 * time.Minute }, false},
		"another token in the environment": {func(t *testing.T, o *engine.Options) {
			o.Environ = append(slices.Clone(o.Environ), "TOKEN=2")
		}, false},
		"an empty configuration": {func(t *testing.T, o *engine.Options) { o.Config = toml(t, "") }, false},
	}
	o := options(t)
	o.Runc = ""
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			before := ensurePID(t, o)
			changed := o
			tt.change(t, &changed)
			h := ensure(t, changed)
			defer h.Close()
			if got := h.State.PID != before; got != tt.replaced || h.Started != tt.replaced {
				t.Errorf("replaced: %v, started: %v; want %v", got, h.Started, tt.replaced)
			}
			if want := changed.Idle.String(); h.State.Idle != want {
				t.Errorf("idle %s, want %s", h.State.Idle, want)
			}
		})
	}
}

func TestWhoOnlyLooksLeavesTheIdleTime(t *testing.T) {
	o := options(t)
	o.Idle = 40 * time.Minute
	ensure(t, o).Close()
	look := o
	look.Idle, look.AsIs = 0, true
	ensure(t, look).Close()
	if s := status(t, o); s.Idle != "40m0s" {
		t.Errorf("the idle time is %s, want 40m0s", s.Idle)
	}
}

func TestAnEngineInUseIsNotReplaced(t *testing.T) {
	o := options(t)
	first := ensure(t, o)
	other := o
	other.Patience = -1
	other.Environ = append(slices.Clone(o.Environ), "HTTPS_PROXY=http://proxy.example:3128")
	_, err := engine.Ensure(t.Context(), other)
	var busy *engine.BusyError
	if !errors.As(err, &busy) || busy.Connections != 1 || busy.Hint() == "" {
		t.Fatalf("got %v, want a *BusyError about one client", err)
	}
	if s := status(t, o); s.PID != first.State.PID {
		t.Errorf("the engine was replaced: %+v", s)
	}
}

func TestTheConfigurationIsInForce(t *testing.T) {
	o := options(t)
	o.Config = filepath.Join(t.TempDir(), "buildkitd.toml")
	text := "[worker.oci]\nsnapshotter = \"native\"\n[worker.oci.labels]\nroom = \"cellar\"\n"
	if err := os.WriteFile(o.Config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h := ensure(t, o)
	workers, err := h.Client.ListWorkers(t.Context())
	if err != nil || len(workers) != 1 || workers[0].Labels["room"] != "cellar" {
		t.Errorf("workers %+v, %v", workers, err)
	}
	if dir := boxContext(t); o.Runc != "" {
		if out, err := buildBox(t.Context(), h.Client, dir, sleeper(time.Millisecond, "native")); err != nil {
			t.Errorf("a build with native snapshots: %v\n%s", err, out)
		}
	}
}

func TestAnEngineThatCannotStartSaysWhy(t *testing.T) {
	o := options(t)
	o.Config = filepath.Join(t.TempDir(), "buildkitd.toml")
	if err := os.WriteFile(o.Config, []byte("[worker.oci]\nnetworkMode = \"bogus\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := engine.Ensure(t.Context(), o)
	var start *engine.StartError
	if !errors.As(err, &start) || !strings.Contains(start.Reason, "bogus") || start.Hint() == "" {
		t.Errorf("got %v, want a *StartError that names the mode", err)
	}
}

// A run that is killed while it starts the engine leaves the next one no worse.
func TestAKilledRunDoesNoHarm(t *testing.T) {
	o := options(t)
	for _, after := range []time.Duration{5, 20, 40, 60, 90} {
		run := exec.Command("/proc/self/exe", "client", o.State)
		if err := run.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(after * time.Millisecond)
		run.Process.Kill()
		run.Wait()
		ensure(t, o).Close()
		stop(t, o)
		if left := remains(t, o.State, o.State, nil); len(left) > 0 {
			t.Errorf("killed after %d ms: left behind: %q", after, left)
		}
	}
}

// An engine whose folder was deleted cannot be found any more; it ends, and does
// not bring the folder back.
func TestAnEngineThatLostItsFolderEnds(t *testing.T) {
	o := options(t)
	o.Idle = 200 * time.Millisecond
	pid := ensurePID(t, o)
	if err := os.RemoveAll(o.State); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the engine to end", func() bool { return isGone(pid) })
	if _, err := os.Stat(o.State); !os.IsNotExist(err) {
		t.Errorf("the folder is back: %v", err)
	}
}

func TestTheEngineInheritsNothing(t *testing.T) {
	o := options(t)
	leak, err := os.Create(filepath.Join(t.TempDir(), "leak"))
	if err != nil {
		t.Fatal(err)
	}
	// As a shell or make leaves descriptors open for its children.
	fd, err := syscall.Dup(int(leak.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	o.Environ = append(slices.Clone(o.Environ), "SECRET_TOKEN=hunter2", "NO_PROXY=localhost", "BUILDKIT_STEP_LOG_MAX_SPEED=-1")
	h := ensure(t, o)
	proc := "/proc/" + strconv.Itoa(h.State.PID)
	fds, _ := filepath.Glob(proc + "/fd/*")
	if len(fds) < 4 {
		t.Fatalf("cannot see the engine's files: %q", fds)
	}
	for _, f := range fds {
		if to, _ := os.Readlink(f); to == leak.Name() {
			t.Errorf("the engine has inherited %s", f)
		}
	}
	env, err := os.ReadFile(proc + "/environ")
	if err != nil || strings.Contains(string(env), "hunter2") || !strings.Contains(string(env), "NO_PROXY=localhost") || !strings.Contains(string(env), "BUILDKIT_STEP_LOG_MAX_SPEED=-1") {
		t.Errorf("environment %q, %v", env, err)
	}
	if sid, err := unix.Getsid(h.State.PID); err != nil || sid != h.State.PID {
		t.Errorf("session %d, %v: a ^C reaches the engine", sid, err)
	}
	if cwd, _ := os.Readlink(proc + "/cwd"); cwd != "/" {
		t.Errorf("the engine holds on to %s", cwd)
	}
}

func TestAHangingEngineIsKilledByStop(t *testing.T) {
	o := options(t)
	pid := ensurePID(t, o)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the engine to hang", func() bool { return isStopped(pid) })
	stop(t, o)
	if left := remains(t, o.State, o.State, nil); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// What lies about after a crash is cleared; what a link points to is not.
func TestTheSweepRemovesMountsButFollowsNoLinks(t *testing.T) {
	o := options(t)
	root := ensure(t, o).State.Root
	stop(t, o)
	outside := t.TempDir()
	keep := filepath.Join(outside, "keep")
	if err := os.WriteFile(keep, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	point := filepath.Join(root, "runc-overlayfs", "executor", "0123", "rootfs with space")
	if err := os.MkdirAll(point, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := unix.Mount(outside, point, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(root, "runc-overlayfs", "executor", "4567")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(o.State, "run", "tmp")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(o.State, "run", "tmp")); err != nil {
		t.Fatal(err)
	}
	ensure(t, o)
	if _, err := os.Stat(keep); err != nil {
		t.Errorf("the sweep went outside: %v", err)
	}
	if _, err := os.Lstat(filepath.Dir(point)); !os.IsNotExist(err) {
		t.Errorf("the dead container's folder is still there: %v", err)
	}
	stop(t, o)
	if left := remains(t, o.State, o.State, nil); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestWithoutRuncOnlyRUNFails(t *testing.T) {
	o := options(t)
	o.Runc = ""
	h := ensure(t, o)
	dir := boxContext(t)
	if _, err := buildBox(t.Context(), h.Client, dir, "FROM scratch\nCOPY box /box\n"); err != nil {
		t.Errorf("a build without RUN: %v", err)
	}
	out, err := buildBox(t.Context(), h.Client, dir, sleeper(time.Millisecond, "x"))
	if err == nil || !strings.Contains(out, "apt-get install runc") {
		t.Errorf("a build with RUN: %v\n%s", err, out)
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// isStopped says whether all threads of a process are stopped.
func isStopped(pid int) bool {
	threads, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/stat")
	return len(threads) > 0 && !slices.ContainsFunc(threads, func(file string) bool {
		stat, err := os.ReadFile(file)
		return err == nil && !strings.Contains(string(stat), ") T ")
	})
}

// isGone says whether a process has ended, reaped or not.
func isGone(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}
