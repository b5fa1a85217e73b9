package ocistore

import (
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/platform"
)

const (
	maxDepth   = 4    // index in index in index …
	maxEntries = 1000 // images of one layout or reference
)

// Entry is one image of an index, a layout or an archive.
type Entry struct {
	// Platform is the label: what the index says, else what the image's config says.
	Platform platform.Platform
	Digest   v1.Hash
	Image    v1.Image
}

// Entries lists the images of an index, of the indexes within it as well, in
// order of appearance and each once. What is no image for a platform
// (attestations, signatures, other artifacts) is left out.
func Entries(idx v1.ImageIndex) ([]Entry, error) {
	w := &walk{seen: map[string]bool{}}
	if err := w.index(idx, 0); err != nil {
		return nil, err
	}
	return w.list, nil
}

// ImageEntry is a single image as an entry, labelled by its own config. ok is
// false when its config names no platform.
func ImageEntry(img v1.Image) (entry Entry, ok bool, err error) {
	digest, err := img.Digest()
	if err != nil {
		return Entry{}, false, err
	}
	p, ok, err := configPlatform(img)
	return Entry{Platform: p, Digest: digest, Image: img}, ok, err
}

type walk struct {
	list []Entry
	seen map[string]bool
}

func (w *walk) index(idx v1.ImageIndex, depth int) error {
	if depth > maxDepth {
		return errors.New("indexes are nested too deep")
	}
	manifest, err := idx.IndexManifest()
	if err != nil {
		return err
	}
	for _, desc := range manifest.Manifests {
		if len(w.seen) > maxEntries {
			return fmt.Errorf("more than %d images", maxEntries)
		}
		if err := w.child(idx, desc, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) child(idx v1.ImageIndex, desc v1.Descriptor, depth int) error {
	switch {
	case isAttestation(desc):
		return nil
	case desc.MediaType.IsIndex():
		if key := desc.Digest.String(); !w.seen[key] {
			w.seen[key] = true
			child, err := idx.ImageIndex(desc.Digest)
			if err != nil {
				return err
			}
			return w.index(child, depth+1)
		}
		return nil
	case !desc.MediaType.IsImage():
		return nil
	}
	return w.image(idx, desc)
}

func (w *walk) image(idx v1.ImageIndex, desc v1.Descriptor) error {
	img, err := idx.Image(desc.Digest)
	if err != nil {
		return err
	}
	label, ok := labelOf(desc)
	if !ok {
		if label, ok, err = configPlatform(img); err != nil || !ok {
			return err
		}
	}
	if key := desc.Digest.String() + " " + label.String() + " " + label.OSVersion; !w.seen[key] {
		w.seen[key] = true
		w.list = append(w.list, Entry{Platform: label, Digest: desc.Digest, Image: img})
	}
	return nil
}

// isAttestation knows BuildKit's attestation manifests by their platform, which
// is unknown/unknown, or by their annotation.
func isAttestation(desc v1.Descriptor) bool {
	if desc.Annotations["vnd.docker.reference.type"] != "" {
		return true
	}
	return desc.Platform != nil && desc.Platform.OS == "unknown" && desc.Platform.Architecture == "unknown"
}

func labelOf(desc v1.Descriptor) (platform.Platform, bool) {
	if desc.Platform == nil || desc.Platform.OS == "" || desc.Platform.Architecture == "" {
		return platform.Platform{}, false
	}
	return fromV1(*desc.Platform), true
}

func fromV1(p v1.Platform) platform.Platform {
	return platform.FromOCI(ocispecs.Platform{
		OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion,
	})
}

// configPlatform reads the platform from an image's config; ok is false when
// the config is not one of a container image.
func configPlatform(img v1.Image) (platform.Platform, bool, error) {
	manifest, err := img.Manifest()
	if err != nil {
		return platform.Platform{}, false, err
	}
	if t := manifest.Config.MediaType; t != types.OCIConfigJSON && t != types.DockerConfigJSON {
		return platform.Platform{}, false, nil
	}
	config, err := img.ConfigFile()
	if err != nil {
		return platform.Platform{}, false, fmt.Errorf("reading image config: %w", err)
	}
	if config.OS == "" || config.Architecture == "" || config.OS == "unknown" {
		return platform.Platform{}, false, nil
	}
	return fromV1(v1.Platform{
		OS: config.OS, Architecture: config.Architecture, Variant: config.Variant, OSVersion: config.OSVersion,
	}), true, nil
}
