package nodes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/client"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/platform"
)

// Facts is what a node says of itself, as data. What is not known is nil.
type Facts struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	// From is where the node was named.
	From      string `json:"from"`
	Reachable bool   `json:"reachable"`
	// Error is why it is not, on one line.
	Error string `json:"error,omitempty"`
	// Note is what to know about it besides.
	Note string `json:"note,omitempty"`
	// BuildKit is the version of the server.
	BuildKit string `json:"buildkit"`
	// Native platforms run there by themselves, Emulated ones by an emulator;
	// Declared are those that its owner has named.
	Native   []platform.Platform `json:"native"`
	Emulated []platform.Platform `json:"emulated"`
	Declared []platform.Platform `json:"declared"`
	// Listed are all that the server names, its own first.
	Listed []platform.Platform `json:"-"`
	Cores  *int                `json:"cores"`
	// Slots are the platforms that are built there at once.
	Slots  int     `json:"slots"`
	Weight float64 `json:"weight"`
	// Running are the builds that the server has in its history as not ended.
	// Those of a private engine are in none.
	Running *int `json:"running"`
	// DiskFree and CacheSize are bytes.
	DiskFree  *int64 `json:"diskFree"`
	CacheSize *int64 `json:"cacheSize"`
	// Hint is what to do about Error.
	Hint string `json:"hint,omitempty"`
}

// Open connects to a node that is not the private engine. The error is the Spec's
// own, or a *builder.NodeError.
func Open(ctx context.Context, s Spec) (*builder.Node, error) {
	if s.Err != nil {
		return nil, s.Err
	}
	node, err := builder.DialTLS(ctx, s.Address, s.TLS)
	if err != nil {
		return nil, err
	}
	node.Name, node.Passwords = s.Name, s.Passwords
	return node, nil
}

// Look asks a node all that `archbuild node ls` shows. It does not fail: what
// went wrong is in the facts. The context bounds how long it may take.
func Look(ctx context.Context, s Spec) Facts {
	node, err := Open(ctx, s)
	if err != nil {
		return Silent(s, err)
	}
	defer node.Client.Close()
	return Ask(ctx, s, node)
}

// Silent is a node of which nothing is known but that it does not answer.
func Silent(s Spec, err error) Facts {
	f := facts(s)
	var outer *builder.NodeError
	if errors.As(err, &outer) {
		f.Hint = s.trial()
		err = outer.Err
	}
	if hint := hintOf(err); hint != "" {
		f.Hint = hint
	}
	f.Error = reason(err)
	return f
}

func facts(s Spec) Facts {
	f := Facts{
		Name: s.Name, Address: s.Address, From: s.From, Declared: s.Platforms, Native: s.Platforms,
		Emulated: []platform.Platform{}, Weight: s.Weight, Slots: s.Slots(0),
	}
	if f.Declared == nil {
		f.Native, f.Declared = []platform.Platform{}, []platform.Platform{}
	}
	return f
}

// Ask is Look for a node that is connected.
func Ask(ctx context.Context, s Spec, node *builder.Node) Facts {
	f := facts(s)
	f.Reachable, f.BuildKit, f.Listed = true, node.Version, node.Platforms
	var all sync.WaitGroup
	var machine Machine
	var known error
	all.Go(func() { machine, known = AskMachine(ctx, node.Client, node.Platforms[0]) })
	all.Go(func() { f.Running = running(ctx, node.Client) })
	all.Go(func() { f.CacheSize = cacheSize(ctx, node.Client) })
	var compat []platform.Platform
	all.Go(func() { compat = unaided(ctx, s, node) })
	all.Wait()
	f.Native, f.Emulated = s.Split(node.Platforms, compat)
	if known == nil {
		f.Cores, f.Slots = &machine.Cores, s.Slots(machine.Cores)
		if machine.DiskFree > 0 {
			f.DiskFree = &machine.DiskFree
		}
	}
	if missing := s.notListed(node.Platforms); len(missing) > 0 {
		f.Note = fmt.Sprintf("declared for %s, which the server does not list", missing[0])
	}
	return f
}

