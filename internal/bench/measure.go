package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// command is one command line and what its runs took.
type command struct {
	name  string
	args  []string
	env   []string
	dir   string // where it runs; empty is here
	walls []time.Duration
	// work is the processor time of all counted runs together, without that of servers.
	work time.Duration
	// peak resident memory of any run, in kB.
	peak int64
}

// interleave runs every command once unmeasured, then all in turn, n times, and
// prints what they took.
func interleave(ctx context.Context, n int, commands []*command) error {
	for _, c := range commands {
		fmt.Printf("  $ %s\n", strings.Join(c.args, " "))
		if err := c.run(ctx); err != nil {
			return err
		}
		c.walls, c.work = nil, 0
	}
	for range n {
		for _, c := range commands {
			if err := c.run(ctx); err != nil {
				return err
			}
		}
	}
	for _, c := range commands {
		slices.Sort(c.walls)
		fmt.Printf("  %-12s min %4d ms  median %4d ms  max %4d ms  processor %4d ms  memory %3d MB\n", c.name,
			c.walls[0].Milliseconds(), c.median().Milliseconds(), c.walls[len(c.walls)-1].Milliseconds(), c.work.Milliseconds()/int64(n), c.peak/1024)
	}
	return nil
}

func (c *command) run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Env, cmd.Dir = c.env, c.dir
	var said strings.Builder
	cmd.Stderr = &said
	began := time.Now()
	err := cmd.Run()
	c.walls = append(c.walls, time.Since(began))
	if err != nil {
		fmt.Fprint(os.Stderr, said.String())
		return fmt.Errorf("%s: %w", c.name, err)
	}
	c.work += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.peak = max(c.peak, usage.Maxrss)
	}
	return nil
}

// median of the runs, which are sorted.
func (c *command) median() time.Duration {
	return c.walls[len(c.walls)/2]
}

// to is how the medians compare.
func (c *command) to(other *command) float64 {
	return float64(c.median()) / float64(other.median())
}

// ratio prints how the medians compare, beside what is promised, and says whether that is kept.
func ratio(a, b *command, promised float64) bool {
	verdict := "kept"
	if a.to(b) > promised {
		verdict = "NOT kept"
	}
	fmt.Printf("  %s / %s = %.2f (promised ≤ %.1f: %s)\n", a.name, b.name, a.to(b), promised, verdict)
	return a.to(b) <= promised
}

// stepsTime is the processor time that all RUN steps of the engine have taken so far, those that have ended too; 0 where the
// kernel does not say. The engine keeps its containers in a control group named after its state folder.
func (w *world) stepsTime() time.Duration {
	state, err := filepath.EvalSymlinks(filepath.Join(w.dir, "state"))
	if err != nil {
		return 0
	}
	sum := sha256.Sum256([]byte(state))
	group := "archbuild-" + hex.EncodeToString(sum[:12])
	if usage, err := os.ReadFile(filepath.Join("/sys/fs/cgroup/cpuacct", group, "cpuacct.usage")); err == nil {
		n, _ := strconv.ParseInt(strings.TrimSpace(string(usage)), 10, 64)
		return time.Duration(n)
	}
	stat, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", group, "cpu.stat"))
	if err != nil {
		return 0
	}
	_, usage, _ := strings.Cut(string(stat), "usage_usec ")
	usage, _, _ = strings.Cut(usage, "\n")
	n, _ := strconv.ParseInt(usage, 10, 64)
	return time.Duration(n) * time.Microsecond
}
