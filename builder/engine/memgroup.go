//go:build linux

package engine

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// stepsGroup is the name of the group below which BuildKit makes those of its
// containers, engineGroup that of the one for the engine's own process: with
// cgroup v2 a group that has groups has no processes.
const (
	stepsGroup  = "buildkit"
	engineGroup = "engine"
)

// join makes the control group, limits it and moves this process into it.
func (h memoryHierarchy) join(group string, limit int64) (*memoryGroup, error) {
	g := &memoryGroup{memoryHierarchy: h, dir: filepath.Join(h.point, group), home: h.home()}
	own := filepath.Join(g.dir, engineGroup)
	for _, dir := range []string{g.steps(), own} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("making a control group: %w", err)
		}
	}
	// Refused where processes live beside the groups, as in most containers.
	for _, parent := range []string{h.point, g.dir} {
		if err := h.enable(parent); err != nil {
			return nil, err
		}
	}
	if err := g.limit(limit); err != nil {
		return nil, err
	}
	if err := g.watch(); err != nil {
		return nil, err
	}
	return g, writeControl(own, "cgroup.procs", strconv.Itoa(os.Getpid()))
}

// enable has the kernel count memory in the groups below dir. With v1 it does.
func (h memoryHierarchy) enable(dir string) error {
	const file = "cgroup.subtree_control"
	if !h.unified {
		return nil
	}
	if data, _ := os.ReadFile(filepath.Join(dir, file)); listsMemory(string(data), " ") {
		return nil
	}
	return writeControl(dir, file, "+memory")
}

func (g *memoryGroup) steps() string { return filepath.Join(g.dir, stepsGroup) }

// limit sets the group's limit, and that of the steps in it, which leave the
// engine its share: whatever they do, it is never the engine that is ended for
// it. The kernel refuses a limit that is already passed and cannot be met (v1),
// or meets it by ending processes (v2).
func (g *memoryGroup) limit(bytes int64) error {
	file := "memory.limit_in_bytes"
	if g.unified {
		file = "memory.max"
	}
	if err := writeControl(g.dir, file, strconv.FormatInt(bytes, 10)); err != nil {
		return err
	}
	return writeControl(g.steps(), file, strconv.FormatInt(bytes-engineShare, 10))
}

// leave moves this process back.
func (g *memoryGroup) leave() {
	pid := strconv.Itoa(os.Getpid())
	if writeControl(g.home, "cgroup.procs", pid) != nil {
		_ = writeControl(g.point, "cgroup.procs", pid) // the sweep says what it cannot remove
	}
	if g.events != nil {
		g.events.close()
	}
}

// home is the folder of the control group in which this process is.
func (h memoryHierarchy) home() string {
	data, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		if h.unified && fields[0] == "0" || !h.unified && listsMemory(fields[1], ",") {
			return filepath.Join(h.point, fields[2])
		}
	}
	return h.point
}

// watch has the kernel count what it ends. With v2 it does so anyway; with v1 it
// counts in the victim's own group, which is gone when one would look, but it
// tells everybody who asks that the group has come to its limit.
func (g *memoryGroup) watch() error {
	if g.unified {
		return nil
	}
	// The steps' group hears of the one above too.
	control, err := os.Open(filepath.Join(g.steps(), "memory.oom_control"))
	if err != nil {
		return fmt.Errorf("watching a control group: %w", err)
	}
	defer control.Close()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watching a control group: %w", err)
	}
	g.events = &eventCount{fd: fd}
	return writeControl(g.steps(), "cgroup.event_control", fmt.Sprintf("%d %d", fd, control.Fd()))
}

// ended counts the times that something could not have memory for want of these
// limits. What happens in groups above and below is not among them.
func (g *memoryGroup) ended() uint64 {
	if g.events != nil {
		return g.events.count()
	}
	return oomEvents(g.dir) + oomEvents(g.steps())
}

// oomEvents is what cgroup v2 counts for a group itself.
func oomEvents(dir string) uint64 {
	data, _ := os.ReadFile(filepath.Join(dir, "memory.events.local"))
	for line := range strings.Lines(string(data)) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); name == "oom" {
			n, _ := strconv.ParseUint(value, 10, 64)
			return n
		}
	}
	return 0
}

// eventCount adds up what the kernel writes to an eventfd.
type eventCount struct {
	mu  sync.Mutex
	fd  int
	sum uint64
}

func (e *eventCount) count() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	var news [8]byte
	if n, err := unix.Read(e.fd, news[:]); err == nil && n == len(news) {
		e.sum += binary.NativeEndian.Uint64(news[:])
	}
	return e.sum
}

func (e *eventCount) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	unix.Close(e.fd)
	e.fd = -1
}

// writeControl writes to a file of a control group. No file is made: one that is
// not there is a controller that is not on.
func writeControl(dir, file, text string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(text)
		f.Close()
	}
	if err != nil {
		return fmt.Errorf("setting up a control group: %w", err)
	}
	return nil
}
