//go:build linux

package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/archbuild/archbuild/builder/engine"
)

// said is what a run prints, to be read while it runs.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// found is what came of a run in the background.
type found struct {
	handle *engine.Handle
	err    error
}

func ensureInBackground(ctx context.Context, o engine.Options) <-chan found {
	out := make(chan found, 1)
	go func() {
		h, err := engine.Ensure(ctx, o)
		out <- found{h, err}
	}()
	return out
}

func suspend(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGCONT) })
	waitFor(t, "the engine to be stopped", func() bool { return isStopped(pid) })
}

// enginesOf lists the processes that were started to be the engine of a state folder.
func enginesOf(state string) []string {
	var out []string
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range commands {
		data, _ := os.ReadFile(file)
		if args := strings.Split(string(data), "\x00"); slices.Contains(args, "__engine") && slices.Contains(args, state) {
			out = append(out, file)
		}
	}
	return out
}

func TestAStoppedEngineIsReportedAndNeverDoubled(t *testing.T) {
	o := options(t)
	pid := ensurePID(t, o)
	suspend(t, pid)
	var runs []<-chan found
	var words []*said
	began := time.Now()
	for range 2 {
		words = append(words, &said{})
		o.Log = words[len(words)-1]
		runs = append(runs, ensureInBackground(t.Context(), o))
	}
	for _, log := range words {
		waitFor(t, "a word", func() bool { return strings.Contains(log.String(), "\n") })
		for _, want := range []string{fmt.Sprintf("pid %d", pid), fmt.Sprintf("kill -CONT %d", pid), "archbuild engine stop"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("it says %q, without %q", log, want)
			}
		}
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it was said after %s", took)
	}
	time.Sleep(time.Second)
	if n := enginesOf(o.State); len(n) != 1 {
		t.Errorf("engines: %q", n)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for i, run := range runs {
		got := <-run
		if got.err != nil {
			t.Fatalf("the run has not gone on: %v", got.err)
		}
		defer got.handle.Close()
		if got.handle.State.PID != pid || got.handle.Started {
			t.Errorf("it has another engine: %+v", got.handle.State)
		}
		if n := strings.Count(words[i].String(), "\n"); n != 1 {
			t.Errorf("it has said %d lines: %q", n, words[i])
		}
	}
}

func TestAStoppedEngineIsAnErrorWhenPatienceEnds(t *testing.T) {
	o := options(t)
	pid := ensurePID(t, o)
	suspend(t, pid)
	o.Patience = 300 * time.Millisecond
	_, err := engine.Ensure(t.Context(), o)
	var hung *engine.HungError
	if !errors.As(err, &hung) || hung.PID != pid || !hung.Stopped || !strings.Contains(hung.Hint(), "kill -CONT") {
		t.Errorf("got %v, want a *HungError", err)
	}
	began := time.Now()
	if _, err := engine.Status(t.Context(), o); !errors.As(err, &hung) || time.Since(began) > 20*time.Second {
		t.Errorf("status says %v after %s", err, time.Since(began))
	}
}

func TestARunGoesOnWhenAStoppedEngineIsEnded(t *testing.T) {
	o := options(t)
	pid := ensurePID(t, o)
	suspend(t, pid)
	log := &said{}
	o.Log = log
	run := ensureInBackground(t.Context(), o)
	waitFor(t, "a word", func() bool { return strings.Contains(log.String(), "waiting") })
	stop(t, o)
	got := <-run
	if got.err != nil {
		t.Fatal(got.err)
	}
	defer got.handle.Close()
	if !got.handle.Started || got.handle.State.PID == pid {
		t.Errorf("it has %+v", got.handle.State)
	}
}

func TestARunThatWaitsCanBeInterrupted(t *testing.T) {
	o := options(t)
	suspend(t, ensurePID(t, o))
	ctx, cancel := context.WithCancel(t.Context())
	run := ensureInBackground(ctx, o)
	time.Sleep(100 * time.Millisecond)
	cancel()
	if got := <-run; !errors.Is(got.err, context.Canceled) {
		t.Errorf("got %v", got.err)
	}
}

func TestARunWaitsForTheBuildsOfOthersOnAnEngineThatDoesNotFit(t *testing.T) {
	o := options(t)
	first := ensure(t, o)
	other := o
	log := &said{}
	other.Log = log
	other.Environ = append(slices.Clone(o.Environ), "HTTPS_PROXY=http://proxy.example:3128")
	run := ensureInBackground(t.Context(), other)
	waitFor(t, "a word", func() bool { return strings.Contains(log.String(), "waiting") })
	for _, want := range []string{"configuration", "1 other client", "--state"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("it says %q, without %q", log, want)
		}
	}
	// Others find the engine meanwhile: nobody sits on the gate.
	ensure(t, o).Close()
	first.Close()
	got := <-run
	if got.err != nil {
		t.Fatal(got.err)
	}
	defer got.handle.Close()
	if !got.handle.Started || got.handle.State.PID == first.State.PID {
		t.Errorf("it has %+v", got.handle.State)
	}
}
