package manifest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-containerregistry/pkg/v1/types"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/platform"
)

// Index is one multi-platform image, ready to be delivered. Make it by Assemble.
type Index struct {
	// Descriptor of the index itself, with the annotations of level index-descriptor.
	// Without attestations, a single image is no index but its manifest.
	Descriptor ocispec.Descriptor
	// Bytes of the index; Descriptor.Digest is their digest.
	Bytes []byte
	// Results in the order of the index, with the attestations that it lists.
	Results []Result

	store    Store
	shipment shipment
}

// Assemble joins results into an index, in the order given, attestations where
// the profile says. A platform that comes twice is a *DuplicateError. Images that all
// have Docker's media type get an index of Docker's (oci-mediatypes=false). The blobs
// stay in the store, which the Index reads when it is delivered.
func Assemble(ctx context.Context, s Store, results []Result, annotations Annotations, profile Profile) (Index, error) {
	if len(results) == 0 {
		return Index{}, errors.New("assembling an index: no platform was built")
	}
	o := profiled{request: Request{Annotations: annotations, Attestations: profile}}
	if !slices.ContainsFunc(results, func(r Result) bool { return r.Descriptor.MediaType != string(types.DockerManifestSchema2) }) {
		o.request.Type = Docker
	}
	var a Assembly
	seen := map[platform.Platform]bool{}
	for _, r := range results {
		if seen[r.Platform] {
			return Index{}, &DuplicateError{r.Platform}
		}
		seen[r.Platform] = true
		entry := r.entry(annotations)
		o.images = append(o.images, child{Descriptor: entry, from: s, attestations: r.Attestations, size: r.Size})
		o.entries = append(o.entries, entry)
		o.attestations = append(o.attestations, r.Attestations...)
		a.shipment.items = append(a.shipment.items, item{Descriptor: r.Descriptor, from: s})
	}
	if err := o.write(ctx, &a); err != nil {
		return Index{}, err
	}
	x := Index{Descriptor: a.Descriptor, Bytes: a.Bytes, Results: slices.Clone(results), store: s, shipment: a.shipment}
	x.Descriptor.Annotations = annotations.at(LevelIndexDescriptor, platform.Platform{})
	for i := range x.Results {
		if profile != InIndex && profile != "" {
			x.Results[i].Attestations = nil
		}
	}
	return x, nil
}

// entry is the descriptor of a result as the index lists it.
func (r Result) entry(annotations Annotations) ocispec.Descriptor {
	oci := r.Platform.OCI()
	if r.Descriptor.Platform != nil {
		oci.OSFeatures = r.Descriptor.Platform.OSFeatures
	}
	return ocispec.Descriptor{
		MediaType:   r.Descriptor.MediaType,
		Digest:      r.Descriptor.Digest,
		Size:        r.Descriptor.Size,
		Platform:    &oci,
		Annotations: annotations.at(LevelDescriptor, r.Platform),
	}
}

// manifests lists the manifests below the index: images, then attestations.
func (x Index) manifests() []ocispec.Descriptor {
	var images, attestations []ocispec.Descriptor
	for _, r := range x.Results {
		images = append(images, r.Descriptor)
		attestations = append(attestations, r.Attestations...)
	}
	return append(images, attestations...)
}

// content lists a manifest's config and layers.
func (x Index) content(manifest ocispec.Descriptor) ([]ocispec.Descriptor, error) {
	doc, _, err := x.store.read(manifest)
	if err != nil {
		return nil, err
	}
	if doc.Config == nil {
		return nil, fmt.Errorf("%s is no manifest", manifest.Digest)
	}
	return append([]ocispec.Descriptor{*doc.Config}, doc.Layers...), nil
}

// blobs lists every blob but the index itself, each once, sorted by digest.
func (x Index) blobs() ([]ocispec.Descriptor, error) {
	var all []ocispec.Descriptor
	for _, m := range x.manifests() {
		content, err := x.content(m)
		if err != nil {
			return nil, err
		}
		all = append(append(all, m), content...)
	}
	slices.SortFunc(all, func(a, b ocispec.Descriptor) int { return cmp.Compare(a.Digest, b.Digest) })
	return slices.CompactFunc(all, func(a, b ocispec.Descriptor) bool { return a.Digest == b.Digest }), nil
}
