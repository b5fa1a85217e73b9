package ocistore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// image is a manifest in a source; partial.CompressedToImage makes a v1.Image of it.
type image struct {
	src      source
	raw      []byte
	manifest *v1.Manifest
}

func newImage(src source, desc v1.Descriptor) (v1.Image, error) {
	raw, err := document(src, desc)
	if err != nil {
		return nil, err
	}
	if err := unambiguous(raw, desc, false); err != nil {
		return nil, err
	}
	return imageOf(src, raw)
}

func imageOf(src source, raw []byte) (v1.Image, error) {
	img := &image{src: src, raw: raw, manifest: new(v1.Manifest)}
	if err := decode(raw, img.manifest); err != nil {
		return nil, fmt.Errorf("reading manifest: %w", err)
	}
	return partial.CompressedToImage(img)
}

func (i *image) RawManifest() ([]byte, error) { return i.raw, nil }

func (i *image) MediaType() (types.MediaType, error) {
	if i.manifest.MediaType == "" {
		return types.OCIManifestSchema1, nil
	}
	return i.manifest.MediaType, nil
}

func (i *image) RawConfigFile() ([]byte, error) {
	// A descriptor may carry its blob inline: not used, the blob itself is there.
	return document(i.src, i.manifest.Config)
}

func (i *image) LayerByDigest(digest v1.Hash) (partial.CompressedLayer, error) {
	if digest == i.manifest.Config.Digest {
		return partial.ConfigLayer(i)
	}
	for _, desc := range i.manifest.Layers {
		if desc.Digest == digest {
			return &layer{i.src, desc}, nil
		}
	}
	return nil, &MissingError{Digest: digest.String()}
}

// layer is one layer's blob, as it lies there.
type layer struct {
	src  source
	desc v1.Descriptor
}

func (l *layer) Digest() (v1.Hash, error)            { return l.desc.Digest, nil }
func (l *layer) Size() (int64, error)                { return l.desc.Size, nil }
func (l *layer) MediaType() (types.MediaType, error) { return l.desc.MediaType, nil }
func (l *layer) Compressed() (io.ReadCloser, error)  { return blob(l.src, l.desc) }
func (l *layer) Descriptor() (*v1.Descriptor, error) { return &l.desc, nil }

// index is an index in a source.
type index struct {
	src      source
	raw      []byte
	manifest *v1.IndexManifest
}

func newIndex(src source, desc v1.Descriptor) (v1.ImageIndex, error) {
	raw, err := document(src, desc)
	if err != nil {
		return nil, err
	}
	if err := unambiguous(raw, desc, true); err != nil {
		return nil, err
	}
	return indexOf(src, raw)
}

func indexOf(src source, raw []byte) (v1.ImageIndex, error) {
	idx := &index{src: src, raw: raw, manifest: new(v1.IndexManifest)}
	if err := decode(raw, idx.manifest); err != nil {
		return nil, fmt.Errorf("reading index: %w", err)
	}
	return idx, nil
}

func (x *index) RawManifest() ([]byte, error)                { return x.raw, nil }
func (x *index) IndexManifest() (*v1.IndexManifest, error)   { return x.manifest.DeepCopy(), nil }
func (x *index) Digest() (v1.Hash, error)                    { return partial.Digest(x) }
func (x *index) Size() (int64, error)                        { return int64(len(x.raw)), nil }
func (x *index) Image(digest v1.Hash) (v1.Image, error)      { return newImage(x.src, x.child(digest)) }
func (x *index) ImageIndex(d v1.Hash) (v1.ImageIndex, error) { return newIndex(x.src, x.child(d)) }

func (x *index) MediaType() (types.MediaType, error) {
	if x.manifest.MediaType == "" {
		return types.OCIImageIndex, nil
	}
	return x.manifest.MediaType, nil
}

func (x *index) child(digest v1.Hash) v1.Descriptor {
	for _, desc := range x.manifest.Manifests {
		if desc.Digest == digest {
			return desc
		}
	}
	return v1.Descriptor{Digest: digest}
}

// maxValues bounds the values in a manifest or an index: a few bytes of JSON
// become more than a hundred in memory.
const maxValues = 200_000

// decode reads a manifest or an index.
func decode(raw []byte, into any) error {
	if bytes.Count(raw, []byte(",")) > maxValues {
		return fmt.Errorf("it lists more than %d values", maxValues)
	}
	return json.Unmarshal(raw, into)
}

// unambiguous refuses a document that one reader takes for an image and another
// for an index (CVE-2021-41190), or that is not what its descriptor says.
func unambiguous(raw []byte, desc v1.Descriptor, wantIndex bool) error {
	var d struct {
		MediaType types.MediaType `json:"mediaType"`
		Config    json.RawMessage `json:"config"`
		Layers    json.RawMessage `json:"layers"`
		Manifests json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return fmt.Errorf("reading %s: %w", desc.Digest, err)
	}
	isImage, isIndex := d.Config != nil || d.Layers != nil, d.Manifests != nil
	switch {
	case isImage && isIndex:
		return fmt.Errorf("%s is an image and an index at once", desc.Digest)
	case wantIndex && isImage, wantIndex && d.MediaType.IsImage():
		return fmt.Errorf("%s is an image, not an index", desc.Digest)
	case !wantIndex && isIndex, !wantIndex && d.MediaType.IsIndex():
		return fmt.Errorf("%s is an index, not an image", desc.Digest)
	case desc.MediaType != "" && d.MediaType != "" && desc.MediaType != d.MediaType:
		return fmt.Errorf("%s says it is %s, its descriptor says %s", desc.Digest, d.MediaType, desc.MediaType)
	}
	return nil
}
