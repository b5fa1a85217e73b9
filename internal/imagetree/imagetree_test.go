package imagetree_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/platform"
)

// memory is a source of documents. It hands out whatever was
// put under a digest, as a source that checks nothing would.
type memory struct {
	docs map[digest.Digest][]byte
}

func newMemory() *memory {
	return &memory{map[digest.Digest][]byte{}}
}

func (m *memory) Document(_ context.Context, desc ocispec.Descriptor) ([]byte, error) {
	raw, ok := m.docs[desc.Digest]
	if !ok {
		return nil, &imagetree.Problem{Kind: imagetree.Missing, Digest: desc.Digest, Message: "not there"}
	}
	return raw, nil
}

func (m *memory) Size(_ context.Context, desc ocispec.Descriptor) (int64, error) {
	return int64(len(m.docs[desc.Digest])), nil
}

func (m *memory) Blob(_ context.Context, desc ocispec.Descriptor, _ int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(m.docs[desc.Digest])), nil
}

// put keeps bytes under their digest.
func (m *memory) put(mediaType string, raw []byte) ocispec.Descriptor {
	d := digest.FromBytes(raw)
	m.docs[d] = raw
	return ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(raw))}
}

func (m *memory) json(mediaType string, value any) ocispec.Descriptor {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return m.put(mediaType, raw)
}

// index lists what it is given.
func (m *memory) index(children ...ocispec.Descriptor) ocispec.Descriptor {
	return m.json(ocispec.MediaTypeImageIndex, map[string]any{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageIndex, "manifests": append([]ocispec.Descriptor{}, children...)})
}

// image is one for a platform, which its descriptor does not name yet.
func (m *memory) image(p string) ocispec.Descriptor {
	oci := platform.MustParse(p).OCI()
	config := m.json(ocispec.MediaTypeImageConfig, map[string]any{"os": oci.OS, "architecture": oci.Architecture, "variant": oci.Variant, "rootfs": map[string]any{"diff_ids": []string{"sha256:0"}}})
	layer := m.put(ocispec.MediaTypeImageLayer, []byte("layer for "+p))
	return m.manifest(config, layer)
}

func (m *memory) manifest(config ocispec.Descriptor, layers ...ocispec.Descriptor) ocispec.Descriptor {
	return m.json(ocispec.MediaTypeImageManifest, map[string]any{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageManifest, "config": config, "layers": layers})
}

func labelled(p string, desc ocispec.Descriptor) ocispec.Descriptor {
	oci := platform.MustParse(p).OCI()
	desc.Platform = &oci
	return desc
}

func (m *memory) attestation(about digest.Digest) ocispec.Descriptor {
	statement := m.put("application/vnd.in-toto+json", []byte(`{"about":"`+about+`"}`))
	statement.Annotations = map[string]string{imagetree.PredicateType: "https://slsa.dev/provenance/v1"}
	desc := m.manifest(m.put(ocispec.MediaTypeImageConfig, []byte(`{"architecture":"unknown","os":"unknown"}`)), statement)
	desc.Platform = &ocispec.Platform{OS: "unknown", Architecture: "unknown"}
	desc.Annotations = map[string]string{imagetree.ReferenceType: "attestation-manifest", imagetree.ReferenceDigest: about.String()}
	return desc
}

// seen is a tree in short.
func seen(root *imagetree.Node) []string {
	var list []string
	root.Each(func(n *imagetree.Node) {
		text := string(n.Kind)
		if n.Platform.OS != "" {
			text += " " + n.Platform.String()
		}
		if n.Skipped {
			text += " skipped"
		}
		for _, p := range n.Problems {
			text += " " + string(p.Kind)
		}
		list = append(list, text)
	})
	return list
}

