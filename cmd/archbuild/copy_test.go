package main

import (
	"os/exec"
	"testing"

	"github.com/archbuild/archbuild/internal/registrytest"
)

// The same with 10 GB is one of the benchmarks.
func TestCopyingLayersTakesNoMemory(t *testing.T) {
	const copied, most = 512 << 20, 64 << 10 // bytes, kB
	from, to, x := registrytest.NewEndless(t, 8, copied), registrytest.NewEndless(t, 0, 0), newTools(t)
	cmd := exec.CommandContext(t.Context(), "archbuild", "manifest", "create", "-t", to.Addr+"/to/app:1", from.Addr+"/from/app:1")
	cmd.Env = x.env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watched := registrytest.WatchMemory(cmd.Process.Pid)
	err := cmd.Wait()
	peak := watched()
	if err != nil {
		t.Fatal(err)
	}
	if wrong := from.Lacks(to); wrong != "" {
		t.Error(wrong)
	}
	if peak == 0 || peak > most {
		t.Errorf("it took %d kB of memory, which is more than %d", peak, most)
	}
}
