package main_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"testing"
	"time"

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
	for range b.N {
		to := registrytest.NewEndless(b, 0, 0)
		cmd := exec.CommandContext(b.Context(), program(b, "archbuild"), "manifest", "create", "--state", b.TempDir(), "-t", to.Addr+"/to/app:1", from.Addr+"/from/app:1")
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		began := time.Now()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		watched := registrytest.WatchMemory(cmd.Process.Pid)
		err := cmd.Wait()
		peak, took := watched(), time.Since(began)
		if err != nil {
			b.Fatalf("%v\n%s", err, &said)
		}
		if wrong := from.Lacks(to); wrong != "" {
			b.Error(wrong)
		}
		fmt.Printf("  copied %d MB between two registries of this machine in %d ms; memory %d MB\n", copied>>20, took.Milliseconds(), peak>>10)
		b.ReportMetric(float64(peak)/1024, "MB-memory")
		if peak > maxMemory {
			b.Errorf("archbuild took %d kB of memory, promised are at most %d", peak, maxMemory)
		}
	}
}
