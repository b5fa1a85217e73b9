//go:build linux

package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/moby/buildkit/executor"
	resourcestypes "github.com/moby/buildkit/executor/resources/types"
	"github.com/moby/buildkit/util/grpcerrors"
	"github.com/sirupsen/logrus"
	"google.golang.org/grpc/codes"
)

const (
	// engineScore keeps the kernel from ending the engine where a step is at fault:
	// of the processes under the limit it takes the largest, and the engine's size
	// counts less by nine tenths of the limit.
	engineScore = -900
	// engineShare is what the steps leave to the engine of the limit for both.
	engineShare = 64 << 20
	// minHeap is the least that the engine's own heap is held to.
	minHeap = 64 << 20
)

// memory is the limit of one engine: for its process and the containers of its
// steps together, which share a control group. It can be set while the engine
// works, so a run that wants another limit need not wait for the others; it is
// lowered only while nobody else is connected, whose steps it might end.
type memory struct {
	// group is the control group's path below each hierarchy's mount.
	group string
	// elsewhere is the control group that buildkitd.toml gives the steps, if any.
	elsewhere string
	// kept says that the engine is a plain user's, whose steps have no control group.
	kept bool
	// stepScore is the kernel's score for steps: what the engine's was at first.
	stepScore *int

	mu    sync.Mutex
	limit int64
	note  string
	// joined is the group once the engine is in it.
	joined *memoryGroup
}

func newMemory(c childOptions, cfg Config) *memory {
	m := &memory{group: c.cgroup(), elsewhere: cfg.Workers.OCI.DefaultCgroupParent, kept: c.kept}
	if !c.kept {
		m.stepScore = ownScore()
	}
	return m
}

// hear handles a client's wish for a limit, in bytes, and gives the limit in
// force with a word about one that is not. Others is how many clients are
// connected beside the one that asks.
func (m *memory) hear(wish string, others int) (limit int64, note string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	want, err := strconv.ParseInt(wish, 10, 64)
	if err != nil || want <= 0 || want == m.limit {
		return m.limit, m.note
	}
	if others > 0 && (m.limit == 0 || want < m.limit) {
		return m.limit, "others are building on the engine, and less might end their steps"
	}
	if err := m.set(want); err != nil {
		logrus.Warnf("engine: no memory limit of %d bytes: %v", want, err)
		m.note = err.Error()
		return m.limit, m.note
	}
	logrus.Infof("engine: memory limit %d bytes", want)
	m.limit, m.note = want, ""
	if m.elsewhere != "" {
		m.note = fmt.Sprintf("it is the engine's alone: buildkitd.toml puts the steps into the control group %s", m.elsewhere)
	}
	return m.limit, m.note
}

// set puts a limit in force. The engine's own heap is held to a quarter of it
// also where there is no control group to be had.
func (m *memory) set(limit int64) error {
	debug.SetMemoryLimit(max(limit/4, minHeap))
	if m.joined != nil {
		return m.joined.limit(limit)
	}
	if m.kept {
		return errors.New("the engine of a plain user has no control groups; its own heap alone is held down")
	}
	h, err := findMemoryHierarchy()
	if err != nil {
		return err
	}
	joined, err := h.join(m.group, limit)
	if err != nil {
		return err
	}
	m.joined = joined
	// Where that is not allowed, the kernel's choice is a little worse.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(engineScore)), 0o644)
	return nil
}

// leave takes the engine out of the control group, so that it can be removed
// with what is left in it.
func (m *memory) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.joined != nil {
		m.joined.leave()
		m.joined = nil
	}
}

// ended counts the times that the kernel has ended something for want of memory
// under the limit.
func (m *memory) ended() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.joined == nil {
		return 0
	}
	return m.joined.ended()
}

// ownScore is the kernel's score for this process in want of memory.
func ownScore() *int {
	data, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return nil
	}
	score, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return nil
	}
	return &score
}

// bounded runs containers and says of one that failed while the engine ran out
// of its memory that this was why. The error is the step's, with gRPC's code
// for exhausted resources, which clients can tell from a step's own failure.
type bounded struct {
	executor.Executor
	memory *memory
}

func (b bounded) Run(ctx context.Context, id string, rootfs executor.Mount, mounts []executor.Mount, process executor.ProcessInfo, started chan<- struct{}) (resourcestypes.Recorder, error) {
	before := b.memory.ended()
	rec, err := b.Executor.Run(ctx, id, rootfs, mounts, process, started)
	return rec, b.explain(ctx, before, process, err)
}

func (b bounded) Exec(ctx context.Context, id string, process executor.ProcessInfo) error {
	before := b.memory.ended()
	return b.explain(ctx, before, process, b.Executor.Exec(ctx, id, process))
}

func (b bounded) explain(ctx context.Context, before uint64, process executor.ProcessInfo, err error) error {
	if ctx.Err() != nil || b.memory.ended() == before {
		return err
	}
	limit := IEC(b.memory.inForce())
	if err != nil {
		return grpcerrors.WrapCode(fmt.Errorf("out of memory, the engine and its steps may take %s: %w", limit, err), codes.ResourceExhausted)
	}
	// It was of this step or of another that ran at the time: no reason to fail.
	if process.Stderr != nil {
		fmt.Fprintf(process.Stderr, "archbuild: warning: while this step ran, the kernel ended a program: the engine and its steps may take %s\n", limit)
	}
	return nil
}

// inForce is the limit, in bytes.
func (m *memory) inForce() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.limit
}

// memoryHierarchy is where the kernel keeps the control groups of memory.
type memoryHierarchy struct {
	point string
	// unified says that it is the one hierarchy of cgroup v2.
	unified bool
}

// memoryGroup is a control group that this process has joined.
type memoryGroup struct {
	memoryHierarchy
	dir string
	// home is the group that the process came from.
	home string
	// events counts the kernel's notices, where the kernel gives such.
	events *eventCount
}

// findMemoryHierarchy finds it among the mounts. On a machine with both versions
// of control groups, memory belongs to one of them.
func findMemoryHierarchy() (memoryHierarchy, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return memoryHierarchy{}, fmt.Errorf("reading the mounts: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		left, right, _ := strings.Cut(line, " - ")
		fields, kind := strings.Fields(left), strings.Fields(right)
		if len(fields) < 5 || len(kind) < 3 {
			continue
		}
		h := memoryHierarchy{point: unescape(fields[4]), unified: kind[0] == "cgroup2"}
		switch {
		case kind[0] == "cgroup" && listsMemory(kind[2], ","):
			return h, nil
		case h.unified && listsMemory(h.read("cgroup.controllers"), " "):
			return h, nil
		}
	}
	return memoryHierarchy{}, fmt.Errorf("this machine has no control groups for memory")
}

// listsMemory says whether memory is among the controllers that text lists.
func listsMemory(text, separator string) bool {
	return slices.Contains(strings.Split(strings.TrimSpace(text), separator), "memory")
}

func (h memoryHierarchy) read(path string) string {
	data, _ := os.ReadFile(filepath.Join(h.point, path))
	return string(data)
}
