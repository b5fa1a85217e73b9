package manifest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/archbuild/archbuild/internal/ocistore"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/platform"
)

const (
	// maxChildren is how many manifests the sources may have together, nested ones included.
	maxChildren = 1000
	// maxDepth is how deep indexes may nest.
	maxDepth = 3
)

// Source is an image, or an index of images, that is taken into an index.
type Source struct {
	// Text names it: a reference, the folder of an OCI layout, or an archive.
	Text string
	// Platform is what the user says that it is for. Fields left empty are taken from
	// the image.
	Platform ocispec.Platform
	// Optional: if it does not exist it is left out. Any other trouble is an error.
	Optional bool
}

// child is one image that a source gave.
type child struct {
	// Descriptor as the index will list it.
	ocispec.Descriptor
	from   place
	source string
	// config is the platform that the image's config names; empty if it names none.
	config ocispec.Platform
	// attestations speak of this image.
	attestations []ocispec.Descriptor
	// size counts manifest, config and layers.
	size int64
}

// key is what two images of one index must not share.
func (c child) key() string {
	p := platform.FromOCI(*c.Platform)
	return p.String() + " " + p.OSVersion + " " + strings.Join(c.Platform.OSFeatures, ",")
}

// gathered is what a source holds.
type gathered struct {
	Source
	root     item
	isIndex  bool
	images   []child
	warnings []string
	missing  bool
}

// gatherer reads sources. Close it after the last blob was read.
type gatherer struct {
	registry *registry.Client

	mu    sync.Mutex
	open  []io.Closer
	count int
}

func (g *gatherer) Close() error {
	var failed []error
	for _, c := range g.open {
		failed = append(failed, c.Close())
	}
	return errors.Join(failed...)
}

// all reads every source, many at once, in the order given.
func (g *gatherer) all(ctx context.Context, sources []Source) ([]gathered, error) {
	list := make([]gathered, len(sources))
	failed := make([]error, len(sources))
	var group errgroup.Group
	group.SetLimit(requests)
	for i, s := range sources {
		group.Go(func() error {
			list[i], failed[i] = g.source(ctx, s)
			return nil
		})
	}
	_ = group.Wait() // The errors are in failed.
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return list, errors.Join(failed...)
}

func (g *gatherer) source(ctx context.Context, s Source) (gathered, error) {
	got := gathered{Source: s}
	roots, from, err := g.roots(ctx, s.Text)
	if s.Optional && (notFound(err) || errors.Is(err, fs.ErrNotExist)) {
		got.missing = true
		got.warnings = append(got.warnings, s.Text+" does not exist: left out")
		return got, nil
	}
	if err != nil {
		return got, err
	}
	if len(roots) == 1 {
		got.root = item{Descriptor: roots[0], from: from}
		got.isIndex = isIndex(roots[0].MediaType)
	}
	w := walk{gatherer: g, got: &got, from: from}
	if err := w.list(ctx, roots, 0); err != nil {
		return got, fmt.Errorf("reading %s: %w", s.Text, err)
	}
	if len(got.images) == 0 {
		return got, &NoImageError{s.Text}
	}
	w.join()
	return got, nil
}

// roots opens a source: what its name names, and where that lies.
func (g *gatherer) roots(ctx context.Context, text string) ([]ocispec.Descriptor, place, error) {
	if name, local := ocistore.LocalName(text); local {
		layout, err := ocistore.OpenLayout(name)
		if err != nil {
			return nil, nil, err
		}
		g.mu.Lock()
		g.open = append(g.open, layout)
		g.mu.Unlock()
		var roots []ocispec.Descriptor
		for _, r := range layout.Roots {
			root, err := fromV1(r)
			if err != nil {
				return nil, nil, err
			}
			roots = append(roots, distinct(roots, root)...)
		}
		return roots, localPlace{layout}, nil
	}
	text = strings.TrimPrefix(text, "docker://")
	repo, err := repositoryOf(text)
	if err != nil {
		return nil, nil, err
	}
	desc, body, err := g.registry.Fetch(ctx, text)
	if err != nil {
		return nil, nil, err
	}
	from := madePlace{place: remotePlace{g.registry, repo}, made: map[digest.Digest][]byte{desc.Digest: body}}
	return []ocispec.Descriptor{{MediaType: desc.MediaType, Digest: desc.Digest, Size: desc.Size}}, from, nil
}

// distinct is root unless it is in the list: a layout lists an image once for
// each of its names.
func distinct(list []ocispec.Descriptor, root ocispec.Descriptor) []ocispec.Descriptor {
	for _, known := range list {
		if known.Digest == root.Digest {
			return nil
		}
	}
	root.Annotations = nil
	return []ocispec.Descriptor{root}
}

// walk collects the images of a source.
type walk struct {
	*gatherer
	got  *gathered
	from place

	mu           sync.Mutex
	attestations []ocispec.Descriptor
}

