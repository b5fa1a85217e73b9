package parity_test

import (
	"archive/tar"
	"bytes"
	"io"
	"maps"
	"slices"
	"strings"
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
// fixture, with what the examples look for in busybox and alpine.
var aliases = []string{"library/busybox:latest", "library/busybox:stable", "library/alpine:latest"}

// addUser is as much of busybox' adduser as they call.
const addUser = `#!/bin/sh
for name; do :; done
id=$((997 + $(wc -l < /etc/passwd)))
echo "$name:x:$id:$id::/:/bin/sh" >> /etc/passwd
echo "$name:x:$id:" >> /etc/group
`

// pushAliases makes the aliases in the hub.
func pushAliases(t *testing.T, hub *fixtures.Hub) {
	t.Helper()
	for _, alias := range aliases {
		files := map[string]string{
			"etc/passwd": "root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n", "etc/group": "root:x:0:root\ndaemon:x:1:\nwheel:x:10:root\nnobody:x:65534:\n",
			"usr/sbin/adduser": addUser, "usr/bin/mount": "#!/bin/sh\nexec cat /proc/mounts\n",
		}
		if strings.Contains(alias, "alpine") {
			files["etc/alpine-release"] = "3.20.0\n"
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return aliasFiles(files) }, tarball.WithMediaType(types.OCILayer))
		if err != nil {
			t.Fatal(err)
		}
		idx := derived(t, hub, func(img v1.Image) (v1.Image, error) {
			return mutate.Append(img, mutate.Addendum{Layer: layer, MediaType: types.OCILayer})
		})
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

// aliasFiles is a layer with these files, in which sh is bash: the examples compare with ==, as busybox' shell does.
func aliasFiles(files map[string]string) (io.ReadCloser, error) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "usr/bin/sh", Linkname: "bash", Mode: 0o777}); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(files[name]))}); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, files[name]); err != nil {
			return nil, err
		}
	}
	return io.NopCloser(&layer), w.Close()
}
