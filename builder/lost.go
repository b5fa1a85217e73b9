package builder

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Not every failure is the Dockerfile's. Where the node is to blame the job can be
// built on another one: its error is then a LostError, a FullError or a CrashError.

// LostError says that the node went away while it was building, or no longer answers.
type LostError struct {
	Node     string
	Platform platform.Platform
	// Memory is what the node may take, in bytes; 0 is no known limit.
	Memory int64
	// Back says that only the connection broke: the node answers again.
	Back bool
	Err  error
}

func (e *LostError) Error() string {
	if e.Platform == (platform.Platform{}) { // It was found out between jobs.
		return fmt.Sprintf("node %s has gone: %v", e.Node, e.Err)
	}
	if e.Memory > 0 {
		return fmt.Sprintf("building %s: node %s has gone; it may take %s of memory: %v", e.Platform, e.Node, engine.IEC(e.Memory), e.Err)
	}
	return fmt.Sprintf("building %s: node %s has gone: %v", e.Platform, e.Node, e.Err)
}

// Unwrap gives what the connection said.
func (e *LostError) Unwrap() error { return e.Err }

// Reason is the cause alone, for those who have named the node already.
func (e *LostError) Reason() string {
	var wire interface{ GRPCStatus() *status.Status }
	if errors.As(e.Err, &wire) {
		return wire.GRPCStatus().Message()
	}
	return e.Err.Error()
}

// NodeLost says whether the node can do no other job either.
func (e *LostError) NodeLost() bool { return !e.Back }

// Hint says that little is lost.
func (e *LostError) Hint() string {
	if e.Memory > 0 {
		return "run the build again, with more memory if that is not enough: --engine-memory SIZE"
	}
	return "run the build again: every step that had ended is in the cache"
}

// FullError says that the disk of the node is full, or was while a step ran.
type FullError struct {
	Node string
	// Step says that only the step says so: when it had ended, and what it wrote was gone,
	// the node had room again.
	Step bool
	Err  error
}

func (e *FullError) Error() string {
	if e.Step {
		return fmt.Sprintf("%v\n       the step had no space left on node %s", e.Err, e.Node)
	}
	return fmt.Sprintf("no space is left on node %s: %v", e.Node, e.Err)
}

// Unwrap gives the job's own error.
func (e *FullError) Unwrap() error { return e.Err }

// NodeLost says whether the node can do no other job either.
func (e *FullError) NodeLost() bool { return !e.Step }

// OnlyElsewhere says that it is of no use to try the same node again.
func (e *FullError) OnlyElsewhere() bool { return e.Step }

// Hint says how to get room.
func (e *FullError) Hint() string {
	return fmt.Sprintf("free some space on node %s: BuildKit's cache is pruned by `buildctl prune` there, the engine's by `archbuild engine prune`", e.Node)
}

// CrashError says that an emulator crashed under a step, which emulators do at random.
type CrashError struct {
	Node string
	Err  error
}

func (e *CrashError) Error() string {
	return fmt.Sprintf("%v\n       the emulator on node %s crashed", e.Err, e.Node)
}

// Unwrap gives the job's own error.
func (e *CrashError) Unwrap() error { return e.Err }

// NodeLost says that the node lives on.
func (e *CrashError) NodeLost() bool { return false }

// Hint names what does without an emulator.
func (e *CrashError) Hint() string {
	return "run the build again, or build on a node that needs no emulator: --node ADDRESS"
}

// failure finds out why a job gave no result, and who is to blame.
func (s *Session) failure(ctx context.Context, job plan.Job, opts Options, err error, watch *watcher) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	switch grpcerrors.Code(err) {
	case codes.Unavailable, codes.Canceled: // nobody on this side has cancelled it
		return &LostError{Node: s.node.Name, Platform: job.Platform, Memory: s.node.Memory, Back: s.back(ctx), Err: err}
	}
	failed := explain(job, opts.Template, err, watch, s.node.Memory)
	full, step := s.full(ctx, failed)
	switch {
	case full:
		return &FullError{s.node.Name, step, failed}
	case crashed(job, failed):
		return &CrashError{s.node.Name, failed}
	case failed.ExitCode == 0 && len(s.refused.Passwords()) > 0:
		return &PasswordError{Node: s.node.Name, Registries: s.refused.Passwords(), Err: failed}
	}
	return failed
}

// back says whether the node answers over a new connection, which may be refused once while it
// is made. The session does not come back: when its loss is known, another one is to be started.
func (s *Session) back(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	for range 2 {
		if s.node.Ping(ctx) == nil {
			select {
			case <-s.ended:
				return true
			case <-ctx.Done():
				return false
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(1200 * time.Millisecond): // what gRPC waits before it dials again, and some more
		}
	}
	return false
}

// full says whether the node's disk is. What a node says of itself counts. What a step
// says may be about any disk, and what it wrote is gone when it has failed: so the node
// has to show whether it has some room, and with some, only the step was short of it.
func (s *Session) full(ctx context.Context, failed *Error) (full, step bool) {
	words := syscall.ENOSPC.Error() // An error number does not travel; its text does.
	if failed.ExitCode == 0 {
		return strings.Contains(failed.Err.Error(), words), false
	}
	if !slices.ContainsFunc(failed.Log, func(line string) bool { return strings.Contains(strings.ToLower(line), words) }) {
		return false, false
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	_, err := s.node.write(ctx, needed)
	return true, err == nil || !strings.Contains(err.Error(), words)
}

// needed is how much a node that is not full can write, in bytes.
const needed = 3 << 20

// write has the node write a file that no cache has.
func (n *Node) write(ctx context.Context, size int) (*client.SolveResponse, error) {
	noise := make([]byte, size)
	if _, err := rand.Read(noise); err != nil {
		return nil, fmt.Errorf("making random bytes: %w", err)
	}
	def, err := llb.Scratch().File(llb.Mkfile("/room", 0o600, noise), llb.IgnoreCache).Marshal(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for a file: %w", err)
	}
	return n.Client.Solve(ctx, def, client.SolveOpt{Internal: true}, nil)
}

// emulatorCrash is what qemu says when what it runs, or qemu itself, gets a signal
// that ends it: 4 and 11 are those of its own faults.
var emulatorCrash = regexp.MustCompile(`qemu: uncaught target signal (4|11)\b`)

// crashed says whether an emulator may have failed a step: one that it ran ended by
// signal 4 or 11. A program that has the fault itself cannot be told from that.
func crashed(job plan.Job, failed *Error) bool {
	emulated := false
	for _, stage := range job.Stages {
		if stage.Line <= failed.Line {
			emulated = stage.How == plan.Emulated
		}
	}
	return emulated && (failed.ExitCode == 128+int(syscall.SIGSEGV) || failed.ExitCode == 128+int(syscall.SIGILL) ||
		failed.ExitCode != 0 && slices.ContainsFunc(failed.Log, emulatorCrash.MatchString))
}

// Ping asks the node for a sign of life.
func (n *Node) Ping(ctx context.Context) error {
	_, err := n.Client.Info(ctx)
	return err
}

// HangError says that a node keeps its connection and does not answer.
type HangError struct{ After time.Duration }

func (e *HangError) Error() string { return fmt.Sprintf("no answer for %s", e.After) }

// IsNodes says whether a failure is a node's: another node may do the job.
func IsNodes(err error) (blamed, lost bool) {
	var blame interface{ NodeLost() bool }
	if errors.As(err, &blame) {
		return true, blame.NodeLost()
	}
	return false, false
}
