package ocistore_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/archbuild/archbuild/internal/ocistore"
)

// imageFor is an image of random layers.
func imageFor(t testing.TB, os, arch, variant string) v1.Image {
	img, err := random.Image(1000, 2)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.OS, config.Architecture, config.Variant = os, arch, variant
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	return img
}

func labelled(img v1.Image, p *v1.Platform) mutate.IndexAddendum {
	return mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: p}}
}

// fixture is an index with two images and an attestation, in a layout.
func fixture(t testing.TB) (dir string, idx v1.ImageIndex) {
	idx = mutate.AppendManifests(empty.Index,
		labelled(imageFor(t, "linux", "amd64", ""), &v1.Platform{OS: "linux", Architecture: "amd64"}),
		labelled(imageFor(t, "linux", "arm64", "v8"), &v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}),
		labelled(imageFor(t, "unknown", "unknown", ""), &v1.Platform{OS: "unknown", Architecture: "unknown"}))
	dir = filepath.Join(t.TempDir(), "layout")
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendIndex(idx); err != nil {
		t.Fatal(err)
	}
	return dir, idx
}

func digestOf(t testing.TB, x interface{ Digest() (v1.Hash, error) }) v1.Hash {
	digest, err := x.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func platforms(list []ocistore.Entry) []string {
	var names []string
	for _, e := range list {
		names = append(names, e.Platform.String())
	}
	return names
}

func TestStoreReadsWhatOthersWrote(t *testing.T) {
	dir, idx := fixture(t)
	got, err := ocistore.Store{Dir: dir}.Index(v1.Descriptor{Digest: digestOf(t, idx)})
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(got); err != nil {
		t.Errorf("validating the index: %v", err)
	}
	list, err := ocistore.Entries(got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, platforms(list)); diff != "" {
		t.Error(diff)
	}
	for _, e := range list {
		if err := validate.Image(e.Image); err != nil {
			t.Errorf("validating %s: %v", e.Platform, err)
		}
	}
}

// pack writes a folder as a tar, names as they are below it.
func pack(t *testing.T, dir string) string {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return write(t, "image.tar", b.Bytes())
}

func write(t *testing.T, base string, content []byte) string {
	file := filepath.Join(t.TempDir(), base)
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestOpen(t *testing.T) {
	dir, _ := fixture(t)
	saved := filepath.Join(t.TempDir(), "saved.tar")
	tag, err := name.NewTag("example.org/app:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(saved, tag, imageFor(t, "linux", "arm", "v7")); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, path string
		want       []string
	}{
		{"a layout", dir, []string{"linux/amd64", "linux/arm64"}},
		{"an archive of a layout", pack(t, dir), []string{"linux/amd64", "linux/arm64"}},
		{"an archive of docker save", saved, []string{"linux/arm/v7"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if !ocistore.IsLocal(row.path) {
				t.Error("not taken for local")
			}
			list, closer, err := ocistore.Open(row.path)
			if err != nil {
				t.Fatal(err)
			}
			defer closer.Close()
			if diff := cmp.Diff(row.want, platforms(list)); diff != "" {
				t.Error(diff)
			}
			for _, e := range list {
				if err := validate.Image(e.Image); err != nil {
					t.Errorf("validating %s: %v", e.Platform, err)
				}
			}
		})
	}
}

func TestAnArchiveWithLinksToItsLayers(t *testing.T) {
	img := imageFor(t, "linux", "s390x", "")
	config, err := img.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	list, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h tar.Header, body []byte) {
		h.Size, h.Mode = int64(len(body)), 0o644
		if err := errors.Join(w.WriteHeader(&h), second(w.Write(body))); err != nil {
			t.Fatal(err)
		}
	}
	for i, l := range list {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		add(tar.Header{Name: string(rune('a'+i)) + "/layer.tar"}, body)
	}
	add(tar.Header{Name: "c/layer.tar", Typeflag: tar.TypeSymlink, Linkname: "../b/layer.tar"}, nil)
	add(tar.Header{Name: "config.json"}, config)
	add(tar.Header{Name: "manifest.json"}, []byte(`[{"Config":"config.json","Layers":["a/layer.tar","c/layer.tar"]}]`))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	old := write(t, "old.tar", b.Bytes())
	entries, closer, err := ocistore.Open(old)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	if diff := cmp.Diff([]string{"linux/s390x"}, platforms(entries)); diff != "" {
		t.Error(diff)
	}
	if err := readAll(old); err != nil {
		t.Error(err)
	}
}

func second(_ int, err error) error { return err }

func TestWhatIsNotTrusted(t *testing.T) {
	type layoutOf struct {
		dir   string
		image v1.Hash
		layer v1.Hash
	}
	blob := func(l layoutOf, h v1.Hash) string { return filepath.Join(l.dir, "blobs", "sha256", h.Hex) }
	must := func(t *testing.T, err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name  string
		spoil func(t *testing.T, l layoutOf)
		want  string
	}{
		{"a manifest with other bytes", func(t *testing.T, l layoutOf) {
			raw, err := os.ReadFile(blob(l, l.image))
			must(t, err)
			must(t, os.WriteFile(blob(l, l.image), bytes.Replace(raw, []byte(`{`), []byte(` {`), 1), 0o644))
		}, "bytes, its descriptor says"},
		{"a layer with other bytes", func(t *testing.T, l layoutOf) {
			raw, err := os.ReadFile(blob(l, l.layer))
			must(t, err)
			raw[len(raw)-1] ^= 1
			must(t, os.WriteFile(blob(l, l.layer), raw, 0o644))
		}, "holds other bytes"},
		{"a layer that is cut off", func(t *testing.T, l layoutOf) { must(t, os.Truncate(blob(l, l.layer), 5)) }, "has 5 bytes"},
		{"a layer that is not there", func(t *testing.T, l layoutOf) { must(t, os.Remove(blob(l, l.layer))) }, "is not there"},
		{"a layer that is a link out of the layout", func(t *testing.T, l layoutOf) {
			outside := filepath.Join(t.TempDir(), "layer")
			must(t, os.Rename(blob(l, l.layer), outside))
			must(t, os.Symlink(outside, blob(l, l.layer)))
		}, "escapes"},
		{"a layer that is a folder", func(t *testing.T, l layoutOf) {
			must(t, os.Remove(blob(l, l.layer)))
			must(t, os.Mkdir(blob(l, l.layer), 0o755))
		}, "no regular file"},
		{"an index.json without end", func(t *testing.T, l layoutOf) {
			must(t, os.WriteFile(filepath.Join(l.dir, "index.json"), bytes.Repeat([]byte(" "), 5<<20), 0o644))
		}, "larger than"},
		{"a digest that is a path", func(t *testing.T, l layoutOf) {
			must(t, os.WriteFile(filepath.Join(l.dir, "index.json"), []byte(`{"schemaVersion":2,"manifests":[{"mediaType":"`+string(types.OCIManifestSchema1)+`","size":1,"digest":"sha256:../../../etc/passwd"}]}`), 0o644))
		}, "reading index"},
		{"a digest of another kind", func(t *testing.T, l layoutOf) {
			must(t, os.WriteFile(filepath.Join(l.dir, "index.json"), []byte(`{"schemaVersion":2,"manifests":[{"mediaType":"`+string(types.OCIManifestSchema1)+`","size":1,"digest":"md5:d41d8cd98f00b204e9800998ecf8427e"}]}`), 0o644))
		}, "unsupported hash"},
	} {
		t.Run(row.name, func(t *testing.T) {
			img := imageFor(t, "linux", "amd64", "")
			l := layoutOf{dir: filepath.Join(t.TempDir(), "layout"), image: digestOf(t, img)}
			path, err := layout.Write(l.dir, empty.Index)
			must(t, err)
			must(t, path.AppendImage(img))
			layers, err := img.Layers()
			must(t, err)
			l.layer = digestOf(t, layers[1])
			row.spoil(t, l)
			if err := readAll(l.dir); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error = %v, want %q in it", err, row.want)
			}
		})
	}
}

