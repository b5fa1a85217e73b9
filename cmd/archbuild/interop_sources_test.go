package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/internal/registrytest"
)

// maker is another program that makes an index of two images.
type maker struct {
	name string
	// options of the images that it gets.
	options registrytest.Options
	// make puts the index of the two somewhere, best at to, and says where.
	make func(x tools, to, arm64, amd64 string) string
}

var (
	docker       = registrytest.Options{Docker: true}
	oci          = registrytest.Options{}
	withAttested = registrytest.Options{Attest: true}
)

// newerDocker is left out where there is none: this cannot be installed from Debian.
const newerDocker = "a newer docker manifest push"

var makers = []maker{
	{"crane index append", oci, craneAppends},
	{"crane index append of docker images", docker, craneAppends},
	{"buildx imagetools create", oci, buildxCreates},
	{"buildx imagetools create of docker images", docker, buildxCreates},
	{"buildx imagetools create with attestations", withAttested, buildxCreates},
	{"podman manifest push", oci, podmanPushes},
	{"podman manifest push of docker images", docker, podmanPushes},
	{"docker 20.10 manifest push", docker, func(x tools, to, arm64, amd64 string) string {
		return dockerPushes(x, docker20, to, arm64, amd64)
	}},
	{newerDocker, oci, func(x tools, to, arm64, amd64 string) string {
		for name := range x.dockers() {
			if name != docker20 {
				return dockerPushes(x, name, to, arm64, amd64)
			}
		}
		return to
	}},
	{"skopeo copy --all", withAttested, func(x tools, to, arm64, amd64 string) string {
		x.run("skopeo", "copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", "docker://"+buildxCreates(x, to+"-before", arm64, amd64), "docker://"+to)
		return to
	}},
	{"skopeo copy --all to an OCI layout", withAttested, func(x tools, to, arm64, amd64 string) string {
		layout := filepath.Join(x.dir, "layout")
		x.run("skopeo", "copy", "--all", "--src-tls-verify=false", "docker://"+buildxCreates(x, to, arm64, amd64), "oci:"+layout+":app")
		return layout
	}},
	{"skopeo copy --all to an OCI archive", oci, func(x tools, to, arm64, amd64 string) string {
		archive := filepath.Join(x.dir, "archive.tar")
		x.run("skopeo", "copy", "--all", "--src-tls-verify=false", "docker://"+craneAppends(x, to, arm64, amd64), "oci-archive:"+archive+":app")
		return archive
	}},
}

func craneAppends(x tools, to, arm64, amd64 string) string {
	x.run(x.built("crane"), "index", "append", "-t", to, "-m", amd64, "-m", arm64)
	return to
}

func buildxCreates(x tools, to, arm64, amd64 string) string {
	x.run(x.built("buildx"), "imagetools", "create", "-t", to, amd64, arm64)
	return to
}

func podmanPushes(x tools, to, arm64, amd64 string) string {
	x.podman("manifest", "create", "list")
	for _, image := range []string{amd64, arm64} {
		x.podman("manifest", "add", "--tls-verify=false", "list", "docker://"+image)
	}
	x.podman("manifest", "push", "--all", "--tls-verify=false", "list", "docker://"+to)
	return to
}

func dockerPushes(x tools, name, to, arm64, amd64 string) string {
	client := x.dockers()[name]
	x.run(client, "manifest", "create", "--insecure", to, amd64, arm64)
	x.run(client, "manifest", "push", "--insecure", to)
	return to
}

func TestIndexesOfOtherToolsAreSources(t *testing.T) {
	requireMachine(t)
	for _, kind := range realRegistries {
		t.Run(string(kind), func(t *testing.T) {
			hub := registrytest.Start(t, kind)
			registrytest.Image(registrytest.Options{Platforms: []string{"linux/arm/v7"}}).Push(t, hub.Addr, "parts", "armv7")
			for _, m := range makers {
				if m.name == newerDocker && len(newTools(t).dockers()) == 1 {
					continue
				}
				t.Run(m.name, func(t *testing.T) {
					x := newTools(t)
					arm64, amd64 := pair(t, hub.Addr, m.options)
					tag := strings.ReplaceAll(m.name, " ", "-")
					source := m.make(x, hub.Addr+"/theirs:"+tag, arm64, amd64)

					to := hub.Addr + "/ours:" + tag
					x.run("archbuild", "manifest", "create", "-t", to, "--require", "linux/amd64,linux/arm64", source)
					taken := read(t, hub.Addr, "ours", tag)
					if strings.HasPrefix(source, hub.Addr) {
						if theirs := read(t, hub.Addr, "theirs", tag); theirs.Digest != taken.Digest {
							t.Errorf("%s became %s", theirs.Digest, taken.Digest)
						}
					}
					x.run("archbuild", "manifest", "create", "-t", to+"-more", source, hub.Addr+"/parts:armv7")
					more := read(t, hub.Addr, "ours", tag+"-more")
					want := []string{"linux/amd64", "linux/arm64", "linux/arm/v7"}
					if diff := cmp.Diff(want, more.images()); diff != "" {
						t.Errorf("with one image more: %s", diff)
					}
					if diff := cmp.Diff(digests(taken)[:2], digests(more)[:2]); diff != "" {
						t.Errorf("its images changed: %s", diff)
					}
					if diff := cmp.Diff(attestations(taken), attestations(more)); diff != "" {
						t.Errorf("its attestations changed: %s", diff)
					}
					if m.options.Attest && len(attestations(more)) != 2 {
						t.Errorf("there are %d attestations, not 2", len(attestations(more)))
					}
				})
			}
		})
	}
}

// digests are those of the images.
func digests(p published) []string {
	var list []string
	for _, child := range p.Children {
		if child.Platform.OS != "unknown" {
			list = append(list, child.Digest)
		}
	}
	return list
}

func attestations(p published) []string {
	var list []string
	for _, child := range p.Children {
		if child.Platform.OS == "unknown" {
			list = append(list, child.Digest)
		}
	}
	slices.Sort(list)
	return list
}
