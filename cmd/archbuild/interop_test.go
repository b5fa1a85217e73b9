package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/internal/fixtures"
	"github.com/archbuild/archbuild/internal/registrytest"
)

// realRegistries are those that are no part of the test.
var realRegistries = []registrytest.Kind{registrytest.Debian, registrytest.Distribution}

// made is a kind of index that archbuild makes.
type made struct {
	name string
	// options of the images that it is made of.
	options registrytest.Options
	args    []string
}

var indexesMade = []made{
	{"an OCI index", registrytest.Options{}, nil},
	{"an OCI index with attestations", registrytest.Options{Attest: true}, nil},
	{"an OCI index whose attestations were left out", registrytest.Options{Attest: true}, []string{"--attestations", "none"}},
	{"a docker list", registrytest.Options{Docker: true}, []string{"--type", "docker"}},
	{"a docker list with attestations", registrytest.Options{Docker: true, Attest: true}, []string{"--type", "docker"}},
	{"an OCI index of docker images", registrytest.Options{Docker: true}, nil},
}

// published is an image in a registry, as plain HTTP shows it.
type published struct {
	registrytest.Node
	addr, repo, tag string
}

func (p published) ref() string { return p.addr + "/" + p.repo + ":" + p.tag }

// images are the platforms, without attestations.
func (p published) images() []string {
	return slices.DeleteFunc(p.Platforms(), func(name string) bool { return name == "unknown/unknown" })
}

func read(t testing.TB, addr, repo, tag string) published {
	t.Helper()
	node, wrong := registrytest.Read(addr, repo, tag)
	for _, text := range wrong {
		t.Errorf("%s/%s:%s: %s", addr, repo, tag, text)
	}
	return published{node, addr, repo, tag}
}

// tools runs other people's programs, and archbuild, with an empty configuration.
type tools struct {
	testing.TB
	dir string
	env []string
}

func newTools(t testing.TB) tools {
	// podman wants a short path.
	dir, err := os.MkdirTemp("", "interop-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	x := tools{t, dir, os.Environ()}
	for _, name := range []string{"HOME", "DOCKER_CONFIG", "BUILDX_CONFIG", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "ARCHBUILD_STATE"} {
		x.env = append(x.env, name+"="+filepath.Join(dir, strings.ToLower(name)))
	}
	config := filepath.Join(dir, "docker_config")
	if err := errors.Join(os.Mkdir(config, 0o700), os.WriteFile(filepath.Join(config, "config.json"), []byte("{}"), 0o600)); err != nil {
		t.Fatal(err)
	}
	return x
}

// run gives what a program prints, and fails if it does.
func (x tools) run(program string, args ...string) []byte {
	x.Helper()
	out, err := x.try(program, args...)
	if err != nil {
		x.Fatalf("%s %s: %v", filepath.Base(program), strings.Join(args, " "), err)
	}
	return out
}

func (x tools) try(program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(x.Context(), program, args...)
	cmd.Env, cmd.Dir = x.env, x.dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, errors.Join(err, errors.New(stderr.String()))
	}
	return stdout.Bytes(), nil
}

// built is one of the programs that make builds.
func (x tools) built(name string) string {
	x.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		x.missing("make bin/"+name, err)
	}
	return path
}

// missing says what this machine lacks. Under CI that is a failure.
func (x tools) missing(hint string, err error) {
	x.Helper()
	if os.Getenv("CI") != "" {
		x.Fatalf("%s: %v", hint, err)
	}
	x.Skipf("%s: %v", hint, err)
}

// dockers are Debian's client, and the one of this machine if it is a newer one.
func (x tools) dockers() map[string]string {
	x.Helper()
	old, err := fixtures.DockerClient(x.Context())
	if err != nil {
		x.missing("make fixtures", err)
	}
	clients := map[string]string{docker20: old}
	if newer, err := exec.LookPath("docker"); err == nil {
		version, err := x.try(newer, "--version")
		if name, _, _ := strings.Cut(strings.TrimPrefix(string(version), "Docker version "), ","); err == nil && !strings.HasPrefix(name, "20.") {
			clients["docker "+name] = newer
		}
	}
	return clients
}

// podman keeps all that it stores in a folder that goes with the test.
func (x tools) podman(args ...string) []byte {
	x.Helper()
	program, err := exec.LookPath("podman")
	if err != nil {
		x.missing("make fixtures", err)
	}
	at := func(name string) string { return filepath.Join(x.dir, "podman", name) }
	return x.run(program, append([]string{
		"--root", at("root"), "--runroot", at("run"), "--tmpdir", at("tmp"), "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "none",
	}, args...)...)
}