// readAll reads every byte that a layout promises.
func readAll(path string) error {
	list, closer, err := ocistore.Open(path)
	if err != nil {
		return err
	}
	defer closer.Close()
	for _, e := range list {
		layers, err := e.Image.Layers()
		if err != nil {
			return err
		}
		for _, l := range layers {
			r, err := l.Compressed()
			if err != nil {
				return err
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestADocumentIsOneThing(t *testing.T) {
	store := ocistore.Store{Dir: t.TempDir()}
	config := `"config":{"mediaType":"x","size":2,"digest":"sha256:` + strings.Repeat("0", 64) + `"}`
	for _, row := range []struct{ name, document, asImage, asIndex string }{
		{"an image and an index at once", `{"layers":[],` + config + `,"manifests":[]}`, "at once", "at once"},
		{"an image", `{"mediaType":"` + string(types.OCIManifestSchema1) + `","layers":[],` + config + `}`, "", "is an image"},
		{"an index", `{"mediaType":"` + string(types.OCIImageIndex) + `","manifests":[]}`, "is an index", ""},
		{"an image that calls itself an index", `{"mediaType":"` + string(types.OCIImageIndex) + `","layers":[],` + config + `}`, "is an index", "is an image"},
		{"no JSON", `<html>`, "invalid character", "invalid character"},
	} {
		t.Run(row.name, func(t *testing.T) {
			digest, err := store.Put([]byte(row.document))
			if err != nil {
				t.Fatal(err)
			}
			_, imageErr := store.Image(v1.Descriptor{Digest: digest})
			_, indexErr := store.Index(v1.Descriptor{Digest: digest})
			for _, got := range []struct {
				err  error
				want string
			}{{imageErr, row.asImage}, {indexErr, row.asIndex}} {
				if (got.err == nil) != (got.want == "") || (got.err != nil && !strings.Contains(got.err.Error(), got.want)) {
					t.Errorf("error = %v, want %q in it", got.err, got.want)
				}
			}
		})
	}
}

func TestPut(t *testing.T) {
	store := ocistore.Store{Dir: filepath.Join(t.TempDir(), "new")}
	for range 2 {
		digest, err := store.Put([]byte("hello"))
		if err != nil {
			t.Fatal(err)
		}
		if want := "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"; digest.String() != want || !store.Has(digest) {
			t.Errorf("digest = %s, has = %v", digest, store.Has(digest))
		}
		got, err := store.Bytes(v1.Descriptor{Digest: digest})
		if err != nil || string(got) != "hello" {
			t.Errorf("bytes = %q, %v", got, err)
		}
	}
	files, err := fs.Glob(os.DirFS(store.Dir), "blobs/sha256/*")
	if err != nil || len(files) != 1 {
		t.Errorf("files = %v, %v", files, err)
	}
	for _, bad := range []v1.Hash{{}, {Algorithm: "sha256", Hex: "../../x"}, {Algorithm: "sha512", Hex: strings.Repeat("0", 64)}, {Algorithm: "sha256", Hex: strings.Repeat("A", 64)}} {
		if _, err := store.Bytes(v1.Descriptor{Digest: bad}); err == nil || store.Has(bad) {
			t.Errorf("digest %v was taken", bad)
		}
	}
}

func TestWhatIsNoArchive(t *testing.T) {
	for _, row := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"compressed", []byte("\x1f\x8b\x08\x00rest"), "compressed"},
		{"empty", nil, "neither an OCI archive"},
		{"text", bytes.Repeat([]byte("hello "), 200), "invalid tar header"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, _, err := ocistore.Open(write(t, "file", row.content)); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error = %v, want %q in it", err, row.want)
			}
		})
	}
}

func TestIndexesAreNotNestedForEver(t *testing.T) {
	idx := v1.ImageIndex(empty.Index)
	for range 8 {
		idx = mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: idx})
	}
	if _, err := ocistore.Entries(idx); err == nil || !strings.Contains(err.Error(), "nested") {
		t.Errorf("error = %v", err)
	}
}
