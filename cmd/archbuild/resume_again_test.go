package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestResumingGoesOnAfterAnInterruption ends runs in several ways while one platform is done.
func TestResumingGoesOnAfterAnInterruption(t *testing.T) {
	requireAMD64(t)
	w := newResumeWorld(t)
	files := map[string]string{"app/file": "content", "Dockerfile": `FROM debian:bookworm-slim
ARG THEN=true
RUN echo $(uname -m) > /machine
RUN $THEN
`}
	const both = "linux/amd64,linux/arm64"
	rows := []struct {
		what, then string
		end        func(*exec.Cmd) error
	}{
		{"another platform failed", "false", nil},
		{"an interrupt", "sleep 600", func(c *exec.Cmd) error { return c.Process.Signal(os.Interrupt) }},
		{"a kill", "sleep 600", func(c *exec.Cmd) error { return c.Process.Kill() }},
	}
	for _, row := range rows {
		t.Run(row.what, func(t *testing.T) {
			w.TB = t
			dir := w.project(files)
			w.put(filepath.Join(dir, "README"), row.what)
			cmd := w.command(dir, "--platform", both, "--cross=off", "--build-arg", "linux/arm64:THEN="+row.then)
			w.must(cmd.Start())
			if row.end != nil {
				w.awaitResults()
				w.must(row.end(cmd))
			}
			if cmd.Wait() == nil {
				t.Fatal("the first run did not fail")
			}
			out := w.build(dir, "--platform", both, "--cross=off")
			if got := out.states(); got != "resumed built" {
				t.Errorf("it was %s", got)
			}
		})
	}
}

// awaitResults waits until something is recorded that was not.
func (w *resumeWorld) awaitResults() {
	w.Helper()
	count := func() int {
		found, err := filepath.Glob(filepath.Join(w.state, "results", "*", "sha256-*"))
		w.must(err)
		return len(found)
	}
	before := count()
	for began := time.Now(); count() == before; time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 3*time.Minute {
			w.Fatal("nothing was recorded for three minutes")
		}
	}
}

// TestResumingNeedsWhatIsRecorded takes away or damages what a former run has left: then it is
// built again, and nobody is troubled with it.
func TestResumingNeedsWhatIsRecorded(t *testing.T) {
	w := newResumeWorld(t)
	dir := w.project(resumeProject)
	want := w.build(dir).Images[0].Digest
	each := func(pattern string, do func(path string)) func() {
		return func() {
			found, err := filepath.Glob(filepath.Join(w.state, pattern))
			w.must(err)
			if len(found) == 0 {
				w.Fatalf("no %s", pattern)
			}
			for _, path := range found {
				do(path)
			}
		}
	}
	flip := func(path string) {
		raw, err := os.ReadFile(path)
		w.must(err)
		raw[len(raw)/3] ^= 1
		w.must(os.WriteFile(path, raw, 0o600))
	}
	for _, row := range []struct {
		what string
		do   func()
	}{
		{"the record is gone", each("results/*", func(path string) { w.must(os.RemoveAll(path)) })},
		{"the record is cut", each("results/*/*", func(path string) { w.must(os.Truncate(path, 100)) })},
		{"a bit of the record is another", each("results/*/*", flip)},
		{"a number in the record is another", each("results/*/*", func(path string) {
			raw, err := os.ReadFile(path)
			w.must(err)
			w.must(os.WriteFile(path, []byte(strings.Replace(string(raw), `"steps":`, `"steps":1`, 1)), 0o600))
		})},
		{"the blobs are gone", each("store/blobs/sha256/*", func(path string) { w.must(os.Remove(path)) })},
		{"the blobs are cut", each("store/blobs/sha256/*", func(path string) {
			w.must(os.Chmod(path, 0o600))
			w.must(os.Truncate(path, 3))
		})},
		{"the memory of files is damaged", each("files/*", func(path string) { w.must(os.Truncate(path, 30)) })},
	} {
		t.Run(row.what, func(t *testing.T) {
			w.TB = t
			row.do()
			out := w.build(dir, "--resume")
			if got, again := out.states(), "built"; got != again && !strings.HasPrefix(row.what, "the memory") {
				t.Errorf("it was %s", got)
			}
			if out.Images[0].Digest != want {
				t.Errorf("it is %s, was %s", out.Images[0].Digest, want)
			}
			if got := w.build(dir).states(); got != "resumed" {
				t.Errorf("after that it was %s", got)
			}
		})
	}
}

// TestResumingSaysWhyNot is about --resume where it cannot be.
func TestResumingSaysWhyNot(t *testing.T) {
	w := newResumeWorld(t)
	add := func(source string) map[string]string {
		return map[string]string{"app/file": "", "Dockerfile": "ARG FROM=app/file\nFROM debian:bookworm-slim AS other\nADD " + source + " /x\nFROM scratch\nCOPY app/file /\n"}
	}
	for _, row := range []struct {
		what string
		args []string
		why  string
	}{
		{"no cache", flags("--no-cache"), "--no-cache runs every step"},
		{"one stage without cache", flags("--no-cache-filter", "tools"), "--no-cache-filter runs steps again"},
		{"bases asked for", flags("--pull"), "--pull asks for every base again"},
		{"a cache to write", flags("--cache-to", "type=inline"), "--cache-to has the cache written"},
	} {
		t.Run(row.what, func(t *testing.T) {
			w.TB = t
			dir := w.project(resumeProject)
			out := w.build(dir, append(row.args, "--resume")...)
			if want := "archbuild: warning: linux/" + runtime.GOARCH + " is not resumed: " + row.why; !strings.Contains(out.stderr, want) {
				t.Errorf("want %q in\n%s", want, out.stderr)
			}
			if out := w.build(dir, row.args...); strings.Contains(out.stderr, "not resumed") {
				t.Error("it is said without --resume too")
			}
		})
	}
	t.Run("a stage that nobody needs fetches something", func(t *testing.T) {
		w.TB = t
		dir := w.project(add("https://example.invalid/x"))
		w.build(dir)
		if got := w.build(dir, "--resume"); got.states() != "resumed" {
			t.Errorf("it was %s\n%s", got.states(), got.stderr)
		}
	})
	t.Run("a base is another one of the same name", func(t *testing.T) {
		w.TB = t
		base := w.project(map[string]string{"app/file": "first", "Dockerfile": "FROM scratch\nCOPY app /\n"})
		hub := ""
		for _, entry := range w.env {
			if name, value, _ := strings.Cut(entry, "="); name == "HUB" {
				hub = value
			}
		}
		name := hub + "/resumed/base:1"
		w.build(base, "-t", name, "--push")
		dir := w.project(map[string]string{"app/file": "", "Dockerfile": "FROM " + name + "\nCOPY app/file /other\n"})
		first := w.build(dir)
		if got := w.build(dir).states(); got != "resumed" {
			t.Errorf("on the same base it was %s", got)
		}
		w.put(filepath.Join(base, "app/file"), "second")
		w.build(base, "-t", name, "--push")
		again := w.build(dir)
		if again.states() != "built" || again.Images[0].Digest == first.Images[0].Digest {
			t.Errorf("on another base it was %s", again.states())
		}
	})
	t.Run("the folder is another one with the same in it", func(t *testing.T) {
		w.TB = t
		first, second := w.project(resumeProject), w.project(resumeProject)
		w.build(first)
		if got := w.build(second).states(); got != "resumed" {
			t.Errorf("it was %s", got)
		}
	})
}