// list takes over the entries of an index, in order.
func (w *walk) list(ctx context.Context, entries []ocispec.Descriptor, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("indexes nest deeper than %d", maxDepth)
	}
	w.gatherer.mu.Lock()
	w.count += len(entries)
	tooMany := w.count > maxChildren
	w.gatherer.mu.Unlock()
	if tooMany {
		return fmt.Errorf("more than %d manifests", maxChildren)
	}
	images := make([]*child, len(entries))
	below := make([]*document, len(entries))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(requests)
	for i, entry := range entries {
		if isAttestation(entry) {
			w.attestations = append(w.attestations, entry)
			continue
		}
		group.Go(func() (err error) {
			images[i], below[i], err = w.entry(groupCtx, entry)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i := range entries {
		if images[i] != nil {
			w.got.images = append(w.got.images, *images[i])
		}
		if below[i] == nil {
			continue
		}
		if err := w.list(ctx, below[i].Manifests, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// entry reads a manifest: an image, or an index to be listed in its turn.
func (w *walk) entry(ctx context.Context, desc ocispec.Descriptor) (*child, *document, error) {
	if err := desc.Digest.Validate(); err != nil {
		return nil, nil, fmt.Errorf("a child without a proper digest: %w", err)
	}
	body, err := w.from.document(ctx, desc)
	if err != nil {
		return nil, nil, err
	}
	if desc.Size != 0 && desc.Size != int64(len(body)) {
		return nil, nil, fmt.Errorf("%s has %d bytes, its descriptor says %d", desc.Digest, len(body), desc.Size)
	}
	doc, err := parseDocument(desc, body)
	if err != nil {
		return nil, nil, err
	}
	if doc.Manifests != nil || isIndex(doc.MediaType) {
		return nil, &doc, nil
	}
	if !doc.isImage() {
		w.warn(fmt.Sprintf("%s in %s is no image but %s: left out", desc.Digest, w.got.Text, artifactType(doc)))
		return nil, nil, nil
	}
	one := &child{Descriptor: desc, from: w.from, source: w.got.Text, size: int64(len(body)) + doc.Config.Size}
	one.MediaType, one.Size = doc.MediaType, int64(len(body))
	if one.MediaType == "" {
		one.MediaType = ocispec.MediaTypeImageManifest
	}
	for _, layer := range doc.Layers {
		one.size += layer.Size
	}
	return one, nil, w.configPlatform(ctx, one, *doc.Config)
}

func (w *walk) warn(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.got.warnings = append(w.got.warnings, text)
}

func artifactType(doc document) string {
	if doc.ArtifactType != "" {
		return doc.ArtifactType
	}
	if doc.Config != nil {
		return "of type " + doc.Config.MediaType
	}
	return "something else"
}

// configPlatform reads the platform of the image's config and fills in what the
// index does not say.
func (w *walk) configPlatform(ctx context.Context, one *child, config ocispec.Descriptor) error {
	body, err := w.from.document(ctx, config)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, &one.config); err != nil {
		return fmt.Errorf("reading the image config %s: %w", config.Digest, err)
	}
	said := one.Platform
	if said == nil || said.Architecture == "" {
		said = &ocispec.Platform{}
	}
	filled := fill(*said, one.config)
	one.Platform = &filled
	return nil
}

// fill completes a platform that was told by what the image's config says.
func fill(told, config ocispec.Platform) ocispec.Platform {
	if told.OS == "" {
		told.OS = config.OS
	}
	if told.Architecture == "" {
		told.Architecture = config.Architecture
	}
	if told.Architecture != config.Architecture || told.OS != config.OS {
		return told // The rest of the config is of another platform.
	}
	if told.Variant == "" {
		told.Variant = config.Variant
	}
	if told.OSVersion == "" {
		told.OSVersion = config.OSVersion
	}
	if len(told.OSFeatures) == 0 {
		told.OSFeatures = config.OSFeatures
	}
	return told
}

// join gives the images what speaks of them, and the platform the user told.
func (w *walk) join() {
	for _, a := range w.attestations {
		found := false
		for i := range w.got.images {
			if w.got.images[i].Digest.String() == a.Annotations[referenceDigest] {
				w.got.images[i].attestations = append(w.got.images[i].attestations, a)
				found = true
				break
			}
		}
		if !found {
			w.warn(fmt.Sprintf("attestation %s in %s speaks of no image there: left out", a.Digest, w.got.Text))
		}
	}
	told := w.got.Platform
	if told.OS == "" && told.Architecture == "" && told.Variant == "" && told.OSVersion == "" && len(told.OSFeatures) == 0 {
		return
	}
	if len(w.got.images) > 1 {
		w.warn(fmt.Sprintf("%s holds %d images: the platform that was told for it is not used", w.got.Text, len(w.got.images)))
		return
	}
	filled := fill(told, w.got.images[0].config)
	w.got.images[0].Platform = &filled
}

// isAttestation tells whether an entry of an index is no image but speaks of one.
func isAttestation(desc ocispec.Descriptor) bool {
	p := desc.Platform
	return desc.Annotations[referenceType] != "" || p != nil && p.OS == "unknown" && p.Architecture == "unknown"
}
