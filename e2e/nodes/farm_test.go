// Package nodes_test runs the whole program on four real BuildKit servers and takes them away from it: killed, frozen, cut off, reset,
// with a full disk, with an emulator that crashes. Two servers say that they are linux/arm64; programs run there under this machine's
// emulators all the same.
package nodes_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// epoch is SOURCE_DATE_EPOCH of every build, so that the same step gives the same digest wherever it runs.
const epoch = 1700000000

// disk is that of each node, in megabytes.
const disk = 64

// farm is four nodes, a registry, the program, and who tells steps what to do.
type farm struct {
	hub       *fixtures.Hub
	director  *director
	archbuild string
	env       []string
	// nodes are amd-a, amd-b, arm-a and arm-b.
	nodes []*fixtures.Node
}

func newFarm(t *testing.T) *farm {
	t.Helper()
	requireMachine(t)
	dir := t.TempDir()
	f := &farm{hub: fixtures.ForTest(t), director: newDirector(t), archbuild: filepath.Join(dir, "archbuild")}
	goBuild(t, runtime.GOARCH, f.archbuild, "github.com/archbuild/archbuild/cmd/archbuild")
	pushStep(t, f.hub, dir)
	for _, name := range []string{"amd-a", "amd-b", "arm-a", "arm-b"} {
		f.nodes = append(f.nodes, fixtures.NodeForTest(t, fixtures.NodeOptions{Name: name, Hub: f.hub, Platforms: []string{own(name)}, Disk: disk}))
	}
	f.director.nodes = f.nodes
	// No account and no builder of this machine has a part in it.
	f.env = append(os.Environ(), "XDG_CONFIG_HOME="+f.hub.ConfigHome, "HOME="+dir, "ARCHBUILD_STATE="+filepath.Join(dir, "state"), "BUILDX_CONFIG="+filepath.Join(dir, "buildx"),
		"DOCKER_CONFIG="+filepath.Join(dir, "docker"), "BUILDX_BUILDER=", "BUILDKIT_HOST=", "GITHUB_ACTIONS=", fmt.Sprintf("SOURCE_DATE_EPOCH=%d", epoch))
	return f
}

// own is the platform of a node.
func own(name string) string { return "linux/" + name[:3] + "64" }

// requireMachine says what this machine lacks. Under CI that is a failure.
func requireMachine(t *testing.T) {
	t.Helper()
	var lacks []string
	if os.Geteuid() != 0 {
		lacks = append(lacks, "root")
	}
	for _, program := range []string{"runc", "unshare", "../../bin/buildkitd"} {
		if _, err := exec.LookPath(program); err != nil {
			lacks = append(lacks, program)
		}
	}
	if err := fixtures.RegisterEmulators(); err != nil {
		lacks = append(lacks, err.Error())
	}
	switch {
	case len(lacks) == 0:
	case os.Getenv("CI") != "":
		t.Fatalf("cannot run here, it lacks %s: make fixtures bin/buildkitd", strings.Join(lacks, ", "))
	default:
		t.Skipf("cannot run here, it lacks %s: make fixtures bin/buildkitd", strings.Join(lacks, ", "))
	}
}

func goBuild(t *testing.T, arch, to, pkg string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
}

// pushStep makes the image step:1, which holds the program step and nothing else, for two platforms.
func pushStep(t *testing.T, hub *fixtures.Hub, dir string) {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range []string{"amd64", "arm64"} {
		file := filepath.Join(dir, "step-"+arch)
		goBuild(t, arch, file, "github.com/archbuild/archbuild/e2e/nodes/step")
		layer := static.NewLayer(tarOf(t, file), types.OCIUncompressedLayer)
		platform := v1.Platform{OS: "linux", Architecture: arch}
		img, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layer)
		if err != nil {
			t.Fatal(err)
		}
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config = config.DeepCopy()
		config.OS, config.Architecture = platform.OS, platform.Architecture
		if img, err = mutate.ConfigFile(img, config); err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	push(t, hub.Addr+"/library/step:1", index)
}

func push(t testing.TB, to string, index v1.ImageIndex) {
	t.Helper()
	ref, err := name.ParseReference(to, name.Insecure)
	if err == nil {
		err = remote.WriteIndex(ref, index)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// pushOther gives the tag 1 of a repository something to name, and returns its digest.
func (f *farm) pushOther(t testing.TB, repository string) string {
	t.Helper()
	other := mutate.Annotations(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), map[string]string{"of": repository}).(v1.ImageIndex)
	push(t, f.hub.Addr+"/"+repository+":1", other)
	digest, err := other.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

// tarOf is a layer with one program, /step.
func tarOf(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	header := tar.Header{Name: "step", Mode: 0o755, Size: int64(len(content)), ModTime: time.Unix(epoch, 0)}
	if err := w.WriteHeader(&header); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// node finds one by its name.
func (f *farm) node(t testing.TB, name string) *fixtures.Node {
	t.Helper()
	for _, n := range f.nodes {
		if n.Name == name {
			return n
		}
	}
	t.Fatalf("a step ran on %q, which is none of the nodes", name)
	return nil
}