func TestRead(t *testing.T) {
	m := newMemory()
	amd64, arm64 := m.image("linux/amd64"), m.image("linux/arm64")
	chart := m.manifest(m.put("application/vnd.cncf.helm.config.v1+json", []byte(`{}`)))
	signature := m.manifest(m.put(ocispec.MediaTypeImageConfig, []byte(`{"architecture":"","os":""}`)), m.put("application/vnd.dev.cosign.simplesigning.v1+json", []byte("{}")))
	lying, lost, typed := amd64, amd64, amd64
	lying.Size++
	lost.Digest = digest.FromString("lost")
	typed.MediaType = "application/vnd.docker.distribution.manifest.v2+json"
	only := imagetree.Options{Platforms: []platform.Platform{platform.MustParse("linux/arm64")}}
	for _, row := range []struct {
		name    string
		root    ocispec.Descriptor
		options imagetree.Options
		want    []string
	}{
		{"an index of two", m.index(labelled("linux/amd64", amd64), labelled("linux/arm64", arm64)), imagetree.Options{}, []string{"index", "image linux/amd64", "image linux/arm64"}},
		{"one image", amd64, imagetree.Options{}, []string{"image linux/amd64"}},
		{"the config tells what the index does not", m.index(arm64), imagetree.Options{}, []string{"index", "image linux/arm64"}},
		{"an index within", m.index(m.index(labelled("linux/amd64", amd64)), m.attestation(amd64.Digest)), imagetree.Options{}, []string{"index", "index", "image linux/amd64", "attestation"}},
		{"what is no image", m.index(chart, signature), imagetree.Options{}, []string{"index", "artifact", "artifact"}},
		{"a wrong size", m.index(labelled("linux/amd64", lying)), imagetree.Options{}, []string{"index", "image linux/amd64 size"}},
		{"a missing child", m.index(labelled("linux/amd64", lost)), imagetree.Options{}, []string{"index", "image linux/amd64 missing"}},
		{"a wrong type", m.index(labelled("linux/amd64", typed)), imagetree.Options{}, []string{"index", "image linux/amd64 media-type"}},
		{"a child that is no JSON", m.index(m.put(ocispec.MediaTypeImageManifest, []byte("{"))), imagetree.Options{}, []string{"index", "image invalid"}},
		{"a child that is image and index at once", m.index(m.put(ocispec.MediaTypeImageIndex, []byte(`{"manifests":[],"config":{}}`))), imagetree.Options{}, []string{"index", "index invalid"}},
		{"a config that is no JSON", m.manifest(m.put(ocispec.MediaTypeImageConfig, []byte("x"))), imagetree.Options{}, []string{"image invalid"}},
		{"a digest that is none", m.index(ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: "sha256:../../etc/passwd"}), imagetree.Options{}, []string{"index", "image invalid"}},
		{"one platform of two", m.index(labelled("linux/amd64", amd64), labelled("linux/arm64", arm64), m.attestation(amd64.Digest), m.attestation(arm64.Digest)), only,
			[]string{"index", "image linux/amd64 skipped", "image linux/arm64", "attestation skipped", "attestation"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			root, err := imagetree.Read(t.Context(), m, row.root, row.options)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, seen(root)); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHostileTrees promises an error within little memory and time.
func TestHostileTrees(t *testing.T) {
	m := newMemory()
	deep := m.index(m.image("linux/amd64"))
	for range 1000 {
		deep = m.index(deep)
	}
	// No digest can be its own, but a source may be told so.
	cycle := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: digest.FromString("cycle")}
	m.docs[cycle.Digest] = []byte(fmt.Sprintf(`{"manifests":[{"mediaType":%q,"digest":%q}]}`, cycle.MediaType, cycle.Digest))
	wide := m.put(ocispec.MediaTypeImageIndex, []byte(`{"manifests":[`+strings.Repeat(`{},`, 1_300_000)+`{}]}`))
	many := m.put(ocispec.MediaTypeImageIndex, []byte(`{"manifests":[`+strings.Repeat(`{},`, 5000)+`{}]}`))
	fan := m.index(m.image("linux/amd64"))
	for range 4 { // a few kilobytes that stand for 50^4 images
		var same []ocispec.Descriptor
		for range 50 {
			same = append(same, fan)
		}
		fan = m.index(same...)
	}
	layers := m.put(ocispec.MediaTypeImageManifest, []byte(`{"config":{},"layers":[`+strings.Repeat(`{},`, 1_300_000)+`{}]}`))
	var heavy []ocispec.Descriptor
	for i := range 8 {
		heavy = append(heavy, m.put(ocispec.MediaTypeImageIndex, []byte(fmt.Sprintf(`{"manifests":[],"annotations":{"%d":%q}}`, i, strings.Repeat("x", 3<<20)))))
	}
	huge := m.image("linux/amd64")
	huge.Size = 100 << 20
	for _, row := range []struct {
		name string
		root ocispec.Descriptor
		want string
	}{
		{"a thousand indexes deep", deep, "nested deeper than 4"},
		{"an index that lists itself", cycle, "lists itself"},
		{"a list of a million children", wide, "more than 10000 entries"},
		{"a list of thousands", many, "more than 1000 manifests"},
		{"the same index again and again", fan, "more than 1000 manifests"},
		{"a million layers", layers, "more than 10000 entries"},
		{"documents that are large together", m.index(heavy...), "more than 16 MiB together"},
		{"a child of 100 MB by its descriptor", m.index(huge), "no document may have more than"},
		{"no JSON", m.put(ocispec.MediaTypeImageIndex, []byte(`{"manifests":`)), "no manifest"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := imagetree.Read(t.Context(), m, row.root, imagetree.Options{})
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("error = %v, want it to say %q", err, row.want)
			}
			if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 100 || took > 10*time.Second {
				t.Errorf("it took %s and %d MiB", took, used)
			}
		})
	}
}

