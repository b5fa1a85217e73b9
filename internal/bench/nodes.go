package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/fixtures"
)

// nodesBench measures everyday builds on two BuildKit servers, one for each of two platforms, with a context of many files of
// which nothing changed, or one file. Three commands run in turn:
//
//	archbuild   archbuild --no-resume: each node is asked, as far as its cache goes
//	buildx      docker buildx build, a builder of driver remote with the same two nodes
//	resumed     archbuild as it is: what the last run built is still there
//
// All of them push to a registry on this machine, the one output that buildx has for two nodes.
type nodesBench struct {
	runs, files, megabytes int
	nodes                  []*fixtures.Node
	world                  *world
	// dir is the context.
	dir string
}

const (
	// promised of archbuild's time as a part of buildx's; of what is sent, as a part of what changed.
	promisedNode, promisedResumed, promisedSent = 0.9, 0.4, 1.1
)

// nodesPlatforms are those of the two nodes.
var nodesPlatforms = []string{"linux/amd64", "linux/arm64"}

// nodesMain reads the command line after "nodes".
func nodesMain(ctx context.Context, args []string) (err error) {
	b := nodesBench{}
	flags := flag.NewFlagSet("bench nodes", flag.ContinueOnError)
	archbuild := flags.String("archbuild", "bin/archbuild", "the archbuild to measure")
	buildx := flags.String("buildx", "bin/buildx", "docker buildx v0.37.2")
	flags.IntVar(&b.runs, "n", 9, "counted runs of each command")
	flags.IntVar(&b.files, "files", 20000, "files in the context")
	flags.IntVar(&b.megabytes, "megabytes", 200, "their size together")
	if err := flags.Parse(args); err != nil {
		return err
	}
	hub, err := fixtures.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close(hub)) }()
	if err := b.open(ctx, hub, *archbuild, *buildx); err != nil {
		return err
	}
	return errors.Join(b.unchanged(ctx), b.changed(ctx))
}

// open starts the nodes, tells buildx of them and writes the context.
func (b *nodesBench) open(ctx context.Context, hub *fixtures.Hub, archbuild, buildx string) error {
	dir, err := os.MkdirTemp("", "archbuild-bench-")
	if err != nil {
		return err
	}
	w := &world{dir: dir, hub: hub, env: append(os.Environ(), "XDG_CONFIG_HOME="+hub.ConfigHome, "ARCHBUILD_STATE="+filepath.Join(dir, "state"), "BUILDX_CONFIG="+filepath.Join(dir, "buildx"))}
	b.world = w
	if w.archbuild, err = filepath.Abs(archbuild); err != nil {
		return err
	}
	if w.buildx, err = filepath.Abs(buildx); err != nil {
		return err
	}
	for _, platform := range nodesPlatforms {
		node, err := fixtures.StartNode(ctx, fixtures.NodeOptions{Name: filepath.Base(platform), Hub: hub, Platforms: []string{platform}})
		if err != nil {
			return err
		}
		b.nodes = append(b.nodes, node)
		create := []string{"create", "--name", "nodes", "--driver", "remote", "--platform", platform, "--node", node.Name, node.Socket}
		if len(b.nodes) > 1 {
			create = slices.Insert(create, 1, "--append")
		}
		if _, err := w.output(ctx, w.buildx, create...); err != nil {
			return err
		}
	}
	return b.write()
}

// write makes the context: files of one size, 100 to a folder, that no compression makes smaller.
func (b *nodesBench) write() error {
	b.dir = filepath.Join(b.world.dir, "context")
	if err := writeFile(filepath.Join(b.dir, "Dockerfile"), []byte("FROM scratch\nCOPY files /files\n")); err != nil {
		return err
	}
	content := make([]byte, b.size())
	random := rand.NewChaCha8([32]byte{})
	for i := range b.files {
		_, _ = random.Read(content) // it never fails
		if err := writeFile(b.file(i), content); err != nil {
			return err
		}
	}
	return nil
}

func (b *nodesBench) size() int { return b.megabytes * 1000 * 1000 / b.files }

func (b *nodesBench) file(i int) string {
	return filepath.Join(b.dir, "files", fmt.Sprintf("%03d", i/100), fmt.Sprintf("f%05d", i))
}

