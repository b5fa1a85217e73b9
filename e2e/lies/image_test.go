package lies_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/platform"
)

// blob is what a node sends.
type blob struct {
	desc  ocispec.Descriptor
	bytes []byte
}

func blobOf(kind string, content []byte) blob {
	return blob{ocispec.Descriptor{MediaType: kind, Digest: digest.FromBytes(content), Size: int64(len(content))}, content}
}

func documentOf(kind string, value any) blob {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // plain data
	}
	return blobOf(kind, text)
}

// layer is one of an image: what travels, and the digest of what it unpacks to.
type layer struct {
	blob
	diffID digest.Digest
}

// image is one platform's, in blobs.
type image struct {
	layers           []layer
	config, manifest blob
	// more goes along: an index, attestations.
	more []blob
}

func (i image) all() []blob {
	var list []blob
	for _, l := range i.layers {
		list = append(list, l.blob)
	}
	return append(append(list, i.config, i.manifest), i.more...)
}

// making is how an image is made, for lies to be told at each step.
type making struct {
	label platform.Platform
	// config and manifest change what is true.
	config   func(*ocispec.Image)
	manifest func(*ocispec.Manifest)
}

func (m making) of(layers ...layer) image {
	config := ocispec.Image{Platform: m.label.OCI(), RootFS: ocispec.RootFS{Type: "layers"}}
	config.Config.Entrypoint = []string{"/app"}
	manifest := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	for _, l := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.diffID)
		manifest.Layers = append(manifest.Layers, l.desc)
	}
	if m.config != nil {
		m.config(&config)
	}
	i := image{layers: layers, config: documentOf(ocispec.MediaTypeImageConfig, config)}
	manifest.Config = i.config.desc
	if m.manifest != nil {
		m.manifest(&manifest)
	}
	i.manifest = documentOf(ocispec.MediaTypeImageManifest, manifest)
	return i
}

// attested is an image in an index with a statement about a subject; the annotation says what the
// statement is beside.
func (i image) attested(beside, subject digest.Digest) image {
	statement := documentOf("application/vnd.in-toto+json", map[string]any{
		"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2", "predicate": map[string]any{},
		"subject": []any{map[string]any{"name": "_", "digest": map[string]string{"sha256": subject.Encoded()}}},
	})
	statement.desc.Annotations = map[string]string{"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"}
	config := documentOf(ocispec.MediaTypeImageConfig, ocispec.Image{Platform: ocispec.Platform{OS: "unknown", Architecture: "unknown"}, RootFS: ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{statement.desc.Digest}}})
	about := documentOf(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Config: config.desc, Layers: []ocispec.Descriptor{statement.desc},
	})
	entry := about.desc
	entry.Platform = &ocispec.Platform{OS: "unknown", Architecture: "unknown"}
	entry.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": beside.String()}
	return i.index(i.manifest.desc, entry).with(statement, config, about)
}

// index puts an index around an image.
func (i image) index(children ...ocispec.Descriptor) image {
	return i.under(documentOf(ocispec.MediaTypeImageIndex, ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: children}))
}

// under names another document in the place of the manifest, which goes along.
func (i image) under(root blob) image {
	i.more = append(i.more, i.manifest)
	i.manifest = root
	return i
}

func (i image) with(more ...blob) image {
	i.more = append(i.more, more...)
	return i
}

// layerOf is a layer with one file.
func layerOf(t testing.TB, name string, mode int64, content []byte) layer {
	t.Helper()
	var plain, packed bytes.Buffer
	w := tar.NewWriter(&plain)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(plain.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return layer{blobOf(ocispec.MediaTypeImageLayerGzip, packed.Bytes()), digest.FromBytes(plain.Bytes())}
}

// bomb is a layer of some kilobytes with a file of 6 GB.
func bomb(t testing.TB) layer {
	t.Helper()
	const size, frame = 6 << 30, 64 << 20
	var head bytes.Buffer
	if err := tar.NewWriter(&head).WriteHeader(&tar.Header{Name: "zeros", Mode: 0o644, Size: size}); err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	packed := z.EncodeAll(head.Bytes(), nil)
	zeros := z.EncodeAll(make([]byte, frame), nil)
	for range size/frame + 1 { // and the end of the archive
		packed = append(packed, zeros...)
	}
	return layer{blobOf(ocispec.MediaTypeImageLayerZstd, packed), digest.FromString("nobody knows")}
}

// Machines of ELF.
const (
	amd64 = 62
	arm64 = 183
)

// program begins as one for a machine does; more is the rest of it.
func program(machine uint16, more string) []byte {
	b := make([]byte, 128)
	copy(b, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint16(b[16:], 2)
	binary.LittleEndian.PutUint16(b[18:], machine)
	binary.LittleEndian.PutUint32(b[20:], 1)
	binary.LittleEndian.PutUint16(b[52:], 64)
	return append(b, more...)
}
