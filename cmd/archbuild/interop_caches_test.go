package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// TestBuildxAndArchbuildReadEachOthersCaches: what one of them has built for two platforms, the other one
// finds step by step, on a base that is an index.
func TestBuildxAndArchbuildReadEachOthersCaches(t *testing.T) {
	requireMachine(t)
	hub := fixtures.ForTest(t)
	x := newTools(t)
	buildx := x.built("buildx")
	seen := watch(t, x.dir)
	x.env = append(x.env, "XDG_CONFIG_HOME="+hub.ConfigHome, "XDG_RUNTIME_DIR=")
	engine := func(name string) (state, socket string) {
		state = filepath.Join(x.dir, name)
		t.Cleanup(func() { endEngine(t, state, seen) })
		return state, "unix://" + filepath.Join(state, "run", "engine.sock")
	}
	first, _ := engine("first")
	second, socket := engine("second")
	base := hub.Addr + "/caches/base:1"
	x.folder("base", map[string]string{"Dockerfile": "FROM scratch\nCOPY Dockerfile /base\n"})
	x.folder("ours", map[string]string{"Dockerfile": "FROM " + base + "\nCOPY one /\nCOPY two /\n", "one": "1", "two": "2"})
	x.folder("theirs", map[string]string{"Dockerfile": "FROM " + base + "\nCOPY one /\nCOPY two /\n", "one": "uno", "two": "due"})
	const platforms = "--platform=linux/amd64,linux/arm64"

	x.run("archbuild", "base", platforms, "-q", "--state", first, "-t", base, "--push")
	x.run("archbuild", "ours", platforms, "-q", "--state", first, "-o", "type=cacheonly", "--cache-to", "type=local,dest=cache-ours,mode=max")
	x.run("archbuild", "base", "-q", "--state", second, "-o", "type=cacheonly")
	x.run(buildx, "create", "--name", "second", "--driver", "remote", socket)
	if n := x.cached(buildx, "build", "--builder", "second", "ours", platforms, "--progress", "plain", "--provenance=false", "--cache-from", "type=local,src=cache-ours"); n != 4 {
		t.Errorf("buildx finds %d of 4 steps that archbuild has built", n)
	}
	x.run(buildx, "build", "--builder", "second", "theirs", platforms, "--provenance=false", "--cache-to", "type=local,dest=cache-theirs,mode=max")
	if n := x.cached("archbuild", "theirs", platforms, "--state", first, "--progress", "plain", "-o", "type=cacheonly", "--cache-from", "type=local,src=cache-theirs"); n != 4 {
		t.Errorf("archbuild finds %d of 4 steps that buildx has built", n)
	}
}

// folder writes files below a folder of the tools'.
func (x tools) folder(name string, files map[string]string) {
	x.Helper()
	dir := filepath.Join(x.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		x.Fatal(err)
	}
	for file, content := range files {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
			x.Fatal(err)
		}
	}
}

// cached runs a build and counts the steps that a cache answered.
func (x tools) cached(program string, args ...string) int {
	x.Helper()
	cmd := exec.CommandContext(x.Context(), program, args...)
	cmd.Env, cmd.Dir = x.env, x.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		x.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.Count(string(out), " CACHED\n")
}
