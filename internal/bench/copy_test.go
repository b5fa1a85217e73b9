package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/internal/registrytest"
)

const (
	// copied is how much there is to copy.
	copied = 10 << 30
	// maxMemory of archbuild meanwhile, in kB.
	maxMemory = 64 << 10
)

// BenchmarkCopy copies an image with layers of 10 GB together from one registry to another. Neither of them stores anything:
// the first makes zeros, the second hashes what comes.
func BenchmarkCopy(b *testing.B) {
	from := registrytest.NewEndless(b, 8, copied)
	for i := range b.N {
		to := registrytest.NewEndless(b, 0, 0)
		began := time.Now()
		peak := peakOf(b, program(b, "archbuild"), "manifest", "create", "--state", b.TempDir(), "-t", fmt.Sprintf("%s/to/app:%d", to.Addr, i), from.Addr+"/from/app:1")
		took := time.Since(began)
		got := to.Taken()
		for digest, size := range got {
			if size < 1<<20 {
				delete(got, digest) // The config.
			}
		}
		if diff := cmp.Diff(from.Layers(), got); diff != "" {
			b.Errorf("layers copied: -want +got\n%s", diff)
		}
		fmt.Printf("  copied %d MB between two registries in %d ms, both of them in the same machine; memory %d MB\n", copied>>20, took.Milliseconds(), peak>>10)
		b.ReportMetric(float64(peak)/1024, "MB-memory")
		if peak > maxMemory {
			b.Errorf("archbuild took %d kB of memory, promised are at most %d", peak, maxMemory)
		}
	}
}

// peakOf runs a program and gives the most memory that it had, in kB. The kernel keeps that maximum (VmHWM), so looking now and
// then is enough. What it tells at the end (rusage) will not do: that counts this process, from which the other was begun.
func peakOf(t testing.TB, program string, args ...string) (peak int64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, &said)
			}
			return peak
		case <-time.After(10 * time.Millisecond):
			peak = max(peak, highWater(cmd.Process.Pid))
		}
	}
}

// highWater is the most memory that a process had so far, in kB; 0 if it is gone.
func highWater(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), "\nVmHWM:")
	line, _, _ := strings.Cut(after, "\n")
	n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(line), " kB"), 10, 64)
	return n
}
