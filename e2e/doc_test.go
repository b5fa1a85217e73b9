// Package e2e tests the whole program against the real thing: the embedded engine, a registry, base images and emulators,
// all made by internal/fixtures. Every test runs the archbuild binary as a user would, with an engine and a state folder of
// this test run's own.
package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// world is what all tests share; made by TestMain.
var world struct {
	archbuild string   // the program
	env       []string // its environment
	hub       *fixtures.Hub
}

func TestMain(m *testing.M) {
	status, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		status = 1
	}
	os.Exit(status)
}

func runTests(m *testing.M) (status int, err error) {
	if err := fixtures.RegisterEmulators(); err != nil {
		return 1, fmt.Errorf("%w (`make fixtures` as root registers emulators)", err)
	}
	dir, err := os.MkdirTemp("", "archbuild-e2e-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	hub, err := fixtures.Start(context.Background())
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, hub.Close()) }()
	world.hub = hub
	world.archbuild = filepath.Join(dir, "archbuild")
	build := exec.Command("go", "build", "-o", world.archbuild, "../cmd/archbuild")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("building archbuild: %w\n%s", err, out)
	}
	world.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_CONFIG_HOME=" + hub.ConfigHome, "ARCHBUILD_STATE=" + filepath.Join(dir, "state"),
	}
	defer func() {
		if r := run(dir, "engine", "stop"); r.status != 0 {
			err = errors.Join(err, fmt.Errorf("stopping the engine: %s", r.stderr))
		}
	}()
	return m.Run(), nil
}

// result is what one run of archbuild left.
type result struct {
	status         int
	stdout, stderr string
}

// run runs archbuild in a folder.
func run(dir string, args ...string) result {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(world.archbuild, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, world.env, &stdout, &stderr
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		return result{status: -1, stderr: err.Error()}
	}
	return result{status: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}

// example is the path of an example, which any folder can be the working directory for.
func example(t *testing.T, name string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
