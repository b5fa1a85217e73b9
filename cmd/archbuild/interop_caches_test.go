package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/fixtures"
	"github.com/archbuild/archbuild/internal/registrytest"
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
	if n := x.cached(buildx, "build", "--builder", "second", "ours", platforms, "--provenance=false", "--cache-from", "type=local,src=cache-ours"); n != 4 {
		t.Errorf("buildx finds %d of 4 steps that archbuild has built", n)
	}
	x.run(buildx, "build", "--builder", "second", "theirs", platforms, "--provenance=false", "--cache-to", "type=local,dest=cache-theirs,mode=max")
	if n := x.cached("archbuild", "theirs", platforms, "--state", first, "-o", "type=cacheonly", "--cache-from", "type=local,src=cache-theirs"); n != 4 {
		t.Errorf("archbuild finds %d of 4 steps that buildx has built", n)
	}
}

// TestBuildxReadsThePartsOfACache: under the name that was given it finds all platforms, under a part's
// name that platform. What buildx wrote under the name that was given, archbuild still reads, and
// legs that end at the same moment leave both platforms there.
func TestBuildxReadsThePartsOfACache(t *testing.T) {
	requireMachine(t)
	hub := fixtures.ForTest(t)
	x := newTools(t)
	buildx := x.built("buildx")
	seen := watch(t, x.dir)
	x.env = append(x.env, "XDG_CONFIG_HOME="+hub.ConfigHome, "XDG_RUNTIME_DIR=")
	engines := 0
	engine := func() (state, socket string) { // each without anything in it
		engines++
		state = filepath.Join(x.dir, fmt.Sprint("engine", engines))
		t.Cleanup(func() { endEngine(t, state, seen) })
		return state, "unix://" + filepath.Join(state, "run", "engine.sock")
	}
	base := hub.Addr + "/interop/base:1"
	x.folder("base", map[string]string{"Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /\n", "amd64": "a", "arm64": "b"})
	x.folder("app", map[string]string{"Dockerfile": "FROM " + base + "\nCOPY one /\nCOPY two /\n", "one": "1", "two": "2"})
	x.folder("theirs", map[string]string{"Dockerfile": "FROM " + base + "\nCOPY one /\nCOPY two /\n", "one": "uno", "two": "due"})
	cache := hub.Addr + "/interop/parts:main"
	const both = "--platform=linux/amd64,linux/arm64"

	writer, _ := engine()
	x.run("archbuild", "base", both, "-q", "--state", writer, "-t", base, "--push")
	failed := make(chan error)
	legs := []string{"amd64", "arm64"}
	for _, arch := range legs {
		go func() {
			_, err := x.try("archbuild", "app", "--platform", "linux/"+arch, "-q", "--state", writer, "--cache", cache, "-t", hub.Addr+"/interop/app:1", "--push", "--record", arch+".json")
			failed <- err
		}()
	}
	for range legs {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name, platforms, ref string
		want                 int
	}{
		{"all", both, cache, 4},
		{"arm", "--platform=linux/arm64", cache + "-linux-arm64", 2},
		{"other", "--platform=linux/amd64", cache + "-linux-arm64", 0},
	} {
		state, socket := engine()
		x.run("archbuild", "base", "-q", "--state", state, "-o", "type=cacheonly")
		x.run(buildx, "create", "--name", row.name, "--driver", "remote", socket)
		if n := x.cached(buildx, "build", "--builder", row.name, "app", row.platforms, "--provenance=false", "--cache-from", "type=registry,ref="+row.ref); n != row.want {
			t.Errorf("%s from %s: buildx finds %d steps, not %d", row.platforms, row.ref, n, row.want)
		}
		if row.name == "all" {
			x.run(buildx, "build", "--builder", row.name, "theirs", both, "--provenance=false", "--cache-to", "type=registry,ref="+cache+",mode=max")
		}
	}
	state, _ := engine()
	if n := x.cached("archbuild", "theirs", both, "--state", state, "-o", "type=cacheonly", "--cache-from", cache); n < 2 { // buildx keeps what one of the platforms wrote last
		t.Errorf("archbuild finds %d steps of buildx's", n)
	}
}

