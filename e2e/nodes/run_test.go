package nodes_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	controlapi "github.com/moby/buildkit/api/services/control"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/fixtures"
	"github.com/archbuild/archbuild/internal/registrytest"
)

// work is one build: a few templates of a few steps each.
type work struct {
	// name is that of its steps and its images; nothing of an earlier build serves it.
	name      string
	paths     int // 0 is one
	steps     int // of each; 0 is one
	platforms []string
	nodes     []string // all four, if there are none
	declared  bool     // each node is said to be for its own platform
	flags     []string
}

// both are the platforms that the nodes have.
var both = []string{"linux/amd64", "linux/arm64"}

// result is what the program left.
type result struct {
	code           int
	stdout, stderr string
	took           time.Duration
	Images         []image
}

type image struct {
	Name      string
	Digest    string
	Tags      []string
	Platforms []built
}

// built is what --json says of one platform.
type built struct {
	Platform, Node, How, State, Error, Digest string
	Seconds                                   float64
	Log                                       []string
	Tries                                     int

	Witness struct {
		Node, Digest string
		Same         bool
	}
}

// of is what came of a platform, of the first image.
func (r result) of(t testing.TB, platform string) built {
	t.Helper()
	for _, image := range r.Images {
		for _, b := range image.Platforms {
			if b.Platform == platform {
				return b
			}
		}
	}
	t.Fatalf("--json says nothing of %s: %s\n%s", platform, r.stdout, r.stderr)
	return built{}
}

// run builds and pushes, each path as tag 1 of a repository of its own, and fails the test if the program does not end in a minute.
func (f *farm) run(t testing.TB, w work) result {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build"}
	for i := range max(w.paths, 1) {
		path := filepath.Join(dir, fmt.Sprintf("%s-%d", w.name, i))
		text := "FROM step:1\n"
		for s := range max(w.steps, 1) {
			text += fmt.Sprintf("RUN [\"/step\", \"%s-%d-%d\", \"%s\"]\n", w.name, i, s, f.director.addr)
		}
		if err := errors.Join(os.Mkdir(path, 0o755), os.WriteFile(filepath.Join(path, "Dockerfile"), []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	args = append(args, "--platform", strings.Join(w.platforms, ","), "-t", f.hub.Addr+"/{name}:1", "--push", "--json", "--progress=plain")
	for _, n := range f.nodes {
		if len(w.nodes) == 0 || slices.Contains(w.nodes, n.Name) {
			args = append(args, "--node", w.spec(n))
		}
	}
	return f.archbuilds(t, dir, append(args, w.flags...))
}

// spec is what is said of a node.
func (w work) spec(n *fixtures.Node) string {
	text := n.Address + ",name=" + n.Name
	if w.declared {
		text += ",platform=" + own(n.Name)
	}
	return text
}

func (f *farm) archbuilds(t testing.TB, dir string, args []string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, f.archbuild, args...)
	cmd.Dir, cmd.Env = dir, f.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, time.Second
	began := time.Now()
	err := cmd.Run()
	r := result{stdout: stdout.String(), stderr: stderr.String(), took: time.Since(began)}
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) && ctx.Err() == nil {
		r.code = failed.ExitCode()
	} else if err != nil {
		t.Fatalf("archbuild %s: %v\n%s", strings.Join(args, " "), errors.Join(err, ctx.Err()), r.stderr)
	}
	if r.stdout != "" {
		if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
			t.Fatalf("reading --json: %v\n%s\n%s", err, r.stdout, r.stderr)
		}
	}
	return r
}

// tag is the digest that a tag names; empty where there is none.
func (f *farm) tag(t testing.TB, name string) string {
	t.Helper()
	digest, err := registrytest.Digest(f.hub.Addr, name, "1")
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// platforms are those of a tag's index.
func (f *farm) platforms(t testing.TB, name string) []string {
	t.Helper()
	node, wrong := registrytest.Read(f.hub.Addr, name, "1")
	for _, text := range wrong {
		t.Errorf("%s: %s", name, text)
	}
	return node.Platforms()
}

// quiet says what runs on living nodes though nobody builds: builds, containers, connections. It gives them a moment to end.
func (f *farm) quiet(t testing.TB) []string {
	t.Helper()
	var busy []string
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(20 * time.Millisecond) {
		busy = nil
		for _, n := range f.nodes {
			for _, id := range n.Containers() {
				busy = append(busy, n.Name+" runs the container "+id)
			}
			if open := n.Line.Open(); open > 0 {
				busy = append(busy, fmt.Sprintf("%s has %d connections", n.Name, open))
			}
			busy = append(busy, solves(t, n)...)
		}
		if len(busy) == 0 {
			return nil
		}
	}
	return busy
}

// solves are the builds that a node says to be running.
func solves(t testing.TB, n *fixtures.Node) []string {
	t.Helper()
	node, err := builder.Dial(t.Context(), n.Socket)
	if err != nil {
		return []string{err.Error()}
	}
	defer node.Client.Close()
	history, err := node.Client.ControlClient().ListenBuildHistory(t.Context(), &controlapi.BuildHistoryRequest{ActiveOnly: true, EarlyExit: true})
	if err != nil {
		return []string{n.Name + ": " + err.Error()}
	}
	var running []string
	for {
		event, err := history.Recv()
		if err != nil {
			return running
		}
		if event.Type == controlapi.BuildHistoryEventType_STARTED {
			running = append(running, n.Name+" runs the build "+event.Record.GetRef())
		}
	}
}

// heal makes every node a good one again.
func (f *farm) heal(t testing.TB) {
	t.Helper()
	for _, n := range f.nodes {
		err := n.Line.Mend()
		if n.Alive() {
			err = errors.Join(err, n.Thaw())
		}
		// Builds add up, and BuildKit does not get over a disk that was full: such a node is replaced.
		if free, unknown := n.Free(); unknown != nil || free < disk<<20/2 {
			err = errors.Join(err, n.Restart(t.Context()))
		}
		n.Line.Reset() // A client that ended behind a cut line could not tell.
		if err != nil {
			t.Fatalf("healing %s: %v", n.Name, err)
		}
	}
}

// ok fails the test unless the program did all that it was asked to.
func (r result) ok(t testing.TB) {
	t.Helper()
	if r.code != 0 {
		t.Fatalf("exit status %d\n%s", r.code, r.stderr)
	}
}
