package manifest_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/platform"
)

var (
	amd64 = platform.MustParse("linux/amd64")
	arm64 = platform.MustParse("linux/arm64")
	armV7 = platform.MustParse("linux/arm/v7")
)

// stored is a store with what a test puts in.
type stored struct {
	t testing.TB
	manifest.Store
}

func newStore(t testing.TB) stored {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		t.Fatal(err)
	}
	return stored{t, manifest.Store{Dir: dir}}
}

func (s stored) blob(mediaType string, body []byte) ocispec.Descriptor {
	d := digest.FromBytes(body)
	path, err := s.Path(d)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, body, 0o444); err != nil && !os.IsPermission(err) {
		s.t.Fatal(err)
	}
	return ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(body))}
}

func (s stored) json(mediaType string, v any) ocispec.Descriptor {
	body, err := json.Marshal(v)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.blob(mediaType, body)
}

// layer is a gzip layer of entries. An entry without a type is a file whose
// content is its Linkname.
func (s stored) layer(entries ...tar.Header) ocispec.Descriptor {
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for _, h := range entries {
		content := ""
		if h.Typeflag == 0 {
			h.Typeflag, content, h.Linkname = tar.TypeReg, h.Linkname, ""
			h.Size = int64(len(content))
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if h.ModTime.IsZero() {
			h.ModTime = time.Unix(1000, 0)
		}
		if err := w.WriteHeader(&h); err != nil {
			s.t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		s.t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(plain.Bytes()); err != nil {
		s.t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		s.t.Fatal(err)
	}
	return s.blob(ocispec.MediaTypeImageLayerGzip, packed.Bytes())
}

// image is a manifest with its config.
func (s stored) image(p platform.Platform, layers ...ocispec.Descriptor) ocispec.Descriptor {
	config := ocispec.Image{Platform: p.OCI(), RootFS: ocispec.RootFS{Type: "layers"}}
	for _, l := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.Digest) // readers of layers only compare the number
	}
	return s.json(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    s.json(ocispec.MediaTypeImageConfig, config),
		Layers:    layers,
	})
}

// simple is an image of one layer with the file /name.
func (s stored) simple(p platform.Platform, name string) ocispec.Descriptor {
	return s.image(p, s.layer(tar.Header{Name: name, Linkname: "content of " + name}))
}

// attested is an image with provenance in an index around both, as BuildKit exports it.
func (s stored) attested(p platform.Platform, name string) ocispec.Descriptor {
	image := s.simple(p, name)
	oci := p.OCI()
	image.Platform = &oci
	return s.json(ocispec.MediaTypeImageIndex, ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageIndex,
		Manifests: []ocispec.Descriptor{image, s.attestation(image.Digest)},
	})
}

func (s stored) attestation(about digest.Digest) ocispec.Descriptor {
	d := s.json(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    s.blob(ocispec.MediaTypeEmptyJSON, []byte("{}")),
		Layers:    []ocispec.Descriptor{s.blob("application/vnd.in-toto+json", []byte(`{"about":"`+about+`"}`))},
	})
	d.Platform = &ocispec.Platform{OS: "unknown", Architecture: "unknown"}
	d.Annotations = map[string]string{
		"vnd.docker.reference.type":   "attestation-manifest",
		"vnd.docker.reference.digest": about.String(),
	}
	return d
}

func (s stored) result(p platform.Platform, exported ocispec.Descriptor) manifest.Result {
	r, err := manifest.FromExport(s.Store, p, exported)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s stored) assemble(annotations []string, results ...manifest.Result) manifest.Index {
	list, err := manifest.ParseAnnotations(annotations)
	if err != nil {
		s.t.Fatal(err)
	}
	x, err := manifest.Assemble(s.t.Context(), s.Store, results, list, manifest.InIndex)
	if err != nil {
		s.t.Fatal(err)
	}
	return x
}

// two is an image for amd64 and arm64.
func (s stored) two() manifest.Index {
	return s.assemble(nil, s.result(amd64, s.simple(amd64, "a")), s.result(arm64, s.simple(arm64, "b")))
}

// tree lists all files below a folder with their mode and content.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.Walk(dir, func(path string, fi os.FileInfo, err error) error {
		if err != nil || path == dir {
			return err
		}
		text := fi.Mode().String()
		switch {
		case fi.Mode().IsRegular():
			body, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += " " + string(body)
		case fi.Mode()&os.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text = "-> " + target
		}
		found[strings.TrimPrefix(path, dir+"/")] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// hintOf is the hint of an error about user input; there must be one.
func hintOf(t testing.TB, err error) string {
	t.Helper()
	h, ok := err.(interface{ Hint() string })
	if !ok || h.Hint() == "" {
		t.Errorf("%T %q has no hint", err, err)
		return ""
	}
	return h.Hint()
}
