//go:build linux

package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// requireRunc skips a test that runs containers where there is none; under CI
// that is a failure.
func requireRunc(t *testing.T, runc string) {
	t.Helper()
	if runc != "" {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("no runc: apt-get install runc")
	}
	t.Skip("no runc: apt-get install runc")
}

// The engine is killed at random moments of builds; the next build always
// passes, and in the end nothing is left. One seed gives one series of moments.
func TestEveryBuildAfterAKilledEnginePasses(t *testing.T) {
	const rounds, seed = 20, 2
	o := options(t)
	requireRunc(t, o.Runc)
	dir := boxContext(t)
	token := fmt.Sprintf("t%d", time.Now().UnixNano())
	ids := map[string]bool{}
	random := rand.New(rand.NewPCG(seed, seed))
	for i := range rounds {
		killDuringBuild(t, o.State, func() error {
			h := ensure(t, o)
			defer h.Close()
			_, err := buildBox(t.Context(), h.Client, dir, sleeper(150*time.Millisecond, fmt.Sprintf("%s-%d", token, i)))
			return err
		}, func() int { return ensurePID(t, o) }, time.Duration(random.IntN(450))*time.Millisecond, ids)
		h := ensure(t, o)
		if out, err := buildBox(t.Context(), h.Client, dir, sleeper(time.Millisecond, fmt.Sprintf("%s-%d-after", token, i))); err != nil {
			log, _ := os.ReadFile(o.State + "/run/engine.log")
			t.Fatalf("round %d: the build after the kill: %v\n%s\n%s", i, err, out, log)
		}
		h.Close()
	}
	stop(t, o)
	if len(ids) == 0 {
		t.Errorf("no kill has met a running container: the test proves too little")
	}
	for _, r := range remains(t, o.State, token, ids) {
		t.Errorf("left behind: %s", r)
	}
	t.Logf("%d containers orphaned", len(ids))
}

func killDuringBuild(t *testing.T, state string, build func() error, pid func() int, after time.Duration, ids map[string]bool) {
	t.Helper()
	victim := pid()
	done := make(chan error, 1)
	go func() { done <- build() }()
	time.Sleep(after)
	syscall.Kill(victim, syscall.SIGKILL)
	noteContainers(state, ids)
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("the build does not notice that its engine is dead")
	}
}

func TestStopEndsBuildsAndLeavesNothing(t *testing.T) {
	o := options(t)
	requireRunc(t, o.Runc)
	token := fmt.Sprintf("t%d", time.Now().UnixNano())
	h := ensure(t, o)
	defer h.Close()
	dir := boxContext(t)
	done := make(chan error, 1)
	go func() {
		_, err := buildBox(context.Background(), h.Client, dir, sleeper(time.Minute, token))
		done <- err
	}()
	ids := map[string]bool{}
	for began := time.Now(); len(ids) == 0 && time.Since(began) < time.Minute; {
		time.Sleep(10 * time.Millisecond)
		noteContainers(o.State, ids)
	}
	time.Sleep(200 * time.Millisecond)
	began := time.Now()
	stop(t, o)
	t.Logf("stopped in %s", time.Since(began))
	if log, err := os.ReadFile(filepath.Join(o.State, "run/engine.log")); err != nil || bytes.Contains(log, []byte("builds did not end")) {
		t.Errorf("%v: the engine has waited for the build:\n%s", err, log)
	}
	if err := <-done; err == nil {
		t.Error("the build has passed")
	}
	for _, r := range remains(t, o.State, token, ids) {
		t.Errorf("left behind: %s", r)
	}
}

// A killed engine can leave snapshot directories that its database knows nothing
// of; the next snapshots want the same names.
func TestHalfMadeSnapshotsAreNotInTheWay(t *testing.T) {
	o := options(t)
	requireRunc(t, o.Runc)
	dir := boxContext(t)
	h := ensure(t, o)
	if _, err := buildBox(t.Context(), h.Client, dir, sleeper(time.Millisecond, "first")); err != nil {
		t.Fatal(err)
	}
	snapshots := filepath.Join(h.State.Root, "runc-overlayfs", "snapshots", "snapshots")
	if _, err := os.Stat(snapshots); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no overlayfs here")
		}
		t.Skip("no overlayfs here")
	}
	stop(t, o)
	for i := 1; i < 40; i++ {
		// What exists is in use; what does not is left half made.
		name := filepath.Join(snapshots, strconv.Itoa(i))
		if _, err := os.Stat(name); err == nil {
			continue
		}
		if err := os.MkdirAll(filepath.Join(name, "fs", "junk"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	h = ensure(t, o)
	if out, err := buildBox(t.Context(), h.Client, dir, sleeper(time.Millisecond, "second")); err != nil {
		t.Errorf("the next build: %v\n%s", err, out)
	}
}

// A runc that was killed takes its container with it, though the engine lives on.
func TestAContainerEndsWithItsRunc(t *testing.T) {
	o := options(t)
	requireRunc(t, o.Runc)
	token := fmt.Sprintf("t%d", time.Now().UnixNano())
	h := ensure(t, o)
	defer h.Close()
	dir := boxContext(t)
	done := make(chan error, 1)
	go func() {
		_, err := buildBox(context.Background(), h.Client, dir, sleeper(time.Minute, token))
		done <- err
	}()
	waitFor(t, "the container", func() bool { return len(commands(token)) > 0 })
	ids := map[string]bool{}
	noteContainers(o.State, ids)
	for pid, line := range commands(o.State + "/buildkit-") {
		if strings.HasPrefix(line, o.Runc+" ") {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	select {
	case err := <-done:
		if err == nil {
			t.Error("the build has passed")
		}
	case <-time.After(time.Minute):
		t.Fatal("the build does not notice that runc is dead")
	}
	waitFor(t, "the container to end", func() bool { return len(commands(token)) == 0 })
	for id := range ids {
		if _, err := os.Stat("/run/runc/" + id); !os.IsNotExist(err) {
			t.Errorf("runc's record of %s is left: %v", id, err)
		}
	}
	if s := status(t, o); s.PID != h.State.PID {
		t.Errorf("another engine: %+v", s)
	}
}

// commands are the processes whose command lines hold a word.
func commands(word string) map[int]string {
	found := map[int]string{}
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		data, _ := os.ReadFile(file)
		line := strings.ReplaceAll(string(data), "\x00", " ")
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if strings.Contains(line, word) && pid != os.Getpid() {
			found[pid] = line
		}
	}
	return found
}
