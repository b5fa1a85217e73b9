package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	// maxChildren is how many manifests an index may list, nested ones included.
	maxChildren = 1000
	// maxValues bounds what a manifest lists, of whatever.
	maxValues = 200_000
	// maxDepth is how deep indexes may nest.
	maxDepth = 3
)

// referenceType is the annotation by which BuildKit marks attestations, which
// lie in an index beside the images they speak of.
const referenceType = "vnd.docker.reference.type"

var _ resolve.Registry = (*Client)(nil)

// Image resolves a reference and lists the images it offers: the children of
// an index, attestations left out, or the one image there is.
func (c *Client) Image(ctx context.Context, ref string) (resolve.Image, error) {
	at, err := parse(ref)
	if err != nil {
		return resolve.Image{}, err
	}
	desc, err := c.descriptor(ctx, at)
	if err != nil {
		return resolve.Image{}, err
	}
	list := &listing{client: c, at: at, left: maxChildren}
	if err := list.add(ctx, ocispecs.Descriptor{Digest: desc.Digest}, maxDepth); err != nil {
		return resolve.Image{}, err
	}
	return resolve.Image{Digest: desc.Digest.String(), Index: list.index, Offers: list.offers}, nil
}

// listing collects the offers of a reference.
type listing struct {
	client *Client
	at     address
	left   int
	index  bool
	offers []resolve.Offer
}

// add adds what a descriptor names. The platform an index gives a child counts;
// the child's own config is read only where the index says nothing.
func (l *listing) add(ctx context.Context, desc ocispecs.Descriptor, depth int) error {
	data, err := l.client.manifest(ctx, l.at, desc.Digest)
	if err != nil {
		return err
	}
	m, err := parseManifest(l.at, data)
	if err != nil {
		return err
	}
	if !m.isIndex() {
		config, err := l.client.config(ctx, l.at, desc.Digest, m)
		if err != nil {
			return err
		}
		l.offers = append(l.offers, resolve.Offer{Platform: config.Platform, Digest: desc.Digest.String()})
		return nil
	}
	l.index = true
	if l.left -= len(m.Manifests); l.left < 0 || depth == 0 {
		return l.at.invalid(fmt.Errorf("the index lists more than %d images, or nests deeper than %d", maxChildren, maxDepth))
	}
	for _, child := range m.Manifests {
		if err := l.child(ctx, child, depth-1); err != nil {
			return err
		}
	}
	return nil
}

func (l *listing) child(ctx context.Context, child ocispecs.Descriptor, depth int) error {
	kind := types.MediaType(child.MediaType)
	switch {
	case child.Digest.Validate() != nil:
		return l.at.invalid(errors.New("the index names a child without a proper digest"))
	case isAttestation(child), child.ArtifactType != "" && !isImageConfig(child.ArtifactType):
		return nil
	case kind.IsIndex():
		return l.add(ctx, child, depth)
	case !kind.IsImage():
		return nil
	case child.Platform != nil && child.Platform.Architecture != "":
		l.offers = append(l.offers, resolve.Offer{Platform: platform.FromOCI(*child.Platform), Digest: child.Digest.String()})
		return nil
	}
	return l.add(ctx, child, depth)
}

// isAttestation tells whether an index's child is no image but speaks of one.
func isAttestation(child ocispecs.Descriptor) bool {
	p := child.Platform
	return child.Annotations[referenceType] != "" || p != nil && (p.OS == "unknown" || p.Architecture == "unknown")
}

// isImageConfig tells whether a type is that of an image's config, which some
// tools also write down as an image's artifact type.
func isImageConfig(mediaType string) bool {
	return mediaType == ocispecs.MediaTypeImageConfig || mediaType == string(types.DockerConfigJSON)
}

// Config reads the config of one image manifest, given by digest, of the
// repository that ref names.
func (c *Client) Config(ctx context.Context, ref, dgst string) (resolve.Config, error) {
	at, err := parse(ref)
	if err != nil {
		return resolve.Config{}, err
	}
	wanted := digest.Digest(dgst)
	if err := wanted.Validate(); err != nil {
		return resolve.Config{}, at.invalid(err)
	}
	data, err := c.manifest(ctx, at, wanted)
	if err != nil {
		return resolve.Config{}, err
	}
	m, err := parseManifest(at, data)
	if err != nil {
		return resolve.Config{}, err
	}
	return c.config(ctx, at, wanted, m)
}

