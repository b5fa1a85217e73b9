package nodes

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"

	"github.com/archbuild/archbuild/platform"
)

// programs tell what a machine is, by architecture; machine/machine.c is their
// source and says what they print.
//
//go:embed machine/386 machine/amd64 machine/arm machine/arm64 machine/ppc64le machine/riscv64 machine/s390x
var programs embed.FS

// Machine is what a program that ran on a node has told: what no API of
// BuildKit's does.
type Machine struct {
	// Cores that builds may use.
	Cores int
	// DiskFree is the room for what is built, in bytes.
	DiskFree int64
	// Emulated says that an emulator ran the program.
	Emulated bool
}

var (
	errNoProgram  = errors.New("archbuild has no program for that platform")
	errNoSentence = errors.New("the program did not say what it should")
)

// AskMachine runs a program of the platform on a node, in an empty container
// without network, and leaves nothing behind but the program itself, a kilobyte,
// in the node's cache. It can fail for many reasons that say nothing of the node:
// a build may still succeed there.
func AskMachine(ctx context.Context, c *client.Client, p platform.Platform) (Machine, error) {
	program, err := programs.ReadFile("machine/" + p.Arch)
	if err != nil || p.OS != "linux" {
		return Machine{}, fmt.Errorf("asking a machine for %s: %w", p, errNoProgram)
	}
	var said sentence
	build := func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		return gateway.NewResult(), runProgram(ctx, c, p, program, &said)
	}
	// Internal: the node keeps no record of it, and counts it as no running build.
	if _, err := c.Build(ctx, client.SolveOpt{Internal: true}, "", build, nil); err != nil {
		return Machine{}, fmt.Errorf("asking a machine for %s: %w", p, err)
	}
	return parseMachine(said.text())
}

const programPath = "/archbuild"

// runProgram is a process of the gateway's, not a step of a build: so its files are
// gone when it ends, and its answer is never one of the cache.
func runProgram(ctx context.Context, c gateway.Client, p platform.Platform, program []byte, out *sentence) error {
	def, err := llb.Scratch().File(llb.Mkfile(programPath, 0o755, program), llb.WithCustomName("look at the machine")).Marshal(ctx, llb.Platform(p.OCI()))
	if err != nil {
		return err
	}
	solved, err := c.Solve(ctx, gateway.SolveRequest{Definition: def.ToPB(), Evaluate: true})
	if err != nil {
		return err
	}
	ref, err := solved.SingleRef()
	if err != nil {
		return err
	}
	container, err := c.NewContainer(ctx, gateway.NewContainerRequest{
		Mounts:   []gateway.Mount{{Dest: "/", MountType: pb.MountType_BIND, Ref: ref}},
		NetMode:  pb.NetMode_NONE,
		Platform: &pb.Platform{OS: p.OS, Architecture: p.Arch, Variant: p.Variant},
	})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		_ = container.Release(ctx) // the node does it by itself when the session ends
	}()
	process, err := container.Start(ctx, gateway.StartRequest{Args: []string{programPath}, Cwd: "/", Stdout: out, Stderr: &sentence{}})
	if err != nil {
		return err
	}
	return process.Wait()
}

// sentence keeps the beginning of what a program prints.
type sentence struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// maxSentence is more than the program ever prints.
const maxSentence = 1 << 10

// Write implements io.Writer; what is too much is dropped.
func (s *sentence) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf.Write(data[:min(len(data), maxSentence-s.buf.Len())])
	return len(data), nil
}

// Close implements io.Closer.
func (*sentence) Close() error { return nil }

func (s *sentence) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// parseMachine reads what the program has printed. A node may print anything.
func parseMachine(text string) (Machine, error) {
	words := strings.SplitN(strings.TrimSuffix(text, "\n"), " ", 5)
	if len(words) != 5 || words[0] != "archbuild" {
		return Machine{}, errNoSentence
	}
	var numbers [3]uint64
	for i := range numbers {
		n, err := strconv.ParseUint(words[i+1], 16, 64)
		if err != nil {
			return Machine{}, errNoSentence
		}
		numbers[i] = n
	}
	cores, size, blocks := numbers[0], numbers[1], numbers[2]
	if cores == 0 || cores > 1<<16 || size > 0 && blocks > math.MaxInt64/size {
		return Machine{}, errNoSentence
	}
	return Machine{Cores: int(cores), DiskFree: int64(size * blocks), Emulated: words[4] != programPath}, nil
}