// pair pushes images for two platforms to parts:arm64 and parts:amd64, in indexes of their own if they have attestations.
func pair(t testing.TB, addr string, o registrytest.Options) (arm64, amd64 string) {
	t.Helper()
	for _, arch := range []string{"amd64", "arm64"} {
		o.Platforms = []string{"linux/" + arch}
		part := registrytest.Image(o)
		if o.Attest {
			part = registrytest.Index(o)
		}
		part.Push(t, addr, "parts", arch)
	}
	return addr + "/parts:arm64", addr + "/parts:amd64"
}

func TestOtherToolsReadTheIndexes(t *testing.T) {
	requireMachine(t)
	for _, kind := range realRegistries {
		t.Run(string(kind), func(t *testing.T) {
			hub := registrytest.Start(t, kind)
			for i, m := range indexesMade {
				t.Run(m.name, func(t *testing.T) {
					x := newTools(t)
					arm64, amd64 := pair(t, hub.Addr, m.options)
					tag := string(rune('a' + i))
					x.run("archbuild", append([]string{"manifest", "create", "-t", hub.Addr + "/app:" + tag, amd64, arm64}, m.args...)...)
					p := read(t, hub.Addr, "app", tag)
					if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, p.images()); diff != "" {
						t.Error(diff)
					}
					x.skopeoReads(p)
					x.craneReads(p)
					x.dockersRead(p)
					x.podmanPulls(p)
				})
			}
		})
	}
}

func (x tools) skopeoReads(p published) {
	x.Helper()
	if got := x.run("skopeo", "inspect", "--raw", "--tls-verify=false", "docker://"+p.ref()); !bytes.Equal(got, p.Raw) {
		x.Errorf("skopeo reads\n%s", got)
	}
	copied := filepath.Join(x.dir, "skopeo")
	x.run("skopeo", "copy", "--all", "--src-tls-verify=false", "docker://"+p.ref(), "dir:"+copied)
	for _, child := range p.Children {
		for _, d := range append(child.Layers, child.Config) {
			if _, err := os.Stat(filepath.Join(copied, strings.TrimPrefix(d.Digest, "sha256:"))); err != nil {
				x.Errorf("skopeo copies without %s of %s: %v", d.Digest, child.Platform, err)
			}
		}
	}
}

func (x tools) craneReads(p published) {
	x.Helper()
	crane := x.built("crane")
	if got := x.run(crane, "manifest", p.ref()); !bytes.Equal(bytes.TrimSuffix(got, []byte("\n")), p.Raw) {
		x.Errorf("crane reads\n%s", got)
	}
	if got := strings.TrimSpace(string(x.run(crane, "digest", p.ref()))); got != p.Digest {
		x.Errorf("crane reads the digest %s, it is %s", got, p.Digest)
	}
	for _, name := range p.images() {
		x.run(crane, "pull", "--platform", name, p.ref(), filepath.Join(x.dir, "crane.tar"))
	}
	x.run(crane, "pull", "--format", "oci", p.ref(), filepath.Join(x.dir, "crane"))
}

// docker20 is Debian's client. It reads indexes of docker images, of docker's type or OCI's, and says of any OCI image in them
// that there is no such manifest.
const docker20 = "docker 20.10"

// dockersRead asks docker's clients.
func (x tools) dockersRead(p published) {
	x.Helper()
	for name, docker := range x.dockers() {
		got, err := x.try(docker, "manifest", "inspect", "--insecure", p.ref())
		if name == docker20 && slices.ContainsFunc(p.Children, func(c registrytest.Node) bool { return !strings.Contains(c.MediaType, "docker") }) {
			if err == nil {
				x.Errorf("%s reads OCI images by now", name)
			}
			continue
		}
		var list struct{ Manifests []registrytest.Descriptor }
		if err == nil {
			err = json.Unmarshal(got, &list)
		}
		if err != nil {
			x.Errorf("%s: %v", name, err)
			continue
		}
		var digests, want []string
		for _, d := range list.Manifests {
			digests = append(digests, d.Platform.String()+" "+d.Digest)
		}
		for _, child := range p.Children {
			want = append(want, child.Platform.String()+" "+child.Digest)
		}
		if diff := cmp.Diff(want, digests); diff != "" {
			x.Errorf("%s: %s", name, diff)
		}
	}
}

func (x tools) podmanPulls(p published) {
	x.Helper()
	for _, arch := range []string{"amd64", "arm64"} {
		id := strings.TrimSpace(string(x.podman("pull", "--quiet", "--tls-verify=false", "--arch", arch, p.ref())))
		got := strings.TrimSpace(string(x.podman("image", "inspect", "--format", "{{.Os}}/{{.Architecture}}", id)))
		if got != "linux/"+arch {
			x.Errorf("podman pulls %s for %s", got, arch)
		}
	}
}
