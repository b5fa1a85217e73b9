package registrytest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
)

// The media types of the images that are made here.
const (
	ociIndex       = "application/vnd.oci.image.index.v1+json"
	ociManifest    = "application/vnd.oci.image.manifest.v1+json"
	ociConfig      = "application/vnd.oci.image.config.v1+json"
	ociLayer       = "application/vnd.oci.image.layer.v1.tar+gzip"
	dockerIndex    = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerConfig   = "application/vnd.docker.container.image.v1+json"
	dockerLayer    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	inToto         = "application/vnd.in-toto+json"
)

// Platform is a platform as descriptors have it.
type Platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant,omitempty"`
	OSVersion    string `json:"os.version,omitempty"`
}

// String is os/arch/variant.
func (p Platform) String() string {
	return strings.TrimSuffix(p.OS+"/"+p.Architecture+"/"+p.Variant, "/")
}

// Descriptor points at a blob or a manifest.
type Descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Platform     *Platform         `json:"platform,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
}

// Options say what image or index to make. The zero value is an image of linux/amd64 with one layer of 1 KiB.
type Options struct {
	// Platforms of an index, as os/arch[/variant]; an image has the first. "linux/arm64=linux/amd64" is listed as the first,
	// while its config says the second.
	Platforms []string
	// Layers are the sizes of each image's layers in bytes, within a few hundred.
	Layers []int
	// Seed chooses the bytes. Two platforms never share a layer, unless Shared.
	Seed uint64
	// Shared makes the first layer the same for all platforms.
	Shared bool
	// Docker asks for Docker's media types instead of OCI's.
	Docker bool
	// Attest adds to each platform what BuildKit adds: a manifest of unknown/unknown with the provenance.
	Attest bool
	// Annotations are those of the top: the index, or the only manifest.
	Annotations map[string]string
}

// Content is an image or an index with all it refers to.
type Content struct {
	// Root is the descriptor of the image or the index.
	Root Descriptor
	// Manifests and Blobs are bytes by digest; Manifests have the root and the children.
	Manifests, Blobs map[string][]byte

	order []Descriptor // the manifests, children first
}

// Children are the descriptors of an index; an image has none.
func (c *Content) Children() []Descriptor {
	var parsed struct {
		Manifests []Descriptor `json:"manifests"`
	}
	_ = json.Unmarshal(c.Manifests[c.Root.Digest], &parsed)
	return parsed.Manifests
}

type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Config        *Descriptor       `json:"config,omitempty"`
	Layers        []Descriptor      `json:"layers,omitempty"`
	Manifests     []Descriptor      `json:"manifests,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// Image makes one image. Attest is not for it: an attestation needs an index.
func Image(o Options) *Content {
	c := &Content{Manifests: map[string][]byte{}, Blobs: map[string][]byte{}}
	c.Root = c.image(o.normal(), 0)
	return c
}

// Index makes an index of one image for each platform, attestations last.
func Index(o Options) *Content {
	c, o := &Content{Manifests: map[string][]byte{}, Blobs: map[string][]byte{}}, o.normal()
	top := manifest{SchemaVersion: 2, MediaType: o.pick(dockerIndex, ociIndex), Annotations: o.Annotations}
	o.Annotations = nil
	for i, p := range o.Platforms {
		listed, _ := split(p)
		child := c.image(o, i)
		child.Platform = &listed
		top.Manifests = append(top.Manifests, child)
	}
	if o.Attest {
		for _, child := range top.Manifests {
			top.Manifests = append(top.Manifests, c.attestation(child))
		}
	}
	c.Root = c.manifest(top)
	return c
}

func (o Options) normal() Options {
	if len(o.Platforms) == 0 {
		o.Platforms = []string{"linux/amd64"}
	}
	if len(o.Layers) == 0 {
		o.Layers = []int{1 << 10}
	}
	return o
}

func (o Options) pick(docker, oci string) string {
	if o.Docker {
		return docker
	}
	return oci
}

func split(p string) (listed, config Platform) {
	a, b, found := strings.Cut(p, "=")
	if !found {
		b = a
	}
	return parsePlatform(a), parsePlatform(b)
}

