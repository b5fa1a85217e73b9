package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/internal/ocistore"
)

// complete says what an image lacks that a runtime would need, as far as that can be said
// without reading layers: each has to be there, as long as its descriptor says, and the
// config has to name what it unpacks to. What speaks of the image has to mean this one.
func (r Result) complete(s Store, doc imagetree.Document, config []byte) error {
	if kind := types.MediaType(doc.Config.MediaType); kind != types.OCIConfigJSON && kind != types.DockerConfigJSON {
		return fmt.Errorf("%s is no image: its config is of type %q", r.Descriptor.Digest, doc.Config.MediaType)
	}
	var c imagetree.Config
	if err := json.Unmarshal(config, &c); err != nil {
		return fmt.Errorf("reading the image config: %w", err)
	}
	if size := int64(len(config)); size != doc.Config.Size {
		return fmt.Errorf("the config has %d bytes, its descriptor says %d", size, doc.Config.Size)
	}
	if len(c.RootFS.DiffIDs) != len(doc.Layers) {
		return fmt.Errorf("the config names %d layers, the manifest has %d: no runtime unpacks that", len(c.RootFS.DiffIDs), len(doc.Layers))
	}
	for _, layer := range doc.Layers {
		if err := s.has(layer); err != nil {
			return err
		}
	}
	for _, attestation := range r.Attestations {
		if err := s.about(attestation, r.Descriptor.Digest); err != nil {
			return fmt.Errorf("attestation %s: %w", attestation.Digest, err)
		}
	}
	return nil
}

// has says whether a layer is there, with the size that its descriptor says. Those that lie on
// somebody's server by the manifest's own word need not be.
func (s Store) has(layer ocispec.Descriptor) error {
	path, err := s.Path(layer.Digest)
	if err != nil {
		return err
	}
	info, err := os.Lstat(path)
	switch {
	case os.IsNotExist(err) && IsOutside(layer):
		return nil
	case os.IsNotExist(err):
		return &ocistore.MissingError{Digest: layer.Digest.String()}
	case err != nil:
		return err
	case info.Size() != layer.Size:
		return fmt.Errorf("layer %s has %d bytes, its descriptor says %d", layer.Digest, info.Size(), layer.Size)
	}
	return nil
}

// IsOutside says of a layer that it lies on somebody's server, by the manifest's own word.
func IsOutside(layer ocispec.Descriptor) bool {
	kind := types.MediaType(layer.MediaType)
	return len(layer.URLs) > 0 || kind.IsLayer() && !kind.IsDistributable()
}

// about says whether the statements of an attestation are about an image, those at least that
// BuildKit itself makes: how it was made, and what is in it.
func (s Store) about(attestation ocispec.Descriptor, image digest.Digest) error {
	doc, size, err := s.read(attestation)
	if err != nil {
		return err
	}
	if size != attestation.Size {
		return fmt.Errorf("it has %d bytes, its descriptor says %d", size, attestation.Size)
	}
	for _, layer := range doc.Layers {
		if err := s.has(layer); err != nil {
			return err
		}
		if !isBuildKits(layer.Annotations[imagetree.PredicateType]) || layer.Size > longestStatement {
			continue
		}
		var body bytes.Buffer
		if err := s.copy(&body, layer); err != nil {
			return err
		}
		var statement struct {
			Subject []struct{ Digest map[string]string }
		}
		if err := json.Unmarshal(body.Bytes(), &statement); err != nil {
			return fmt.Errorf("reading statement %s: %w", layer.Digest, err)
		}
		// Of an image without a name BuildKit's statements have no subject: the index says what they are about.
		if len(statement.Subject) > 0 && !slices.ContainsFunc(statement.Subject, func(of struct{ Digest map[string]string }) bool {
			return of.Digest[image.Algorithm().String()] == image.Encoded()
		}) {
			return fmt.Errorf("statement %s speaks of another subject than the image %s", layer.Digest, image)
		}
	}
	return nil
}

// longestStatement is how much is read of one, in bytes: the list of all that is in a large image
// has some million.
const longestStatement = 64 << 20

// isBuildKits tells statements whose subject is always the image beside them.
func isBuildKits(predicate string) bool {
	return strings.HasPrefix(predicate, "https://slsa.dev/provenance/") || predicate == "https://spdx.dev/Document"
}
