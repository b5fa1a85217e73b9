//go:build linux

package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/builder/engine"
)

// TestMain makes the test binary what cmd/archbuild is: a program that can start
// itself as an engine. With the name of a client it is a run of that program.
func TestMain(m *testing.M) {
	if engine.IsChild(os.Args) {
		go tellDumpable()
		os.Exit(engine.Main(os.Args))
	}
	if len(os.Args) > 2 && clients[os.Args[1]] != nil {
		if err := clients[os.Args[1]](os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			if hinted := interface{ Hint() string }(nil); errors.As(err, &hinted) {
				fmt.Fprintln(os.Stderr, hinted.Hint())
			}
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// clients are what the test binary can be beside an engine.
var clients = map[string]func(args []string) error{
	"client": clientMain,
	"build":  buildMain,
	"knock":  knockMain,
	"listen": listenMain,
	"stop": func(args []string) error {
		return engine.Stop(context.Background(), engine.Options{State: args[0], Environ: os.Environ()})
	},
}

// clientMain is a run that finds its engine, says which and goes: the state folder
// and, perhaps, how long the engine stays afterwards.
func clientMain(args []string) error {
	o := engine.Options{State: args[0], Environ: os.Environ()}
	if len(args) > 1 {
		var err error
		if o.Idle, err = time.ParseDuration(args[1]); err != nil {
			return err
		}
	}
	h, err := engine.Ensure(context.Background(), o)
	if err != nil {
		return err
	}
	defer h.Close()
	return json.NewEncoder(os.Stdout).Encode(seen{PID: h.State.PID, Started: h.Started})
}

// seen is what clientMain prints.
type seen struct {
	PID     int
	Started bool
}

// options are those of an engine of the test's own, stopped when it is over.
func options(t *testing.T) engine.Options {
	t.Helper()
	return optionsIn(t, filepath.Join(t.TempDir(), "state"))
}

func optionsIn(t *testing.T, state string) engine.Options {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("the private engine needs root")
		}
		t.Skip("the private engine needs root")
	}
	runc, err := engine.FindRunc("")
	if err != nil {
		t.Logf("RUN is not tried: %v", err)
	}
	o := engine.Options{State: state, RuntimeDir: t.TempDir(), Runc: runc, Environ: os.Environ(), Idle: time.Minute, Log: t.Output()}
	t.Cleanup(func() { stop(t, o) })
	return o
}

func stop(t *testing.T, o engine.Options) {
	t.Helper()
	if err := engine.Stop(context.Background(), o); err != nil {
		t.Errorf("stopping the engine: %v", err)
	}
}

func ensure(t *testing.T, o engine.Options) *engine.Handle {
	t.Helper()
	h, err := engine.Ensure(t.Context(), o)
	if err != nil {
		log, _ := os.ReadFile(o.State + "/run/engine.log")
		t.Fatalf("ensuring an engine: %v\n%s", err, log)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// ensurePID makes sure that an engine runs and that nobody is connected to it.
func ensurePID(t *testing.T, o engine.Options) int {
	t.Helper()
	h := ensure(t, o)
	h.Close()
	return h.State.PID
}

func status(t *testing.T, o engine.Options) engine.State {
	t.Helper()
	s, err := engine.Status(t.Context(), o)
	if err != nil {
		t.Fatalf("asking for the engine's state: %v", err)
	}
	return s
}

func TestTheSecondRunFindsTheEngineOfTheFirst(t *testing.T) {
	o := options(t)
	began := time.Now()
	first := ensure(t, o)
	t.Logf("cold start: %s", time.Since(began))
	began = time.Now()
	second := ensure(t, o)
	t.Logf("warm: %s", time.Since(began))
	if !first.Started || second.Started || first.State.PID != second.State.PID {
		t.Errorf("two engines: %+v and %+v", first, second)
	}
	if second.State.Connections != 1 {
		t.Errorf("the second client sees %d others, want 1", second.State.Connections)
	}
	if second.Version() != engine.BuildKit {
		t.Errorf("version %q, want %q", second.Version(), engine.BuildKit)
	}
}

func TestEightFirstRunsAtOnceStartOneEngine(t *testing.T) {
	o := options(t)
	const runs = 8
	outs := make(chan seen, runs)
	for range runs {
		go func() {
			var s seen
			out, err := exec.Command("/proc/self/exe", "client", o.State).Output()
			if err != nil || json.Unmarshal(out, &s) != nil {
				t.Errorf("a run failed: %v", err)
			}
			outs <- s
		}()
	}
	pids, started := map[int]bool{}, 0
	for range runs {
		s := <-outs
		pids[s.PID] = true
		if s.Started {
			started++
		}
	}
	if len(pids) != 1 || started != 1 {
		t.Errorf("%d engines, started by %d runs; want one by one", len(pids), started)
	}
}

func TestTwoStatesNeverShareAnEngine(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("a-long-name/", 12))
	tests := map[string][2]string{
		"short paths":                         {t.TempDir(), t.TempDir()},
		"long paths that differ at their end": {filepath.Join(long, "one"), filepath.Join(long, "two")},
	}
	for name, states := range tests {
		t.Run(name, func(t *testing.T) {
			one, two := optionsIn(t, states[0]), optionsIn(t, states[1])
			two.RuntimeDir = one.RuntimeDir
			a, b := ensure(t, one), ensure(t, two)
			if a.State.PID == b.State.PID || a.State.Socket == b.State.Socket || a.State.Root == b.State.Root {
				t.Errorf("shared: %+v and %+v", a.State, b.State)
			}
			for _, s := range []string{a.State.Socket, b.State.Socket} {
				if len(s) > 100 {
					t.Errorf("the socket path has %d bytes: %s", len(s), s)
				}
			}
		})
	}
}

// Another XDG_RUNTIME_DIR (a login against a cron job) is no other state.
func TestALongStateIsFoundWithoutItsRuntimeDir(t *testing.T) {
	o := optionsIn(t, filepath.Join(t.TempDir(), strings.Repeat("a-long-name/", 12)))
	first := ensure(t, o)
	o.RuntimeDir = ""
	if second := ensure(t, o); second.State.PID != first.State.PID {
		t.Errorf("another engine: %+v and %+v", first.State, second.State)
	}
}

// Two spellings of a folder are one state.
func TestAStateBehindASymlinkIsTheSame(t *testing.T) {
	o := options(t)
	first := ensure(t, o)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(o.State, link); err != nil {
		t.Fatal(err)
	}
	o.State = link
	if second := ensure(t, o); second.State.PID != first.State.PID {
		t.Errorf("another engine: %+v and %+v", first.State, second.State)
	}
}

func TestFilesArePrivate(t *testing.T) {
	o := options(t)
	h := ensure(t, o)
	for path, want := range map[string]os.FileMode{
		o.State + "/run":             0o700 | os.ModeDir,
		o.State + "/run/gate.lock":   0o600,
		o.State + "/run/engine.json": 0o600,
		o.State + "/run/engine.log":  0o600,
		h.State.Socket:               0o600 | os.ModeSocket,
		h.State.Root:                 0o700 | os.ModeDir,
	} {
		info, err := os.Lstat(path)
		if err != nil {
			t.Error(err)
		} else if info.Mode() != want {
			t.Errorf("%s is %s, want %s", path, info.Mode(), want)
		}
	}
}