func parsePlatform(p string) Platform {
	parts := append(strings.Split(p, "/"), "", "")
	return Platform{OS: parts[0], Architecture: parts[1], Variant: parts[2]}
}

// image adds the i-th platform's image.
func (c *Content) image(o Options, i int) Descriptor {
	_, p := split(o.Platforms[i])
	m := manifest{SchemaVersion: 2, MediaType: o.pick(dockerManifest, ociManifest), Annotations: o.Annotations}
	var diffs []string
	for n, size := range o.Layers {
		of := o.Platforms[i]
		if o.Shared && n == 0 {
			of = "all"
		}
		data, diff := layer(fmt.Sprintf("%d %s %d", o.Seed, of, n), size)
		m.Layers = append(m.Layers, c.blob(o.pick(dockerLayer, ociLayer), data))
		diffs = append(diffs, diff)
	}
	config := c.blob(o.pick(dockerConfig, ociConfig), must(json.Marshal(map[string]any{
		"architecture": p.Architecture, "os": p.OS, "variant": p.Variant, "created": "1970-01-01T00:00:00Z",
		"config": map[string]any{"Cmd": []string{"/hello"}, "Labels": map[string]string{"seed": fmt.Sprint(o.Seed)}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffs},
	})))
	m.Config = &config
	return c.manifest(m)
}

// attestation adds the manifest that BuildKit would add for an image, and returns how an index lists it.
func (c *Content) attestation(of Descriptor) Descriptor {
	statement := must(json.Marshal(map[string]any{
		"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2",
		"subject":   []any{map[string]any{"name": "test", "digest": map[string]string{"sha256": strings.TrimPrefix(of.Digest, "sha256:")}}},
		"predicate": map[string]any{"buildType": "https://mobyproject.org/buildkit@v1"},
	}))
	layer := c.blob(inToto, statement)
	layer.Annotations = map[string]string{"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"}
	config := c.blob(ociConfig, must(json.Marshal(map[string]any{
		"architecture": "unknown", "os": "unknown", "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{layer.Digest}},
	})))
	desc := c.manifest(manifest{SchemaVersion: 2, MediaType: ociManifest, Config: &config, Layers: []Descriptor{layer}})
	desc.Annotations = map[string]string{
		"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": of.Digest,
	}
	desc.Platform = &Platform{OS: "unknown", Architecture: "unknown"}
	return desc
}

func (c *Content) blob(mediaType string, data []byte) Descriptor {
	desc := Descriptor{MediaType: mediaType, Digest: digestOf(data), Size: int64(len(data))}
	c.Blobs[desc.Digest] = data
	return desc
}

func (c *Content) manifest(m manifest) Descriptor {
	data := must(json.Marshal(m))
	desc := Descriptor{MediaType: m.MediaType, Digest: digestOf(data), Size: int64(len(data))}
	if c.Manifests[desc.Digest] == nil {
		c.order = append(c.order, desc)
	}
	c.Manifests[desc.Digest] = data
	return desc
}

// layer is a tar.gz with one file of random bytes, and the digest of the tar.
func layer(seed string, size int) (data []byte, diff string) {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(seed))
	content := make([]byte, size)
	fill(content, rand.NewPCG(hash.Sum64(), 1))
	plain, packed := &bytes.Buffer{}, &bytes.Buffer{}
	archive := tar.NewWriter(plain)
	must(0, archive.WriteHeader(&tar.Header{Name: fmt.Sprintf("data-%x", hash.Sum64()), Mode: 0o644, Size: int64(size)}))
	must(archive.Write(content))
	must(0, archive.Close())
	zip := must(gzip.NewWriterLevel(packed, gzip.NoCompression))
	must(zip.Write(plain.Bytes()))
	must(0, zip.Close())
	return packed.Bytes(), digestOf(plain.Bytes())
}

func fill(data []byte, source *rand.PCG) {
	for i := 0; i < len(data); i += 8 {
		word := source.Uint64()
		for k := i; k < min(i+8, len(data)); k++ {
			data[k], word = byte(word), word>>8
		}
	}
}

func digestOf(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

// must is for what cannot fail: writing to memory, JSON of maps.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
