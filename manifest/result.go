package manifest

import (
	"encoding/json"
	"fmt"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/platform"
)

// Result is the finished image of one platform.
type Result struct {
	// Platform it was built for: what the index says.
	Platform platform.Platform
	// Descriptor of the image manifest, platform filled in, no annotations.
	Descriptor ocispec.Descriptor
	// Attestations are the descriptors of the manifests that speak of it
	// (provenance, SBOM), as BuildKit wrote them.
	Attestations []ocispec.Descriptor
	// Config is the digest of the image config.
	Config digest.Digest
	// Layers and Size describe the image for a summary: the number of layers, and the
	// bytes of manifest, config and compressed layers. Attestations do not count.
	Layers int
	Size   int64
}

// FromExport reads what BuildKit exported for one platform: a manifest or,
// with attestations, an index of one manifest and its attestations. Sizes and
// media types missing from desc are filled in; annotations of desc (the time of
// export) are dropped.
//
// An image whose config names another platform is a *PlatformError. The Result
// is valid all the same, for a caller that was told not to verify.
func FromExport(s Store, label platform.Platform, desc ocispec.Descriptor) (Result, error) {
	doc, size, err := s.read(desc)
	if err != nil {
		return Result{}, fmt.Errorf("reading the result for %s: %w", label, err)
	}
	desc = ocispec.Descriptor{MediaType: doc.MediaType, Digest: desc.Digest, Size: size}
	r := Result{Platform: label, Descriptor: desc}
	if doc.Manifests != nil {
		if r.Descriptor, r.Attestations, err = split(doc.Manifests); err != nil {
			return Result{}, fmt.Errorf("reading the result for %s: index %s: %w", label, desc.Digest, err)
		}
		if doc, size, err = s.read(r.Descriptor); err != nil {
			return Result{}, fmt.Errorf("reading the result for %s: %w", label, err)
		}
		r.Descriptor.MediaType, r.Descriptor.Size = doc.MediaType, size
	}
	if doc.Config == nil {
		return Result{}, fmt.Errorf("reading the result for %s: %s is no image manifest", label, r.Descriptor.Digest)
	}
	return r.describe(s, doc)
}

// split parts the children of an index into the image and what speaks of it.
func split(children []ocispec.Descriptor) (image ocispec.Descriptor, attestations []ocispec.Descriptor, err error) {
	for _, child := range children {
		if child.Annotations[imagetree.ReferenceType] != "" {
			attestations = append(attestations, child)
			continue
		}
		if image.Digest != "" {
			return image, nil, fmt.Errorf("holds more than one image")
		}
		image = ocispec.Descriptor{MediaType: child.MediaType, Digest: child.Digest, Size: child.Size}
	}
	if image.Digest == "" {
		return image, nil, fmt.Errorf("holds no image")
	}
	for _, a := range attestations {
		if about := a.Annotations[imagetree.ReferenceDigest]; about != image.Digest.String() {
			return image, nil, fmt.Errorf("attestation %s speaks of %s, not of the image %s", a.Digest, about, image.Digest)
		}
	}
	return image, attestations, nil
}

// describe fills in what the manifest and the config tell.
func (r Result) describe(s Store, doc imagetree.Document) (Result, error) {
	body, err := s.Read(*doc.Config)
	if err != nil {
		return Result{}, fmt.Errorf("reading the image config for %s: %w", r.Platform, err)
	}
	var config ocispec.Platform
	if err := json.Unmarshal(body, &config); err != nil {
		return Result{}, fmt.Errorf("reading the image config for %s: %w", r.Platform, err)
	}
	if err := r.complete(s, doc, body); err != nil {
		return Result{}, fmt.Errorf("reading the result for %s: %w", r.Platform, err)
	}
	r.Config, r.Layers = doc.Config.Digest, len(doc.Layers)
	r.Size = r.Descriptor.Size + doc.Config.Size
	for _, layer := range doc.Layers {
		r.Size += layer.Size
	}
	var found platform.Platform
	if config.OS != "" && config.Architecture != "" {
		found = platform.FromOCI(config)
	}
	if r.Platform.OSVersion == "" {
		r.Platform.OSVersion = found.OSVersion
	}
	oci := r.Platform.OCI()
	oci.OSFeatures = config.OSFeatures
	r.Descriptor.Platform = &oci
	if found != r.Platform {
		return r, &PlatformError{Label: r.Platform, Config: found, Digest: r.Descriptor.Digest}
	}
	return r, nil
}
