package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/platform"
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

	// itself: what counts is what the registry itself says, for this is to be written there.
	itself bool
}

// child is one image that a source gave.
type child struct {
	// Descriptor as the index will list it.
	ocispec.Descriptor
	from       place
	repository string
	source     string
	fresh      bool // see item
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

// item is one of the child's documents, to be sent along.
func (c child) item(desc ocispec.Descriptor) item {
	return item{Descriptor: desc, from: c.from, repository: c.repository, source: c.source}
}

// gathered is what a source holds.
type gathered struct {
	Source
	*imagetree.Opened
	tree     *imagetree.Node
	images   []child
	warnings []string
}

// fresh tells whether the repository itself was asked for a manifest: for the one
// that the source names.
func (g gathered) fresh(d digest.Digest) bool { return g.Repository != "" && d == g.Root.Digest }

// gatherer reads sources. Close it after the last blob was read.
type gatherer struct {
	registry *registry.Client

	mu   sync.Mutex
	open []io.Closer
}

// Close releases the layouts and archives.
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
	err := g.find(ctx, &got)
	if s.Optional && (notFound(err) || errors.Is(err, fs.ErrNotExist)) {
		got.warnings = append(got.warnings, s.Text+" does not exist: left out")
		return got, nil
	}
	if err != nil {
		return got, err
	}
	g.mu.Lock()
	g.open = append(g.open, got.Opened)
	g.mu.Unlock()
	if got.tree, err = imagetree.Read(ctx, got.Opened, got.Root, imagetree.Options{}); err != nil {
		return got, fmt.Errorf("reading %s: %w", s.Text, err)
	}
	if err := got.take(); err != nil {
		return got, err
	}
	if len(got.images) == 0 {
		return got, &NoImageError{s.Text}
	}
	got.label()
	return got, nil
}

// find opens a source. The registry itself knows best what a tag names now; where
// it cannot be asked, its mirrors may know.
func (g *gatherer) find(ctx context.Context, got *gathered) (err error) {
	got.Opened, err = imagetree.OpenNow(ctx, got.Text, g.registry)
	var answered *registry.Error
	if !errors.As(err, &answered) || answered.Kind != registry.Unreachable && answered.Kind != registry.Limited || got.itself {
		return err
	}
	if !g.registry.HasMirrors(answered.Host) {
		return err
	}
	if got.Opened, err = imagetree.Open(ctx, got.Text, g.registry); err == nil {
		got.Repository = "" // Whether that has it, nobody has said.
		got.warn("%s is taken from a mirror: %s cannot be asked now", got.Text, answered.Host)
	}
	return err
}

// take lists the images of the tree and what speaks of them. What is damaged is
// an error: it would be copied as it is.
func (g *gathered) take() error {
	var failed []error
	var attestations []ocispec.Descriptor
	g.tree.Each(func(n *imagetree.Node) {
		for i := range n.Problems {
			failed = append(failed, fmt.Errorf("reading %s: %w", g.Text, &n.Problems[i]))
		}
		switch {
		case len(n.Problems) > 0:
		case n.Kind == imagetree.Attestation:
			attestations = append(attestations, n.Descriptor)
		case n.Kind == imagetree.Image:
			g.images = append(g.images, g.child(n))
		case n.Kind == imagetree.Artifact:
			g.warn("%s in %s is no image but %s: left out", n.Descriptor.Digest, g.Text, artifactType(n))
		}
	})
	for _, a := range attestations {
		if !g.attach(a) {
			g.warn("attestation %s in %s speaks of no image there: left out", a.Digest, g.Text)
		}
	}
	return errors.Join(failed...)
}

func (g *gathered) warn(format string, args ...any) {
	g.warnings = append(g.warnings, fmt.Sprintf(format, args...))
}

func (g *gathered) child(n *imagetree.Node) child {
	c := child{
		Descriptor: n.Descriptor, from: g.Opened, repository: g.Repository, source: g.Text, fresh: g.fresh(n.Descriptor.Digest),
		config: n.Image.Platform, size: n.Size(),
	}
	c.MediaType = n.MediaType
	if g.Repository == "" && (n == g.tree || g.Several && slices.Contains(g.tree.Children, n)) {
		c.Annotations = unnamed(c.Annotations)
	}
	said := ocispec.Platform{}
	if c.Platform != nil && c.Platform.Architecture != "" {
		said = *c.Platform
	}
	filled := fill(said, c.config)
	c.Platform = &filled
	return c
}

// ofExport are the annotations by which a layout's index.json names what it lists,
// and says when it was written: they are not about the image.
var ofExport = []string{ocispec.AnnotationRefName, ocispec.AnnotationCreated, "io.containerd.image.name"}

// unnamed leaves those out.
func unnamed(all map[string]string) map[string]string {
	var left map[string]string
	for key, value := range all {
		if !slices.Contains(ofExport, key) {
			if left == nil {
				left = map[string]string{}
			}
			left[key] = value
		}
	}
	return left
}

// attach gives an image what speaks of it.
func (g *gathered) attach(a ocispec.Descriptor) bool {
	for i := range g.images {
		if g.images[i].Digest.String() == a.Annotations[imagetree.ReferenceDigest] {
			g.images[i].attestations = append(g.images[i].attestations, a)
			return true
		}
	}
	return false
}

func artifactType(n *imagetree.Node) string {
	switch {
	case n.ArtifactType != "":
		return n.ArtifactType
	case n.Config != nil:
		return "of type " + n.Config.MediaType
	}
	return "of type " + n.MediaType
}

// label takes the platform that the user told.
func (g *gathered) label() {
	if !g.told() {
		return
	}
	if len(g.images) > 1 {
		g.warn("%s holds %d images: the platform that was told for it is not used", g.Text, len(g.images))
		return
	}
	filled := fill(g.Source.Platform, g.images[0].config)
	g.images[0].Platform = &filled
}

// told tells whether the user said anything of the platform.
func (s Source) told() bool {
	p := s.Platform
	return p.OS != "" || p.Architecture != "" || p.Variant != "" || p.OSVersion != "" || len(p.OSFeatures) > 0
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
