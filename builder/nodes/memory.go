package nodes

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/platform"
)

// Seen is what a node was when it answered last: a build has to know what the node
// was native for when it does not answer now, and what its cores are without
// asking each time.
type Seen struct {
	Address string `json:"address"`
	// Native platforms, and all that the server listed.
	Native []platform.Platform `json:"native"`
	Listed []platform.Platform `json:"listed"`
	// Declared are those that its owner had named then.
	Declared []platform.Platform `json:"declared,omitempty"`
	Cores    int                 `json:"cores,omitempty"`
	BuildKit string              `json:"buildkit,omitempty"`
	When     time.Time           `json:"when"`
}

// Platforms are those of a server, which may list some that archbuild does not
// know: unlike a Platform alone, they are read from JSON as they were written.
type Platforms []platform.Platform

// UnmarshalJSON reads a list of os/arch[/variant].
func (p *Platforms) UnmarshalJSON(data []byte) error {
	var words []string
	if err := json.Unmarshal(data, &words); err != nil {
		return err
	}
	*p = Platforms{}
	for _, word := range words {
		parts := append(strings.SplitN(word, "/", 3), "", "")
		*p = append(*p, platform.Platform{OS: parts[0], Arch: parts[1], Variant: parts[2]})
	}
	return nil
}

// The memory is bounded: the nodes that were seen longest ago are forgotten first.
const (
	memoryFile   = "nodes.json"
	maxRemarked  = 500
	maxMemory    = 4 << 20
	refreshAfter = 24 * time.Hour
	// retryAfter is for nodes on which the program did not run.
	retryAfter = 10 * time.Minute
)

// memory is the file nodes.json.
type memory struct {
	Nodes []Seen `json:"nodes"`
}

// Recall tells what a node was when it was seen last. A memory that is missing or
// broken has seen nothing.
func Recall(dir, address string) (Seen, bool) {
	for _, seen := range load(dir).Nodes {
		if seen.Address == address {
			return seen, true
		}
	}
	return Seen{}, false
}

// Remember keeps what nodes were that answered, in the file nodes.json of a
// folder. Several processes may do so at once. Nodes without an answer are left as
// they were. Who cannot write there builds all the same: the error is for a log.
func Remember(dir string, now time.Time, facts ...Facts) error {
	var list []Seen
	for _, f := range facts {
		if !f.Reachable {
			continue
		}
		s := Seen{Address: f.Address, Native: f.Native, Listed: f.Listed, Declared: f.Declared, BuildKit: f.BuildKit, When: now.UTC()}
		if f.Cores != nil {
			s.Cores = *f.Cores
		}
		list = append(list, s)
	}
	return remember(dir, list)
}

func remember(dir string, list []Seen) error {
	if len(list) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("remembering nodes: %w", err)
	}
	unlock, err := lock(dir)
	if err != nil {
		return fmt.Errorf("remembering nodes: %w", err)
	}
	defer unlock()
	m := load(dir)
	for _, s := range list {
		if !s.small() {
			continue
		}
		m.Nodes = slices.DeleteFunc(m.Nodes, func(old Seen) bool { return old.Address == s.Address })
		m.Nodes = append(m.Nodes, s)
	}
	slices.SortFunc(m.Nodes, func(a, b Seen) int {
		if order := b.When.Compare(a.When); order != 0 {
			return order
		}
		return strings.Compare(a.Address, b.Address)
	})
	m.Nodes = m.Nodes[:min(len(m.Nodes), maxRemarked)]
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("remembering nodes: %w", err)
	}
	if err := replace(filepath.Join(dir, memoryFile), append(data, '\n')); err != nil {
		return fmt.Errorf("remembering nodes: %w", err)
	}
	return nil
}

// small says whether a node's words about itself are worth remembering: a server can
// say anything, and must not push the others out.
func (s Seen) small() bool {
	const mostPlatforms, longest = 100, 64
	for _, list := range []Platforms{s.Native, s.Listed, s.Declared} {
		if len(list) > mostPlatforms || slices.ContainsFunc(list, func(p platform.Platform) bool { return len(p.String()) > longest }) {
			return false
		}
	}
	return len(s.BuildKit) <= longest
}

// load reads the memory; what cannot be read is empty.
func load(dir string) (m memory) {
	f, err := os.Open(filepath.Join(dir, memoryFile))
	if err != nil {
		return m
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxMemory)).Decode(&m); err != nil {
		return memory{}
	}
	return m
}

// lock waits for the other processes that remember something. The folder itself is
// the lock: a file would be replaced, and one more would have to be explained.
func lock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// replace writes a file so that readers see the old one or the new one. One process
// at a time does.
func replace(path string, data []byte) error {
	err := os.WriteFile(path+".new", data, 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		_ = os.Remove(path + ".new")
	}
	return err
}

// Learn tells what a build has to know of a connected node. What was seen within
// the last day and still fits the server is not asked again; what was asked is
// remembered in the folder. Cores are 0 where they are not known.
func Learn(ctx context.Context, dir string, now time.Time, s Spec, node *builder.Node) Seen {
	old, known := Recall(dir, s.Address)
	fresh := refreshAfter
	if old.Cores == 0 {
		fresh = retryAfter
	}
	same := known && old.BuildKit == node.Version && now.Sub(old.When) < fresh && !now.Before(old.When) && sameSet(old.Listed, node.Platforms)
	if same && slices.Equal(old.Declared, s.Platforms) {
		return old
	}
	seen := Seen{Address: s.Address, Listed: node.Platforms, Declared: s.Platforms, BuildKit: node.Version, When: now.UTC(), Cores: old.Cores}
	ctx, cancel := context.WithTimeout(ctx, learnTimeout)
	defer cancel()
	if machine, err := AskMachine(ctx, node.Client, node.Platforms[0]); err == nil {
		seen.Cores = machine.Cores
	}
	seen.Native, _ = s.Split(node.Platforms, unaided(ctx, s, node))
	// A build goes on without a memory.
	_ = remember(dir, []Seen{seen})
	return seen
}

// learnTimeout bounds what is asked before a build: its answers are only helpful.
const learnTimeout = 5 * time.Second

func sameSet(a, b []platform.Platform) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, platform.Platform.Compare)
	slices.SortFunc(b, platform.Platform.Compare)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}