// Slots is how many platforms are built on a node at once: what the user said,
// else one for each core, and two at least: much of a build is waiting for networks
// and disks. 0 cores are not known.
func (s Spec) Slots(cores int) int {
	if s.Jobs > 0 {
		return s.Jobs
	}
	return max(2, cores)
}

// Split tells which platforms a node is native for. Those that its owner has
// declared are; else the first that the server lists, which is its own, others of
// the same architecture, and those that are known to run there without an
// emulator. What else the server lists, it emulates.
func (s Spec) Split(listed, unaided []platform.Platform) (native, emulated []platform.Platform) {
	native, emulated = slices.Clone(s.Platforms), []platform.Platform{}
	for _, p := range listed {
		own := len(s.Platforms) == 0 && (p.OS == listed[0].OS && p.Arch == listed[0].Arch || slices.Contains(unaided, p))
		switch {
		case slices.Contains(native, p) || slices.Contains(emulated, p):
		case own:
			native = append(native, p)
		default:
			emulated = append(emulated, p)
		}
	}
	return native, emulated
}

func (s Spec) notListed(listed []platform.Platform) (missing []platform.Platform) {
	for _, p := range s.Platforms {
		if !slices.ContainsFunc(listed, func(l platform.Platform) bool { return p.Serves(l) }) {
			missing = append(missing, p)
		}
	}
	return missing
}

// guests are the architectures whose programs some CPUs of another run by
// themselves: not all arm64 ones run 32-bit programs, and not all kernels let them.
var guests = map[string]string{"amd64": "386", "arm64": "arm"}

// unaided tries which listed platforms of another architecture run without an
// emulator. The server's list does not tell: an emulator answers to it as well.
func unaided(ctx context.Context, s Spec, node *builder.Node) (found []platform.Platform) {
	if len(s.Platforms) > 0 {
		return nil
	}
	own, tried := node.Platforms[0], false
	for _, p := range node.Platforms {
		if p.OS != own.OS || p.Arch != guests[own.Arch] || p.Arch == "" {
			continue
		}
		// One answer holds for all variants that the server lists.
		if !tried {
			machine, err := AskMachine(ctx, node.Client, p)
			if err != nil || machine.Emulated {
				return nil
			}
			tried = true
		}
		found = append(found, p)
	}
	return found
}

// running counts the builds that have not ended.
func running(ctx context.Context, c *client.Client) *int {
	stream, err := c.ControlClient().ListenBuildHistory(ctx, &controlapi.BuildHistoryRequest{ActiveOnly: true, EarlyExit: true})
	for n := 0; err == nil; n++ {
		if _, err = stream.Recv(); errors.Is(err, io.EOF) {
			return &n
		}
	}
	return nil
}

func cacheSize(ctx context.Context, c *client.Client) *int64 {
	records, err := c.DiskUsage(ctx)
	if err != nil {
		return nil
	}
	total := int64(0)
	for _, r := range records {
		total += r.Size
	}
	return &total
}

// grace is how long a look that was told to end may take to do so.
const grace = time.Second

// LookAtAll looks at all nodes at once and waits for each at most so long, also
// for one whose connection hangs. The answers come in the order of the nodes.
func LookAtAll(ctx context.Context, list []Spec, limit time.Duration, look func(context.Context, Spec) Facts) []Facts {
	found := make([]Facts, len(list))
	var all sync.WaitGroup
	for i, s := range list {
		all.Go(func() {
			ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
			defer cancel()
			answer := make(chan Facts, 1)
			go func() { answer <- look(ctx, s) }()
			select {
			case found[i] = <-answer:
				return
			case <-ctx.Done():
			}
			select {
			case found[i] = <-answer:
			case <-time.After(grace):
				found[i] = Silent(s, &builder.NodeError{Address: s.Address, Err: context.Cause(ctx)})
			}
		})
	}
	all.Wait()
	return found
}
