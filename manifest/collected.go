package manifest

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/go-containerregistry/pkg/v1/types"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/platform"
)

// Entry is an image that a repository holds, as an index is to list it, and the
// attestations that speak of it.
type Entry struct {
	Image        ocispec.Descriptor
	Attestations []ocispec.Descriptor
}

// Entries lists the images of an index that Assemble made, in its order.
func (x Index) Entries() []Entry {
	var list []Entry
	for i, r := range x.Results {
		list = append(list, Entry{x.shipment.children[i], r.Attestations})
	}
	return list
}

// Collection is a set of images of one repository that is to become an index.
type Collection struct {
	// Repository by its full name.
	Repository string
	// Entries in the order of the index.
	Entries []Entry
	// Annotations of the index itself.
	Annotations  map[string]string
	Attestations Profile
	// Unchecked accepts images whose config names another platform than their entry.
	// Otherwise they are a *LabelError.
	Unchecked bool
}

// Collect joins images that a repository holds into an index: the same bytes as
// Assemble makes of the same results. Each image is read; one that is not there is an error. Nothing
// is written. Close the Assembly when it is pushed.
func Collect(ctx context.Context, reg *registry.Client, from Collection) (_ *Assembly, err error) {
	a := &Assembly{gatherer: &gatherer{registry: reg}}
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	o := profiled{request: Request{Attestations: from.Attestations}}
	for _, key := range slices.Sorted(maps.Keys(from.Annotations)) {
		o.request.Annotations = append(o.request.Annotations, Annotation{Level: LevelIndex, Key: key, Value: from.Annotations[key]})
	}
	if !slices.ContainsFunc(from.Entries, func(e Entry) bool { return e.Image.MediaType != string(types.DockerManifestSchema2) }) {
		o.request.Type = Docker
	}
	for _, e := range from.Entries {
		c, err := a.gatherer.entry(ctx, from.Repository, e, from.Unchecked)
		if err != nil {
			return nil, err
		}
		o.images = append(o.images, c)
		o.entries = append(o.entries, e.Image)
		o.attestations = append(o.attestations, e.Attestations...)
		a.shipment.items = append(a.shipment.items, item{Descriptor: c.Descriptor, from: c.from, repository: c.repository, source: c.source, fresh: c.fresh})
	}
	return a, o.write(ctx, a)
}

// entry reads an image of a repository.
func (g *gatherer) entry(ctx context.Context, repo string, e Entry, unchecked bool) (child, error) {
	name := at(repo, e.Image.Digest)
	opened, err := imagetree.OpenNow(ctx, name, g.registry)
	if err != nil {
		return child{}, fmt.Errorf("reading %s: %w", name, err)
	}
	g.open = append(g.open, opened)
	node, err := imagetree.Read(ctx, opened, opened.Root, imagetree.Options{})
	if err != nil {
		return child{}, fmt.Errorf("reading %s: %w", name, err)
	}
	for i := range node.Problems {
		return child{}, fmt.Errorf("reading %s: %w", name, &node.Problems[i])
	}
	if node.Kind != imagetree.Image || node.MediaType != e.Image.MediaType || opened.Root.Size != e.Image.Size {
		return child{}, &NoImageError{name}
	}
	c := child{
		Descriptor: e.Image, from: opened, repository: repo, source: name, fresh: true, attestations: e.Attestations, config: node.Image.Platform, size: node.Size(),
	}
	config, label := platform.FromOCI(c.config), platform.FromOCI(*e.Image.Platform)
	if label.OSVersion == "" {
		config.OSVersion = ""
	}
	if config != label && !unchecked {
		return c, &LabelError{Source: name, Digest: e.Image.Digest, Label: label, Config: config}
	}
	return c, nil
}

// FullNames are names of images with everything that is left out of them: app is
// docker.io/library/app:latest. One that has a digest is a *NameError.
func FullNames(names []string) ([]string, error) {
	full, err := fullNames(names)
	var texts []string
	for _, name := range full {
		texts = append(texts, name.String())
	}
	return texts, err
}