func (c *Client) config(ctx context.Context, at address, dgst digest.Digest, m manifest) (resolve.Config, error) {
	if m.isIndex() || m.Config == nil {
		return resolve.Config{}, at.invalid(fmt.Errorf("%s is an index, not an image", dgst))
	}
	if !isImageConfig(m.Config.MediaType) {
		return resolve.Config{}, at.invalid(fmt.Errorf("%s is no image: its config is of type %q", dgst, m.Config.MediaType))
	}
	data, err := c.blob(ctx, at, *m.Config)
	if err != nil {
		return resolve.Config{}, err
	}
	var image struct {
		ocispecs.Platform
		Config struct{ OnBuild, Env []string }
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(data, &image); err != nil {
		return resolve.Config{}, at.invalid(fmt.Errorf("reading the image config: %w", err))
	}
	if image.Architecture == "" || image.OS == "" {
		return resolve.Config{}, at.invalid(fmt.Errorf("the image config of %s names no platform", dgst))
	}
	return resolve.Config{
		Platform: platform.FromOCI(image.Platform), NoVariant: image.Variant == "",
		Onbuild: image.Config.OnBuild, Env: image.Config.Env, Layers: m.layerDigests(), DiffIDs: image.RootFS.DiffIDs,
	}, nil
}

func (m manifest) layerDigests() []string {
	digests := make([]string, len(m.Layers))
	for i, layer := range m.Layers {
		digests[i] = layer.Digest.String()
	}
	return digests
}

// blob reads a small blob: a config.
func (c *Client) blob(ctx context.Context, at address, desc ocispecs.Descriptor) ([]byte, error) {
	if err := desc.Digest.Validate(); err != nil {
		return nil, at.invalid(err)
	}
	if desc.Size > maxManifest {
		return nil, at.invalid(fmt.Errorf("the image config is %w", errTooLarge))
	}
	return c.blobs.do(ctx, at.repo()+"@"+desc.Digest.String(), func() (data []byte, err error) {
		if data, ok := c.cache.get(at.repo(), desc.Digest); ok {
			return data, nil
		}
		err = c.each(ctx, at, func(e *endpoint) error {
			data, err = e.blob(ctx, at, desc)
			return err
		})
		if err == nil {
			c.cache.put(at.repo(), desc.Digest, data)
		}
		return data, err
	})
}

func (a address) invalid(err error) *Error {
	return &Error{Kind: Invalid, Ref: a.written, Host: a.domain, Err: errors.New(clean(err))}
}

// manifest is an image manifest or an index, whichever fields it has.
type manifest struct {
	SchemaVersion int                   `json:"schemaVersion"`
	MediaType     string                `json:"mediaType"`
	Manifests     []ocispecs.Descriptor `json:"manifests"`
	Config        *ocispecs.Descriptor  `json:"config"`
	Layers        []ocispecs.Descriptor `json:"layers"`
}

func (m manifest) isIndex() bool { return types.MediaType(m.MediaType).IsIndex() }

// parseManifest reads a manifest. What it is, its own bytes say: the answer's
// header can make an index of what others take for an image (CVE-2021-41190),
// so one that could be read as both is refused.
func parseManifest(at address, data []byte) (manifest, error) {
	var m manifest
	// A few bytes of JSON become more than a hundred in memory.
	if bytes.Count(data, []byte(",")) > maxValues {
		return m, at.invalid(fmt.Errorf("the manifest lists more than %d values", maxValues))
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, at.invalid(fmt.Errorf("reading the manifest: %w", err))
	}
	index, image := m.Manifests != nil, m.Config != nil || m.Layers != nil
	kind := types.MediaType(m.MediaType)
	switch {
	case m.SchemaVersion == 1:
		return m, at.invalid(errors.New("it is an image of Docker's old schema 1, which is no longer read"))
	case index && image:
		return m, at.invalid(errors.New("the manifest is both an index and an image"))
	case m.MediaType == "" && index:
		m.MediaType = ocispecs.MediaTypeImageIndex
	case m.MediaType == "" && m.Config != nil:
		m.MediaType = ocispecs.MediaTypeImageManifest
	case kind.IsIndex() && !image:
	case kind.IsImage() && m.Config != nil && !index:
	default:
		return m, at.invalid(errors.New("the answer is neither an image nor an index"))
	}
	return m, nil
}