// TestNodesWriteOneCacheTogether: each platform is built on a node of its own, and all that they write is
// found by one that has nothing, in a folder here as in a registry.
func TestNodesWriteOneCacheTogether(t *testing.T) {
	requireMachine(t)
	hub := fixtures.ForTest(t)
	x := newTools(t)
	seen := watch(t, x.dir)
	x.env = append(x.env, "XDG_CONFIG_HOME="+hub.ConfigHome, "XDG_RUNTIME_DIR=")
	base := hub.Addr + "/nodes/base:1"
	x.folder("base", map[string]string{"Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /\n", "amd64": "a", "arm64": "b"})
	x.folder("app", map[string]string{
		"Dockerfile": "FROM --platform=$BUILDPLATFORM " + base + " AS common\nCOPY one /\nFROM " + base + "\nCOPY --from=common /one /there\nCOPY two /\n", "one": "1", "two": "2",
	})
	const both = "--platform=linux/amd64,linux/arm64"
	var nodes []string
	for i, p := range []string{"linux/amd64", "linux/arm64"} {
		state := filepath.Join(x.dir, fmt.Sprint("node", i))
		t.Cleanup(func() { endEngine(t, state, seen) })
		x.run("archbuild", "base", both, "-q", "--state", state, "-t", base, "--push")
		nodes = append(nodes, "--node", "unix://"+filepath.Join(state, "run", "engine.sock")+",name=n"+fmt.Sprint(i)+",platform="+p)
	}
	client := filepath.Join(x.dir, "client")
	x.run("archbuild", append([]string{"app", both, "-q", "--state", client, "-o", "type=cacheonly", "--cache", "./kept", "--cache", hub.Addr + "/nodes/cache:main"}, nodes...)...)
	for i, cache := range []string{"./kept", hub.Addr + "/nodes/cache:main", hub.Addr + "/nodes/cache:main-linux-arm64"} {
		state := filepath.Join(x.dir, fmt.Sprint("reader", i))
		t.Cleanup(func() { endEngine(t, state, seen) })
		read, want := cache, 5 // the stage on the build platform is one step for both
		if i == 0 {
			read = "type=local,src=kept"
		}
		args := []string{"app", both, "--state", state, "-o", "type=cacheonly", "--cache-from", read}
		if i == 2 {
			args[1], want = "--platform=linux/arm64", 3
		}
		var outcome struct {
			Images []struct {
				Cache struct{ Steps, Cached int }
			}
		}
		if err := json.Unmarshal(x.run("archbuild", append(args, "-q", "--json")...), &outcome); err != nil {
			t.Fatal(err)
		}
		if got := outcome.Images[0].Cache; got.Steps != want || got.Cached != want {
			t.Errorf("%s: %d of %d steps, not all %d", cache, got.Cached, got.Steps, want)
		}
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

// cached runs a build and counts the COPY steps that a cache answered.
func (x tools) cached(program string, args ...string) int {
	x.Helper()
	found := map[string]bool{}
	for _, event := range x.events(program, append(args, "--progress", "rawjson")...) {
		for _, vertex := range event["vertexes"] {
			name, _ := vertex["name"].(string)
			if cached, _ := vertex["cached"].(bool); cached && strings.Contains(name, "COPY") {
				found[name] = true
			}
		}
	}
	return len(found)
}

// TestCachesInARegistryThatAsksWhoYouAre: the node gets the login for the registry of a cache, which no
// base names, and what archbuild itself reads and writes there goes with the same one.
func TestCachesInARegistryThatAsksWhoYouAre(t *testing.T) {
	requireMachine(t)
	x := newTools(t)
	seen := watch(t, x.dir)
	private := registrytest.NewProxy(t, registrytest.Start(t, registrytest.Memory), registrytest.Config{Auth: &registrytest.Auth{User: "me", Password: "secret", Life: time.Hour}})
	login := base64.StdEncoding.EncodeToString([]byte("me:secret"))
	x.folder("docker_config", map[string]string{"config.json": `{"auths": {"` + private.Addr + `": {"auth": "` + login + `"}}}`})
	x.folder("app", map[string]string{"Dockerfile": "FROM scratch\nCOPY one /\nCOPY two /\n", "one": "1", "two": "2"})
	x.env = append(x.env, "XDG_RUNTIME_DIR=")
	const platforms = "--platform=linux/amd64,linux/arm64"
	for i, flag := range []string{"--cache-to", "--cache-from"} {
		state := filepath.Join(x.dir, "state"+flag)
		t.Cleanup(func() { endEngine(t, state, seen) })
		n := x.cached("archbuild", "app", platforms, "--state", state, "-o", "type=cacheonly", flag, "type=registry,ref="+private.Addr+"/private/cache:1")
		if n != 4*i {
			t.Errorf("%s: %d steps are cached", flag, n)
		}
	}
	x.folder("docker_config", map[string]string{"config.json": "{}"})
	if _, err := x.try("archbuild", "app", platforms, "--state", filepath.Join(x.dir, "state--cache-to"), "-q", "--no-cache", "-o", "type=cacheonly", "--cache-to", private.Addr+"/private/cache:1"); err == nil {
		t.Error("a stranger can write the cache")
	}
}
