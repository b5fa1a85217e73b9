package manifest

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/v1/types"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// document is every field that tells a manifest from an index.
type document struct {
	SchemaVersion int                  `json:"schemaVersion"`
	MediaType     string               `json:"mediaType"`
	ArtifactType  string               `json:"artifactType"`
	Config        *ocispec.Descriptor  `json:"config"`
	Layers        []ocispec.Descriptor `json:"layers"`
	Manifests     []ocispec.Descriptor `json:"manifests"`
	Annotations   map[string]string    `json:"annotations"`
}

// parseDocument decodes a manifest or an index. What could be taken for both, or
// is not what its descriptor calls it, is refused: two readers would see two
// images (CVE-2021-41190).
func parseDocument(desc ocispec.Descriptor, body []byte) (document, error) {
	var doc document
	if err := json.Unmarshal(body, &doc); err != nil {
		return document{}, fmt.Errorf("reading %s: %w", desc.Digest, err)
	}
	if doc.SchemaVersion == 1 {
		return document{}, fmt.Errorf("reading %s: it is an image of Docker's old schema 1, which is no longer read", desc.Digest)
	}
	if doc.Manifests != nil && (doc.Config != nil || doc.Layers != nil) {
		return document{}, fmt.Errorf("reading %s: both an index and a manifest", desc.Digest)
	}
	if doc.MediaType == "" {
		doc.MediaType = desc.MediaType
	}
	if desc.MediaType != "" && desc.MediaType != doc.MediaType {
		return document{}, fmt.Errorf("reading %s: is a %s, its descriptor says %s", desc.Digest, doc.MediaType, desc.MediaType)
	}
	if isIndex(doc.MediaType) && (doc.Config != nil || doc.Layers != nil) || isImage(doc.MediaType) && doc.Manifests != nil {
		return document{}, fmt.Errorf("reading %s: the content is not of its media type %s", desc.Digest, doc.MediaType)
	}
	for _, list := range [][]ocispec.Descriptor{doc.Layers, doc.Manifests, doc.config()} {
		for _, d := range list {
			if err := d.Digest.Validate(); err != nil {
				return document{}, fmt.Errorf("reading %s: it names %q: %w", desc.Digest, d.Digest, err)
			}
			if d.Size < 0 {
				return document{}, errors.New("reading " + desc.Digest.String() + ": it names a blob of negative size")
			}
		}
	}
	return doc, nil
}

func (d document) config() []ocispec.Descriptor {
	if d.Config == nil {
		return nil
	}
	return []ocispec.Descriptor{*d.Config}
}

// content lists the blobs of a manifest that a repository has to hold: config
// and layers, but for those that are fetched from elsewhere (Windows bases).
func (d document) content() []ocispec.Descriptor {
	list := d.config()
	for _, layer := range d.Layers {
		if !types.MediaType(layer.MediaType).IsDistributable() && len(layer.URLs) > 0 {
			continue
		}
		list = append(list, layer)
	}
	return list
}

// isImage tells whether the config is that of a container image.
func (d document) isImage() bool {
	return d.Config != nil && (d.Config.MediaType == ocispec.MediaTypeImageConfig || d.Config.MediaType == string(types.DockerConfigJSON))
}

func isIndex(mediaType string) bool { return types.MediaType(mediaType).IsIndex() }

func isImage(mediaType string) bool { return types.MediaType(mediaType).IsImage() }

func isManifest(mediaType string) bool { return isIndex(mediaType) || isImage(mediaType) }
