package manifest

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/platform"
)

// Only is the image of one platform without index and attestations, for readers
// that know neither. A platform that is not there is an error.
func (x Index) Only(p platform.Platform) (Index, error) {
	for _, r := range x.Results {
		if r.Platform != p {
			continue
		}
		body, err := x.store.Read(r.Descriptor)
		if err != nil {
			return Index{}, fmt.Errorf("reading the image for %s: %w", p, err)
		}
		r.Attestations = nil
		return Index{Descriptor: r.Descriptor, Bytes: body, Results: []Result{r}, store: x.store}, nil
	}
	return Index{}, fmt.Errorf("there is no image for %s", p)
}

// dockerImage is an entry of the manifest.json in Docker's archives.
type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// WriteDocker writes the archive of `docker save` for an image of one platform: its
// blobs, manifest.json for those who know Docker's form, and index.json for those
// who know OCI's, to whom the image keeps its digest. Layers are as they are:
// Docker before 23 reads none in zstd. Attestations are left out. Several
// platforms are a *OnePlatformError.
func (x Index) WriteDocker(ctx context.Context, w io.Writer, names []string) error {
	if len(x.Results) != 1 {
		return &OnePlatformError{len(x.Results)}
	}
	one, err := x.Only(x.Results[0].Platform)
	if err != nil {
		return err
	}
	index, err := one.layoutIndex(names)
	if err != nil {
		return err
	}
	manifest, err := one.dockerManifest(names)
	if err != nil {
		return err
	}
	blobs, err := one.blobs()
	if err != nil {
		return fmt.Errorf("writing archive: %w", err)
	}
	a := archive{tar.NewWriter(w)}
	documents := []document{{"index.json", index}, {"manifest.json", manifest}, {"oci-layout", []byte(layoutVersion)}}
	if err := a.write(ctx, one, blobs, documents); err != nil {
		return fmt.Errorf("writing archive: %w", err)
	}
	return nil
}

func (x Index) dockerManifest(names []string) ([]byte, error) {
	full, err := fullNames(names)
	if err != nil {
		return nil, err
	}
	content, err := x.content(x.Descriptor)
	if err != nil {
		return nil, err
	}
	image := dockerImage{Config: blobName(content[0].Digest)}
	for _, name := range full {
		image.RepoTags = append(image.RepoTags, reference.FamiliarString(name))
	}
	for _, layer := range content[1:] {
		image.Layers = append(image.Layers, blobName(layer.Digest))
	}
	return json.Marshal([]dockerImage{image})
}

// blobName is a blob's path in a layout or an archive.
func blobName(d digest.Digest) string { return "blobs/sha256/" + d.Encoded() }

// Compressed tells whether any layer of any platform has a media type that ends so:
// +zstd, +gzip.
func (x Index) Compressed(suffix string) (bool, error) {
	blobs, err := x.blobs()
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(blobs, func(b ocispec.Descriptor) bool { return strings.HasSuffix(b.MediaType, suffix) }), nil
}
