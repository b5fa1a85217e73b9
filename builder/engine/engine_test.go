package engine_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/archbuild/archbuild/builder/engine"
)

// TestMain makes the test binary what cmd/archbuild is: a program that can start
// itself as an engine.
func TestMain(m *testing.M) {
	if engine.IsChild(os.Args) {
		os.Exit(engine.Main(os.Args))
	}
	os.Exit(m.Run())
}

// options are those of an engine of the test's own, stopped when it is over.
func options(t *testing.T) engine.Options {
	t.Helper()
	runc, err := engine.FindRunc("")
	if err != nil {
		t.Logf("RUN is not tried: %v", err)
	}
	o := engine.Options{State: t.TempDir(), RuntimeDir: t.TempDir(), Runc: runc, Environ: os.Environ(), Idle: time.Minute, Log: t.Output()}
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
	return h
}

func TestTheSecondRunFindsTheEngineOfTheFirst(t *testing.T) {
	o := options(t)
	began := time.Now()
	first := ensure(t, o)
	defer first.Close()
	t.Logf("cold start: %s", time.Since(began))
	began = time.Now()
	second := ensure(t, o)
	defer second.Close()
	t.Logf("warm: %s", time.Since(began))
	if !first.Started || second.Started || first.State.PID != second.State.PID {
		t.Errorf("two engines: %+v and %+v", first, second)
	}
	if second.State.Connections != 1 {
		t.Errorf("the second client sees %d others, want 1", second.State.Connections)
	}
}

func ensurePID(t *testing.T, o engine.Options) int {
	t.Helper()
	h := ensure(t, o)
	defer h.Close()
	return h.State.PID
}
