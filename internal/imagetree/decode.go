package imagetree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/v1/types"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxListed bounds the entries of one list in a document: a few bytes of JSON
// become a hundred in memory.
const maxListed = 10_000

// descriptors is a bounded list of them.
type descriptors []ocispec.Descriptor

// UnmarshalJSON reads at most maxListed entries.
func (d *descriptors) UnmarshalJSON(data []byte) (err error) {
	*d, err = bounded[ocispec.Descriptor](data)
	return err
}

// digests is a bounded list of texts.
type digests []string

// UnmarshalJSON reads at most maxListed entries.
func (d *digests) UnmarshalJSON(data []byte) (err error) {
	*d, err = bounded[string](data)
	return err
}

func bounded[T any](data []byte) ([]T, error) {
	if string(data) == "null" {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if start, err := decoder.Token(); err != nil || start != json.Delim('[') {
		return nil, errors.New("a list is expected")
	}
	list := []T{}
	for decoder.More() {
		if len(list) == maxListed {
			return nil, fmt.Errorf("a list has more than %d entries", maxListed)
		}
		var one T
		if err := decoder.Decode(&one); err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

// Document is an image manifest or an index, whichever fields it has.
type Document struct {
	SchemaVersion int                 `json:"schemaVersion"`
	MediaType     string              `json:"mediaType"`
	ArtifactType  string              `json:"artifactType"`
	Manifests     descriptors         `json:"manifests"`
	Config        *ocispec.Descriptor `json:"config"`
	Layers        descriptors         `json:"layers"`
	Annotations   map[string]string   `json:"annotations"`
}

// Decode reads a manifest. One that a reader could take for an image and another
// for an index is refused (CVE-2021-41190), as is Docker's old schema 1.
func Decode(raw []byte) (Document, error) {
	var d Document
	if err := json.Unmarshal(raw, &d); err != nil {
		return d, fmt.Errorf("it is no manifest: %w", err)
	}
	kind, index, image := types.MediaType(d.MediaType), d.Manifests != nil, d.Config != nil || d.Layers != nil
	switch {
	case d.SchemaVersion == 1:
		return d, errors.New("it is an image of Docker's old schema 1, which is no longer read")
	case index && image, kind.IsIndex() && image, kind.IsImage() && index:
		return d, errors.New("it is an image and an index at once")
	case d.MediaType == "" && index:
		d.MediaType = ocispec.MediaTypeImageIndex
	case d.MediaType == "" && d.Config != nil:
		d.MediaType = ocispec.MediaTypeImageManifest
	case kind.IsIndex(), kind.IsImage() && d.Config != nil:
	default:
		return d, errors.New("it is neither an image nor an index")
	}
	return d, nil
}

// IsIndex tells an index from all that has a config and layers.
func (d Document) IsIndex() bool { return types.MediaType(d.MediaType).IsIndex() }

// Content lists the blobs that a repository has to hold before it takes the
// manifest: config and layers, but for those that are fetched from elsewhere
// (Windows bases).
func (d Document) Content() []ocispec.Descriptor {
	if d.Config == nil {
		return nil
	}
	list := []ocispec.Descriptor{*d.Config}
	for _, layer := range d.Layers {
		if types.MediaType(layer.MediaType).IsDistributable() || len(layer.URLs) == 0 {
			list = append(list, layer)
		}
	}
	return list
}

// isImageConfig tells the two types of an image's config.
func isImageConfig(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageConfig || mediaType == string(types.DockerConfigJSON)
}