// layoutOf writes the documents into an OCI layout.
func layoutOf(t testing.TB, m *memory, roots ...ocispec.Descriptor) string {
	t.Helper()
	dir := t.TempDir()
	blobs := filepath.Join(dir, "blobs", "sha256")
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": roots})
	err = errors.Join(err, os.MkdirAll(blobs, 0o755), os.WriteFile(filepath.Join(dir, "index.json"), index, 0o644),
		os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644))
	for d, raw := range m.docs {
		err = errors.Join(err, os.WriteFile(filepath.Join(blobs, d.Encoded()), raw, 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func readLayout(t *testing.T, dir string) (*imagetree.Node, error) {
	t.Helper()
	opened, err := imagetree.Open(t.Context(), dir, nil)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	return imagetree.Read(t.Context(), opened, opened.Root, imagetree.Options{})
}

func TestHostileLayouts(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(`{"schemaVersion":2,"manifests":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	blob := func(dir string, d digest.Digest) string { return filepath.Join(dir, "blobs", "sha256", d.Encoded()) }
	for _, row := range []struct {
		name   string
		damage func(dir string, child digest.Digest) error
		want   string
	}{
		{"a link out of the layout", func(dir string, child digest.Digest) error {
			return errors.Join(os.Remove(blob(dir, child)), os.Symlink(secret, blob(dir, child)))
		}, "escapes"},
		{"a manifest of 100 MB", func(dir string, child digest.Digest) error { return os.Truncate(blob(dir, child), 100<<20) }, "no document may have more than"},
		{"other bytes than the name says", func(dir string, child digest.Digest) error {
			return os.WriteFile(blob(dir, child), []byte("{}"), 0o644)
		}, "index image linux/amd64 digest"},
		{"a folder in place of a blob", func(dir string, child digest.Digest) error {
			return errors.Join(os.Remove(blob(dir, child)), os.Mkdir(blob(dir, child), 0o755))
		}, "no regular file"},
		{"an index.json of 100 MB", func(dir string, _ digest.Digest) error {
			return os.Truncate(filepath.Join(dir, "index.json"), 100<<20)
		}, "larger than"},
		{"an index.json of a million entries", func(dir string, _ digest.Digest) error {
			return os.WriteFile(filepath.Join(dir, "index.json"), []byte(`{"manifests":[`+strings.Repeat(`{},`, 1_300_000)+`{}]}`), 0o644)
		}, "lists too many manifests"},
		{"an index.json that is no JSON", func(dir string, _ digest.Digest) error {
			return os.WriteFile(filepath.Join(dir, "index.json"), []byte("["), 0o644)
		}, "index.json"},
		{"an empty layout", func(dir string, _ digest.Digest) error {
			return os.WriteFile(filepath.Join(dir, "index.json"), []byte(`{"schemaVersion":2,"manifests":[]}`), 0o644)
		}, "holds no image"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := newMemory()
			child := m.image("linux/amd64")
			dir := layoutOf(t, m, m.index(labelled("linux/amd64", child)))
			if err := row.damage(dir, child.Digest); err != nil {
				t.Fatal(err)
			}
			root, err := readLayout(t, dir)
			got := fmt.Sprint(err)
			if err == nil {
				got = strings.Join(seen(root), " ")
			}
			if !strings.Contains(got, row.want) {
				t.Errorf("got %q, want %q in it", got, row.want)
			}
		})
	}
}

func TestLayoutsOfSeveralImages(t *testing.T) {
	m := newMemory()
	one, two := m.image("linux/amd64"), m.image("linux/arm64")
	root, err := readLayout(t, layoutOf(t, m, one, one))
	if err != nil || len(root.Children) != 0 {
		t.Errorf("the same image under two names is a tree of %d children, %v", len(root.Children), err)
	}
	root, err = readLayout(t, layoutOf(t, m, one, two))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"index", "image linux/amd64", "image linux/arm64"}, seen(root)); diff != "" {
		t.Error(diff)
	}
}

// FuzzRead promises: whatever an index and a manifest hold, reading ends with a
// tree or an error, the same one each time.
func FuzzRead(f *testing.F) {
	m := newMemory()
	image := m.image("linux/amd64")
	index := m.index(labelled("linux/amd64", image), m.attestation(image.Digest))
	f.Add(m.docs[index.Digest], m.docs[image.Digest])
	f.Add([]byte(`{"manifests":[{"digest":"sha256:0"},{"mediaType":"x","platform":{}}]}`), []byte(`{"config":{"size":-1},"layers":[{}]}`))
	f.Add([]byte(`{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":null}`), []byte(`{"schemaVersion":1}`))
	f.Fuzz(func(t *testing.T, index, manifest []byte) {
		if len(index) > 64<<10 || len(manifest) > 64<<10 {
			return
		}
		m := newMemory()
		child := m.put(ocispec.MediaTypeImageManifest, manifest)
		root := m.put(ocispec.MediaTypeImageIndex, bytes.ReplaceAll(index, []byte(image.Digest), []byte(child.Digest)))
		first, err := imagetree.Read(t.Context(), m, root, imagetree.Options{})
		again, errAgain := imagetree.Read(t.Context(), m, root, imagetree.Options{})
		if (err == nil) != (errAgain == nil) {
			t.Fatalf("two reads differ: %v, %v", err, errAgain)
		}
		if err == nil {
			if diff := cmp.Diff(seen(first), seen(again)); diff != "" {
				t.Fatal(diff)
			}
			first.Each(func(n *imagetree.Node) {
				if n.Size() < 0 {
					t.Fatalf("a size of %d", n.Size())
				}
			})
		}
	})
}
