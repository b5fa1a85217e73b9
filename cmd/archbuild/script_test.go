package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/archbuild/archbuild/detect/kernel"
	"github.com/archbuild/archbuild/internal/fixtures"
)

// TestMain makes the test binary the program itself as well: scripts run it as
// archbuild, and it starts itself as the engine and as what tries the kernel, as the program does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "__engine") || kernel.IsChild(os.Args) {
		main()
	}
	if strings.HasSuffix(os.Args[0], ".test") { // Where the tests run is no matter of theirs.
		if err := os.Unsetenv("GITHUB_ACTIONS"); err != nil {
			panic(err)
		}
	}
	testscript.Main(m, map[string]func(){"archbuild": main})
}

// TestScript runs the whole program against the real thing: the embedded
// engine, a registry, base images, emulation. Every file in testdata/script says
// in its first lines what it shows.
//
// A script finds in its environment
//
//	ARCHBUILD_STATE  the state folder, and so the engine, that all scripts share;
//	                 SHARED_STATE is the same
//	OWN_STATE        where a script that needs an engine of its own has it; it is
//	                 stopped at the script's end, and nothing may be left of it
//	ARCHBUILD_HUB    host:port of the registry with the base images; pushing is allowed
//	EXAMPLES         the folder examples/ of this repository
//	HOST             this machine's platform
//	FOREIGN          linux/arm64, or on such a machine linux/amd64: one that is emulated; FOREIGN_SUFFIX is its last word
//	BIN              the folder of archbuild, in which there is no other program
//
// and, beside testscript's own commands, those of script_cmds_test.go.
func TestScript(t *testing.T) {
	requireMachine(t)
	runScripts(t, fixtures.ForTest(t), "testdata/script/*.txtar")
}

// runScripts runs the scripts whose files match one of the patterns, beside each other and by one engine.
func runScripts(t *testing.T, hub *fixtures.Hub, patterns ...string) {
	t.Helper()
	var files []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d scripts, %v", pattern, len(found), err)
		}
		files = append(files, found...)
	}
	root := t.TempDir()
	seen := watch(t, root)
	shared := filepath.Join(root, "shared")
	t.Cleanup(func() { endEngine(t, shared, seen) })
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	foreign := map[bool]string{true: "linux/amd64", false: "linux/arm64"}[runtime.GOARCH == "arm64"]
	testscript.Run(t, testscript.Params{
		Files:               files,
		Condition:           condition,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                commands(),
		Setup: func(env *testscript.Env) error {
			own := filepath.Join(root, filepath.Base(env.WorkDir))
			tb := env.T().(testing.TB)
			tb.Cleanup(func() { endEngine(tb, own, seen) })
			for key, value := range map[string]string{
				"ARCHBUILD_STATE": shared, "SHARED_STATE": shared, "OWN_STATE": own, "EXAMPLES": examples,
				"ARCHBUILD_HUB": hub.Addr, "XDG_CONFIG_HOME": hub.ConfigHome, "HOST": "linux/" + runtime.GOARCH, "FOREIGN": foreign, "FOREIGN_SUFFIX": strings.TrimPrefix(foreign, "linux/"), "BIN": filepath.SplitList(os.Getenv("PATH"))[0],
			} {
				env.Setenv(key, value)
			}
			env.Values[containersKey{}] = seen
			return nil
		},
	})
}

// condition knows [whole]: lines that take minutes, and that make harm runs.
func condition(name string) (bool, error) {
	if name != "whole" {
		return false, fmt.Errorf("there is no condition %q", name)
	}
	return os.Getenv("ARCHBUILD_HARM") == "all", nil
}

// requireMachine says what this machine lacks. Under CI that is a failure.
func requireMachine(t *testing.T) {
	t.Helper()
	var lacks []string
	if os.Geteuid() != 0 {
		lacks = append(lacks, "root")
	}
	for _, program := range []string{"runc", "skopeo", "setpriv", "tar", "git", "ssh"} {
		if _, err := exec.LookPath(program); err != nil {
			lacks = append(lacks, program)
		}
	}
	if err := fixtures.RegisterEmulators(); err != nil {
		lacks = append(lacks, err.Error())
	}
	switch {
	case len(lacks) == 0:
	case os.Getenv("CI") != "":
		t.Fatalf("cannot run here, it lacks %s: make fixtures", strings.Join(lacks, ", "))
	default:
		t.Skipf("cannot run here, it lacks %s: make fixtures", strings.Join(lacks, ", "))
	}
}

// endEngine stops the engine of a state folder, sees to it that nothing is left
// of it in the system, and removes the folder.
func endEngine(t testing.TB, state string, seen *containers) {
	t.Helper()
	if _, err := os.Stat(state); errors.Is(err, os.ErrNotExist) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	var stderr strings.Builder
	if code := run(ctx, []string{"engine", "stop", "--state", state}, strings.NewReader(""), io.Discard, &stderr); code != exitOK {
		t.Errorf("stopping the engine: exit status %d\n%s", code, &stderr)
	}
	remains := seen.remains(state)
	// An engine lets go of its lock just before it has ended.
	for began := time.Now(); len(remains) > 0 && time.Since(began) < 30*time.Second; time.Sleep(20 * time.Millisecond) {
		remains = seen.remains(state)
	}
	for _, left := range remains {
		t.Errorf("left behind: %s", left)
	}
	if err := os.RemoveAll(state); err != nil {
		t.Errorf("removing the state folder: %v", err)
	}
}
