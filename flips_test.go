package archbuild

import (
	"bytes"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/registrytest"
	"github.com/archbuild/archbuild/keep"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/platform"
)

// flips gives a document with one bit turned, two of each byte: the lowest, and another one by a seed.
func flips(whole []byte, try func(at int, flipped []byte)) {
	random := rand.New(rand.NewPCG(1, 1))
	for i := range whole {
		for _, bit := range []byte{1, 2 << random.IntN(7)} {
			data := bytes.Clone(whole)
			data[i] ^= bit
			try(i, data)
		}
	}
}

func near(data []byte, at int) []byte { return data[max(0, at-20):min(len(data), at+20)] }

// TestEveryFlipOfANote: a result that is recorded is found by the note as it was written, or not at all.
func TestEveryFlipOfANote(t *testing.T) {
	recipe, contents := digest.FromString("recipe"), digest.FromString("contents")
	notes := resultNotes{t.TempDir(), recipe}
	notes.write(contents, resultNote{
		Platform: platform.MustParse("linux/arm/v7"), Image: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("image"), Size: 4711},
		Blobs: []keep.Blob{{Digest: digest.FromString("image"), Size: 4711}, {Digest: digest.FromString("layer"), Size: 12}}, Warnings: []client.VertexWarning{{Short: []byte("x"), URL: "https://example.com"}},
		Steps: 3, Seconds: 1.5, Node: "engine", At: time.Unix(1e9, 0).UTC(),
	})
	whole, err := os.ReadFile(notes.file(contents))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := notes.read(contents); !ok {
		t.Fatal("what was written is not read")
	}
	accepted := 0
	flips(whole, func(at int, data []byte) {
		if err := os.WriteFile(notes.file(contents), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := notes.read(contents); ok {
			accepted++
			t.Errorf("byte %d, %q, is read as %+v", at, near(data, at), got)
		}
	})
	t.Logf("a note of a result: %d bytes, %d flips, %d accepted", len(whole), 2*len(whole), accepted)
}

// TestEveryFlipOfALayout flips every document of an OCI layout of two platforms. Its manifests and configs are what their digests
// say. index.json has none: of a flip there, the image that comes of it is the same, or there is an error.
func TestEveryFlipOfALayout(t *testing.T) {
	dir := t.TempDir()
	content := registrytest.Index(registrytest.Options{Platforms: []string{"linux/amd64", "linux/arm/v7"}, Attest: true, Annotations: map[string]string{"team": "blue"}})
	content.Layout(t, dir, "app:1")
	assemble := func() (digest.Digest, error) {
		made, err := manifest.Gather(t.Context(), nil, manifest.Request{Sources: []manifest.Source{{Text: dir}}})
		if err != nil {
			return "", err
		}
		return made.Descriptor.Digest, made.Close()
	}
	want, err := assemble()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range documents(t, dir) {
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		same := 0
		flips(whole, func(at int, data []byte) {
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := assemble()
			switch {
			case err == nil && got != want:
				t.Errorf("%s: byte %d, %q: it is another image", file[len(dir)+1:], at, near(data, at))
			case err == nil && file != dir+"/index.json":
				t.Errorf("%s: byte %d, %q, is accepted", file[len(dir)+1:], at, near(data, at))
			case err == nil:
				same++
			}
		})
		if err := os.WriteFile(file, whole, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("%.20s of a layout: %d bytes, %d flips, %d of them leave the image what it is, 0 make another", file[len(dir)+1:], len(whole), 2*len(whole), same)
	}
}

// documents are the files of a layout that are JSON, but for what attestations are made of: like layers, that is read when it is sent.
func documents(t *testing.T, dir string) []string {
	t.Helper()
	list := []string{dir + "/index.json"}
	entries, err := os.ReadDir(dir + "/blobs/sha256")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		file := dir + "/blobs/sha256/" + entry.Name()
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if body[0] == '{' && !bytes.Contains(body, []byte(`"_type"`)) && !bytes.Contains(body, []byte(`"os":"unknown","rootfs"`)) {
			list = append(list, file)
		}
	}
	return list
}
