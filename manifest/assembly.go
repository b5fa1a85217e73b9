package manifest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/platform"
)

// Request says which images are to become one.
type Request struct {
	Sources []Source
	// Append is the name of an index that the sources are added to; one that does not
	// exist yet is begun. An image of the same platform takes the place of the old one.
	Append string
	// Platforms are those wanted; empty means all. One that no source has is an error.
	Platforms []platform.Platform
	// Require are those that have to be there.
	Require []platform.Platform
	// Annotations of the levels index, manifest-descriptor and manifest.
	Annotations Annotations
	// Type of the index; empty means OCI.
	Type IndexType
	// Attestations says what becomes of those that the sources have.
	Attestations Profile
	// Unchecked accepts images whose config names another platform than the index is
	// to say. Otherwise they are a *PlatformError.
	Unchecked bool
	// Strict: the same image from two sources is an error too.
	Strict bool
}

// IndexType is the media type of an index.
type IndexType string

// The types.
const (
	OCI    IndexType = "oci"
	Docker IndexType = "docker"
)

// Assembly is an index that was put together from images that exist. Close it
// when it is pushed.
type Assembly struct {
	// Descriptor and Bytes of what the tags will name.
	Descriptor ocispec.Descriptor
	Bytes      []byte
	// Images in the order of the index.
	Images []Member
	// Full is the digest of the index with attestations that is kept beside the
	// tagged one, if the profile says so.
	Full digest.Digest
	// Warnings are for the user.
	Warnings []string

	shipment shipment
	gatherer *gatherer
}

// Member is an image of an Assembly.
type Member struct {
	Platform ocispec.Platform `json:"platform"`
	Digest   digest.Digest    `json:"digest"`
	// Size counts manifest, config and compressed layers, in bytes.
	Size   int64  `json:"size"`
	Source string `json:"source"`
	// Attestations that the index keeps.
	Attestations int `json:"attestations,omitempty"`
}

// Gather reads the sources and puts the index together; nothing is written
// anywhere yet. All that is wrong with the sources is told at once.
func Gather(ctx context.Context, reg *registry.Client, r Request) (_ *Assembly, err error) {
	a := &Assembly{gatherer: &gatherer{registry: reg}}
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	sources := r.Sources
	if r.Append != "" {
		sources = append([]Source{{Text: r.Append, Optional: true, itself: true}}, sources...)
	}
	read, err := a.gatherer.all(ctx, sources)
	if err != nil {
		return nil, err
	}
	for _, s := range read {
		a.Warnings = append(a.Warnings, s.warnings...)
	}
	if r.Append != "" {
		a.append(r.Append, read[0])
	}
	images, err := r.choose(read)
	if err != nil {
		return nil, err
	}
	if err := r.Annotations.Check(platformsOf(images)); err != nil {
		return nil, err
	}
	if source, ok := r.asItIs(read); ok {
		a.copy(source, images)
		return a, nil
	}
	return a, a.join(ctx, r, images)
}

// append remembers what the index is that the images are added to.
func (a *Assembly) append(name string, read gathered) {
	full, err := fullNames([]string{name})
	if err != nil {
		return // It is read by digest, or from a folder: no tag is moved for it.
	}
	a.shipment.appended.name = full[0].String()
	if read.Opened != nil {
		a.shipment.appended.digest = read.Root.Digest
	}
}

// Push sends the index and all below to the repositories of the names, and moves
// the tags; see Index.Push.
func (a *Assembly) Push(ctx context.Context, reg *registry.Client, names []string, opts PushOptions) (Pushed, error) {
	return a.shipment.push(ctx, reg, names, opts)
}

// Close releases the layouts and archives that were read.
func (a *Assembly) Close() error { return a.gatherer.Close() }

// asItIs gives the source that is copied byte for byte, if that is so: a single
// index of which nothing is to be changed, so that its digest stays.
func (r Request) asItIs(read []gathered) (gathered, bool) {
	plain := len(read) == 1 && r.Append == "" && len(r.Platforms) == 0 && len(r.Annotations) == 0 &&
		(r.Attestations == "" || r.Attestations == InIndex) && !read[0].told()
	if !plain || read[0].tree.Kind != imagetree.Index || read[0].Several || r.Type != "" && r.Type != typeOf(read[0].tree.MediaType) {
		return gathered{}, false
	}
	return read[0], true
}

func typeOf(mediaType string) IndexType {
	if mediaType == string(types.DockerManifestList) {
		return Docker
	}
	return OCI
}

func (t IndexType) mediaType() string {
	if t == Docker {
		return string(types.DockerManifestList)
	}
	return ocispec.MediaTypeImageIndex
}

// copy takes over an index with everything below it, whatever that is.
func (a *Assembly) copy(source gathered, images []child) {
	a.below(source, source.tree)
	a.Bytes = source.tree.Raw
	root := source.tree.Descriptor
	root.MediaType = source.tree.MediaType
	a.describe(root, images, true)
}

// below sends a manifest along, after those that it lists.
func (a *Assembly) below(source gathered, n *imagetree.Node) {
	for _, child := range n.Children {
		a.below(source, child)
	}
	desc := n.Descriptor
	desc.MediaType = n.MediaType
	a.shipment.items = append(a.shipment.items, item{
		Descriptor: desc, from: source.Opened, repository: source.Repository, source: source.Text, fresh: source.fresh(desc.Digest),
	})
}

// describe fills in what the caller sees.
func (a *Assembly) describe(root ocispec.Descriptor, images []child, attested bool) {
	a.Descriptor = root
	for _, c := range images {
		m := Member{Platform: *c.Platform, Digest: c.Digest, Size: c.size, Source: c.source}
		if attested {
			m.Attestations = len(c.attestations)
		}
		a.Images = append(a.Images, m)
		a.shipment.children = append(a.shipment.children, c.Descriptor)
	}
}

