package parity_test

import (
	"archive/tar"
	"bytes"
	"io"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// base is the image that nearly every case stands on.
const base = "library/debian:bookworm-slim"

// aliases are names that BuildKit's examples use for an image with a shell and the usual commands. Here each of them is the Debian
// fixture, and bash is its /bin/sh: the examples compare with ==, as busybox' shell does.
var aliases = []string{"library/busybox:latest", "library/busybox:stable", "library/alpine:latest"}

// pushAliases makes the aliases in the hub.
func pushAliases(t *testing.T, hub *fixtures.Hub) {
	t.Helper()
	shell, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return bashAsShell() }, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		t.Fatal(err)
	}
	idx := derived(t, hub, func(img v1.Image) (v1.Image, error) {
		return mutate.Append(img, mutate.Addendum{Layer: shell, MediaType: types.OCILayer})
	})
	for _, alias := range aliases {
		if err := remote.WriteIndex(reference(t, hub, alias), idx); err != nil {
			t.Fatalf("pushing %s: %v", alias, err)
		}
	}
}

// derived changes the image of every platform of the base.
func derived(t *testing.T, hub *fixtures.Hub, change func(v1.Image) (v1.Image, error)) v1.ImageIndex {
	t.Helper()
	from, err := remote.Index(reference(t, hub, base))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := from.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	idx := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, m := range manifest.Manifests {
		img, err := from.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if img, err = change(img); err != nil {
			t.Fatal(err)
		}
		idx = mutate.AppendManifests(idx, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{MediaType: m.MediaType, Platform: m.Platform}})
	}
	return idx
}

func reference(t *testing.T, hub *fixtures.Hub, repo string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(hub.Addr+"/"+repo, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// bashAsShell is a layer in which sh is bash.
func bashAsShell() (io.ReadCloser, error) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "usr/bin/sh", Linkname: "bash", Mode: 0o777}); err != nil {
		return nil, err
	}
	return io.NopCloser(&layer), w.Close()
}
