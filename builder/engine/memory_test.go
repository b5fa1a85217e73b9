//go:build linux

package engine_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/builder/engine"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"
)

func TestParseMemory(t *testing.T) {
	for text, want := range map[string]int64{
		"512MB": 512 << 20, "2g": 2 << 30, "1.5GiB": 3 << 29, "134217728": 128 << 20,
		"": 0, "much": 0, "64MB": 0, "50%": 0, "-1g": 0, "0": 0,
	} {
		got, err := engine.ParseMemory(text)
		if (err == nil) != (want > 0) || err == nil && got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 128 << 20: "128 MiB", 3 << 29: "1.5 GiB", 1 << 50: "1 PiB"} {
		if got := engine.IEC(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

// limited is an engine with a memory limit; a machine without control groups for
// memory has none.
func limited(t *testing.T, limit int64) (engine.Options, *engine.Handle) {
	t.Helper()
	o := options(t)
	requireRunc(t, o.Runc)
	o.Memory = limit
	h := ensure(t, o)
	if h.State.Memory == 0 {
		if os.Getenv("CI") != "" {
			t.Fatalf("no memory limit: %s", h.State.MemoryNote)
		}
		t.Skipf("no memory limit: %s", h.State.MemoryNote)
	}
	return o, h
}

func TestAStepThatTakesTooMuchMemoryIsEndedAndSaysWhy(t *testing.T) {
	const limit = 256 << 20
	o, h := limited(t, limit)
	if h.State.Memory != limit || h.State.MemoryNote != "" {
		t.Errorf("the state is %+v", h.State)
	}
	dir := boxContext(t)
	token := fmt.Sprintf("t%d", time.Now().UnixNano())
	eater := func(megabytes int, tag string) error {
		_, err := buildBox(t.Context(), h.Client, dir, fmt.Sprintf("FROM scratch\nCOPY box /box\nENV T=%s-%s\nRUN [\"/box\", \"eat\", \"%d\"]\n", token, tag, megabytes))
		return err
	}
	if err := eater(20, "little"); err != nil {
		t.Errorf("a step that takes little: %v", err)
	}
	err := eater(600, "much")
	if grpcerrors.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "256 MiB") {
		t.Errorf("a step that takes too much: %v", err)
	}
	// The engine has survived it, and a step's own failure is no want of memory.
	_, err = buildBox(t.Context(), h.Client, dir, fmt.Sprintf("FROM scratch\nCOPY box /box\nENV T=%s\nRUN [\"/box\", \"wrong\", \"words\"]\n", token))
	if err == nil || grpcerrors.Code(err) == codes.ResourceExhausted {
		t.Errorf("a step that fails by itself: %v", err)
	}
	if s := status(t, o); s.PID != h.State.PID {
		t.Errorf("the engine was ended: %+v", s)
	}
	// More can be had at once, also by a run of its own.
	o.Memory = 2 << 30
	if more := ensure(t, o); more.State.PID != h.State.PID || more.State.Memory != 2<<30 {
		t.Errorf("with a higher limit: %+v", more.State)
	}
	if err := eater(600, "enough"); err != nil {
		t.Errorf("the same step with a higher limit: %v", err)
	}
	h.Close()
	stop(t, o)
	groups, _ := filepath.Glob("/sys/fs/cgroup/*/archbuild-*/engine")
	for _, group := range groups {
		if procs, _ := os.ReadFile(group + "/cgroup.procs"); strings.Contains(string(procs), strconv.Itoa(h.State.PID)) {
			t.Errorf("left behind: %s", group)
		}
	}
}

func TestALimitIsLoweredOnlyWhenNobodyElseBuilds(t *testing.T) {
	o, h := limited(t, 1<<30)
	less := o
	less.Memory = 512 << 20
	log := &said{}
	less.Log = log
	second := ensure(t, less)
	if second.State.PID != h.State.PID || second.State.Memory != 1<<30 {
		t.Errorf("while others build: %+v", second.State)
	}
	if !strings.Contains(log.String(), "has a memory limit of 1 GiB: others are building") {
		t.Errorf("it says %q", log)
	}
	h.Close()
	second.Close()
	waitFor(t, "the engine to notice that both have gone, and to lower its limit", func() bool {
		third := ensure(t, less)
		third.Close()
		return third.State.PID == h.State.PID && third.State.Memory == 512<<20
	})
	// Who has no wish changes nothing.
	less.Memory = 0
	if fourth := ensure(t, less); fourth.State.Memory != 512<<20 {
		t.Errorf("without a wish: %+v", fourth.State)
	}
}

// An engine that is killed has no time to leave its control group.
func TestAKilledEngineWithALimitLeavesNoGroup(t *testing.T) {
	o, h := limited(t, 512<<20)
	process, err := os.FindProcess(h.State.PID)
	if err != nil {
		t.Fatal(err)
	}
	process.Kill()
	waitFor(t, "the engine to die", func() bool { return isGone(h.State.PID) })
	h.Close()
	next := ensure(t, o)
	if next.State.Memory != 512<<20 {
		t.Errorf("the next engine: %+v", next.State)
	}
	next.Close()
	stop(t, o)
	if _, err := os.Stat(o.State); errors.Is(err, os.ErrNotExist) {
		t.Fatal("no state folder")
	}
	if left := remains(t, o.State, o.State, nil); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