// join writes the index of the images.
func (a *Assembly) join(ctx context.Context, r Request, images []child) error {
	var entries, attestations []ocispec.Descriptor
	for i := range images {
		c := &images[i]
		made, err := c.annotate(ctx, r.Annotations)
		if err != nil {
			return err
		}
		if made && len(c.attestations) > 0 {
			a.Warnings = append(a.Warnings, fmt.Sprintf("%s got annotations and so a new digest: its attestations, which speak of the old one, are left out", c.source))
			c.attestations = nil
		}
		entry := c.Descriptor
		entry.Annotations = r.Annotations.over(c.Descriptor.Annotations, LevelDescriptor, platform.FromOCI(*c.Platform))
		entries = append(entries, entry)
		attestations = append(attestations, c.attestations...)
		a.shipment.items = append(a.shipment.items, item{c.Descriptor, c.from, c.repository, c.source, made, c.fresh && !made})
	}
	out := profiled{request: r, images: images, entries: entries, attestations: attestations}
	return out.write(ctx, a)
}

// index writes the bytes of an index.
func (r Request) index(entries []ocispec.Descriptor) (ocispec.Descriptor, []byte, error) {
	index := ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: r.Type.mediaType(), Manifests: entries,
		Annotations: r.Annotations.at(LevelIndex, platform.Platform{}),
	}
	body, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return ocispec.Descriptor{}, nil, fmt.Errorf("assembling an index: %w", err)
	}
	return ocispec.Descriptor{MediaType: index.MediaType, Digest: digest.FromBytes(body), Size: int64(len(body))}, body, nil
}

// annotate writes the image's manifest anew if it gets annotations; made tells so.
func (c *child) annotate(ctx context.Context, all Annotations) (made bool, err error) {
	add := all.at(LevelManifest, platform.FromOCI(*c.Platform))
	if len(add) == 0 {
		return false, nil
	}
	body, err := c.from.Document(ctx, c.Descriptor)
	if err != nil {
		return false, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return false, fmt.Errorf("reading %s: %w", c.Digest, err)
	}
	var had map[string]string
	if raw, ok := fields["annotations"]; ok {
		if err := json.Unmarshal(raw, &had); err != nil {
			return false, fmt.Errorf("reading %s: its annotations: %w", c.Digest, err)
		}
	}
	if c.MediaType == string(types.DockerManifestSchema2) {
		return false, &DockerAnnotationError{c.source}
	}
	var doc ocispec.Manifest
	if err := json.Unmarshal(body, &doc); err != nil {
		return false, fmt.Errorf("reading %s: %w", c.Digest, err)
	}
	doc.Annotations = all.over(had, LevelManifest, platform.FromOCI(*c.Platform))
	if body, err = json.MarshalIndent(doc, "", "  "); err != nil {
		return false, fmt.Errorf("writing the manifest of %s: %w", c.source, err)
	}
	c.Digest, c.Size = digest.FromBytes(body), int64(len(body))
	c.from = madePlace{c.from, c.Digest, body}
	return true, nil
}

// over is what was there with what is written at a level put over it.
func (a Annotations) over(had map[string]string, level Level, p platform.Platform) map[string]string {
	add := a.at(level, p)
	if len(add) == 0 {
		return had
	}
	for key, value := range had {
		if _, ok := add[key]; !ok {
			add[key] = value
		}
	}
	return add
}

// choose selects the images, in order, and refuses sets that are no index.
func (r Request) choose(read []gathered) ([]child, error) {
	var images []child
	for i, s := range read {
		for _, c := range s.images {
			if len(r.Platforms) > 0 && !slices.Contains(r.Platforms, platform.FromOCI(*c.Platform)) {
				continue
			}
			if err := r.check(c); err != nil {
				return nil, err
			}
			old := slices.IndexFunc(images, func(o child) bool { return o.key() == c.key() })
			switch {
			case old < 0:
				images = append(images, c)
			case r.Append != "" && images[old].source == read[0].Text && i > 0:
				images[old] = c
			case images[old].Digest == c.Digest && !r.Strict:
			default:
				return nil, &SourcesError{Platform: *c.Platform, First: images[old].source, Second: c.source}
			}
		}
	}
	if len(images) == 0 && len(r.Platforms) == 0 {
		return nil, &NoImageError{}
	}
	for _, p := range slices.Concat(r.Platforms, r.Require) {
		if !slices.ContainsFunc(images, func(c child) bool { return platform.FromOCI(*c.Platform) == p }) {
			return nil, &IncompleteError{Platform: p, Have: platformsOf(images)}
		}
	}
	return images, nil
}

func platformsOf(images []child) []platform.Platform {
	var list []platform.Platform
	for _, c := range images {
		list = append(list, platform.FromOCI(*c.Platform))
	}
	return list
}

// check holds the platform that the index will say against the image's config.
func (r Request) check(c child) error {
	if c.Platform.OS == "" || c.Platform.Architecture == "" {
		return &UnknownPlatformError{c.source, c.Digest}
	}
	if r.Unchecked || c.config.OS == "" && c.config.Architecture == "" {
		return nil
	}
	label, config := platform.FromOCI(*c.Platform), platform.FromOCI(c.config)
	same := label.OS == config.OS && label.Arch == config.Arch && (c.config.Variant == "" || label.Variant == config.Variant)
	if same {
		return nil
	}
	return &LabelError{Source: c.source, Digest: c.Digest, Label: label, Config: config}
}