// command is a build by archbuild.
func (b *nodesBench) command(name string, more ...string) *command {
	args := []string{b.world.archbuild, b.dir, "--platform", strings.Join(nodesPlatforms, ",")}
	for i, node := range b.nodes {
		args = append(args, "--node", fmt.Sprintf("%s,platform=%s,name=%s", node.Socket, nodesPlatforms[i], node.Name))
	}
	args = append(args, "-t", b.world.hub.Addr+"/bench/archbuild", "--push", "--progress", "quiet")
	return &command{name: name, env: b.world.env, args: append(args, more...)}
}

// unchanged is the everyday run.
func (b *nodesBench) unchanged(ctx context.Context) error {
	node, resumed := b.command("archbuild", "--no-resume"), b.command("resumed")
	// What --no-resume builds takes the place of what is recorded, so the other has a state folder of its own.
	resumed.env = append(slices.Clone(b.world.env), "ARCHBUILD_STATE="+filepath.Join(b.world.dir, "resumed"))
	buildx := &command{name: "buildx", env: b.world.env, args: []string{
		b.world.buildx, "build", "--builder", "nodes", "--provenance=false", b.dir, "--platform", strings.Join(nodesPlatforms, ","),
		"-t", b.world.hub.Addr + "/bench/buildx", "--push", "--progress", "quiet",
	}}
	fmt.Printf("two nodes, a platform on each, everything cached, context of %d files and %d MB, push, %d interleaved runs\n", b.files, b.megabytes, b.runs)
	if err := interleave(ctx, b.runs, []*command{node, buildx, resumed}); err != nil {
		return err
	}
	var errs []error
	for _, promise := range []struct {
		of   *command
		most float64
	}{{node, promisedNode}, {resumed, promisedResumed}} {
		if !ratio(promise.of, buildx, promise.most) {
			errs = append(errs, fmt.Errorf("%s took %.2f of what buildx did, promised are %.1f", promise.of.name, promise.of.to(buildx), promise.most))
		}
	}
	return errors.Join(errs...)
}

// changed is a run after one file got another content of the same length.
func (b *nodesBench) changed(ctx context.Context) error {
	row := b.command("one file", "--json")
	fmt.Printf("one file of %d bytes changed\n  $ %s\n", b.size(), strings.Join(row.args, " "))
	content, err := os.ReadFile(b.file(b.files / 2))
	if err != nil {
		return err
	}
	content[0]++
	if err := os.WriteFile(b.file(b.files/2), content, 0o644); err != nil {
		return err
	}
	out, err := b.world.output(ctx, row.args[0], row.args[1:]...)
	if err != nil {
		return err
	}
	sent, err := sentTo(out)
	if err != nil {
		return err
	}
	var errs []error
	for _, node := range b.nodes {
		got, ok := sent[node.Name]
		if !ok {
			errs = append(errs, fmt.Errorf("archbuild does not say what it sent to %s", node.Name))
			continue
		}
		part := float64(got.Contents) / float64(b.size())
		fmt.Printf("  to %s: %d bytes of contents in %d files, %.2f of the changed file (promised ≤ %.1f), and %d bytes of metadata\n", node.Name, got.Contents, got.Files, part, promisedSent, got.Metadata)
		if part > promisedSent || got.Files == 0 {
			errs = append(errs, fmt.Errorf("%s got %d bytes for a changed file of %d", node.Name, got.Contents, b.size()))
		}
	}
	return errors.Join(errs...)
}

// sentTo reads of the JSON of a build what each node got.
func sentTo(document []byte) (map[string]builder.Sent, error) {
	var outcome archbuild.Outcome
	if err := json.Unmarshal(document, &outcome); err != nil {
		return nil, fmt.Errorf("reading what archbuild --json says: %w", err)
	}
	to := map[string]builder.Sent{}
	for _, image := range outcome.Images {
		for _, sent := range image.Sent {
			to[sent.Node] = sent.Sent
		}
	}
	return to, nil
}

func (b *nodesBench) close(hub *fixtures.Hub) error {
	var errs []error
	for _, node := range b.nodes {
		errs = append(errs, node.Stop())
	}
	if b.world != nil {
		errs = append(errs, os.RemoveAll(b.world.dir))
	}
	return errors.Join(append(errs, hub.Close())...)
}
