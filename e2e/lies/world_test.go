package lies_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/archbuild/archbuild"
	"github.com/archbuild/archbuild/internal/registry/hubtest"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/platform"
)

// world is a registry with a base, a project that stands on it, and what was tagged before.
type world struct {
	t     *testing.T
	hub   *hubtest.Server
	dir   string
	state string
	label platform.Platform
	// base is the layer of base:1, app what the project adds.
	base, app layer
	was       string
	// patience is --node-timeout.
	patience time.Duration
}

func newWorld(t *testing.T, label string) *world {
	t.Helper()
	machine := map[string]uint16{"linux/amd64": amd64, "linux/arm64": arm64}[label]
	w := &world{
		t: t, hub: hubtest.New(t), patience: 30 * time.Second, dir: t.TempDir(), state: t.TempDir(), label: platform.MustParse(label),
		base: layerOf(t, "etc/base", 0o644, []byte("base")), app: layerOf(t, "app", 0o755, program(machine, "honest")),
	}
	w.hub.Put(t, w.hub.Addr+"/base:1", w.pushed(w.base))
	w.was = w.hub.Put(t, w.hub.Addr+"/app:1", empty.Image).String()
	w.write("Dockerfile", "FROM "+w.hub.Addr+"/base:1\nCOPY app /app\nENTRYPOINT [\"/app\"]\n")
	w.write("app", "made elsewhere")
	return w
}

// pushed is an image as a registry takes it.
func (w *world) pushed(layers ...layer) v1.Image {
	w.t.Helper()
	img, err := mutate.ConfigFile(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON),
		&v1.ConfigFile{OS: w.label.OS, Architecture: w.label.Arch})
	for _, l := range layers {
		if err == nil {
			img, err = mutate.Append(img, mutate.Addendum{Layer: known{static.NewLayer(l.bytes, types.MediaType(l.desc.MediaType)), l}})
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return img
}

// known is a layer that knows what it unpacks to.
type known struct {
	v1.Layer
	of layer
}

func (k known) DiffID() (v1.Hash, error) { return v1.NewHash(k.of.diffID.String()) }

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// options are those of archbuild PATH -t app:1 --push --platform … --node …
func (w *world) options(stderr *bytes.Buffer, nodes ...string) archbuild.Options {
	return archbuild.Options{
		System: outside.System{
			Environ: []string{"HOME=" + w.state, "DOCKER_CONFIG=" + w.state, "XDG_CONFIG_HOME=" + w.state, "PATH=" + os.Getenv("PATH")},
			Stdin:   strings.NewReader(""), Stdout: &bytes.Buffer{}, Stderr: stderr,
		},
		Paths: []string{w.dir}, Platforms: []string{w.label.String()}, Tags: []string{w.hub.Addr + "/app:1"}, Push: true,
		Nodes: nodes, Progress: "quiet",
		Farm:   archbuild.Farm{NodeTimeout: w.patience, Retries: -1},
		Engine: outside.Engine{State: w.state},
	}
}

func (w *world) build(nodes ...*node) (archbuild.Outcome, string, error) {
	var stderr bytes.Buffer
	var addresses []string
	for _, n := range nodes {
		addresses = append(addresses, n.address)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Minute)
	defer cancel()
	outcome, err := archbuild.Build(ctx, w.options(&stderr, addresses...))
	return outcome, stderr.String(), err
}

// tagged is what app:1 names.
func (w *world) tagged() string {
	w.t.Helper()
	desc, err := w.hub.Client().Head(w.t.Context(), w.hub.Addr+"/app:1")
	if err != nil {
		w.t.Fatal(err)
	}
	return desc.Digest.String()
}

// honest is the image that the project would be built to.
func (w *world) honest() image { return making{label: w.label}.of(w.base, w.app) }

// store puts a blob into the content store.
func (w *world) store(b blob) {
	w.t.Helper()
	file := filepath.Join(w.state, "store", "blobs", "sha256", b.desc.Digest.Encoded())
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, b.bytes, 0o644)); err != nil {
		w.t.Fatal(err)
	}
}
