package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/platform"
)

// Document is what a name stands for. Same image, same document.
type Document struct {
	Name      string `json:"name"`
	Digest    string `json:"digest"`
	MediaType string `json:"mediaType"`
	// Size of the manifest or index itself, in bytes.
	Size         int64             `json:"size"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	// Images in the order of the index; those of nested indexes are among them.
	Images  []Image  `json:"images"`
	Indexes []Nested `json:"indexes,omitempty"`
	// Others are attestations of nothing in the index, and what is no image.
	Others    []Other    `json:"others,omitempty"`
	Referrers []Referrer `json:"referrers,omitempty"`
}

// Image is one of them.
type Image struct {
	Platform  string `json:"platform"`
	Digest    string `json:"digest"`
	MediaType string `json:"mediaType"`
	// Size as it travels: manifest, config and compressed layers.
	Size    int64      `json:"size"`
	Layers  int        `json:"layers"`
	Created *time.Time `json:"created,omitempty"`
	// Base is what it was built on; Materials is what it was built from, when
	// nothing tells which of several is the base.
	Base      *Base  `json:"base,omitempty"`
	Materials []Base `json:"materials,omitempty"`
	// Annotations of the manifest, and those that the index gives it.
	Annotations           map[string]string `json:"annotations,omitempty"`
	DescriptorAnnotations map[string]string `json:"descriptorAnnotations,omitempty"`
	Attestations          []Attestation     `json:"attestations,omitempty"`
	Referrers             []Referrer        `json:"referrers,omitempty"`
	// Index is the digest of the nested index that lists it.
	Index string `json:"index,omitempty"`
	// Problems are what could not be read, or is not what its descriptor says.
	Problems []string `json:"problems,omitempty"`
}

// Base is an image that another was made from.
type Base struct {
	Name   string `json:"name,omitempty"`
	Digest string `json:"digest,omitempty"`
	// From says who tells: annotation, label or provenance.
	From string `json:"from"`
}

// Attestation is a manifest that speaks of an image.
type Attestation struct {
	Digest     string      `json:"digest"`
	Size       int64       `json:"size"`
	Statements []Statement `json:"statements"`
	Problems   []string    `json:"problems,omitempty"`
}

// Statement is one thing that an attestation says.
type Statement struct {
	PredicateType string `json:"predicateType"`
	// Is it in short: "provenance (SLSA)", "sbom (SPDX)".
	Is string `json:"is"`
}

// Nested is an index within the index.
type Nested struct {
	Digest      string            `json:"digest"`
	MediaType   string            `json:"mediaType"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Problems    []string          `json:"problems,omitempty"`
}

// Other is what an index lists beside images.
type Other struct {
	Kind      string `json:"kind"`
	Digest    string `json:"digest"`
	MediaType string `json:"mediaType"`
	Type      string `json:"artifactType,omitempty"`
	Size      int64  `json:"size"`
	// SpeaksOf is the digest that an attestation names.
	SpeaksOf   string      `json:"speaksOf,omitempty"`
	Statements []Statement `json:"statements,omitempty"`
	Problems   []string    `json:"problems,omitempty"`
}

// Referrer speaks of a manifest by its own word, not by the index's.
type Referrer struct {
	Digest       string `json:"digest"`
	ArtifactType string `json:"artifactType,omitempty"`
	Size         int64  `json:"size"`
	// Is it in short, when that is known.
	Is string `json:"is,omitempty"`
}

// Read tells what a name stands for; with platforms, of the images for these
// only. The error says what of it is missing or not what its descriptor says;
// the document has the rest.
func Read(ctx context.Context, name string, from *imagetree.Opened, only []platform.Platform) (Document, error) {
	root, err := imagetree.Read(ctx, from, from.Root, imagetree.Options{Platforms: only})
	if err != nil {
		return Document{}, fmt.Errorf("reading %s: %w", name, err)
	}
	if err := missing(name, root, only); err != nil {
		return Document{}, err
	}
	r := &reader{from: from, only: only, doc: Document{
		Name: name, Digest: from.Root.Digest.String(), MediaType: root.MediaType, Size: int64(len(root.Raw)),
		ArtifactType: root.ArtifactType, Annotations: root.Annotations, Images: []Image{},
	}}
	r.walk(root, "")
	r.attach()
	r.fetch(ctx)
	return r.doc, r.problems(name)
}

// missing says which of the platforms asked for are not there.
func missing(name string, root *imagetree.Node, only []platform.Platform) error {
	there := root.Platforms()
	var failed []error
	for _, p := range only {
		if !slices.Contains(there, p) {
			failed = append(failed, &imagetree.NoPlatformError{Name: name, Platform: p, There: there})
		}
	}
	return errors.Join(failed...)
}

// Raw gives the exact bytes of what a name stands for or, with a platform, of
// the image for it.
func Raw(ctx context.Context, name string, from *imagetree.Opened, p platform.Platform) ([]byte, error) {
	if p == (platform.Platform{}) {
		raw, err := from.Document(ctx, from.Root)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		return raw, nil
	}
	only := []platform.Platform{p}
	root, err := imagetree.Read(ctx, from, from.Root, imagetree.Options{Platforms: only})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if err := missing(name, root, only); err != nil {
		return nil, err
	}
	var found *imagetree.Node
	root.Each(func(n *imagetree.Node) {
		if found == nil && n.Kind == imagetree.Image && n.Platform == p {
			found = n
		}
	})
	if found.Raw == nil && len(found.Problems) > 0 {
		return nil, fmt.Errorf("reading %s: %w", name, &found.Problems[0])
	}
	return found.Raw, nil
}

// reader makes a document of a tree.
type reader struct {
	from *imagetree.Opened
	only []platform.Platform
	doc  Document
	// images and attestations of the tree, images in the order of doc.Images.
	images, attestations []*imagetree.Node
}

func (r *reader) walk(n *imagetree.Node, index string) {
	switch n.Kind {
	case imagetree.Index:
		inner := ""
		if n.Descriptor.Digest.String() != r.doc.Digest {
			inner = n.Descriptor.Digest.String()
			r.doc.Indexes = append(r.doc.Indexes, Nested{inner, n.MediaType, n.Annotations, texts(n)})
		}
		for _, child := range n.Children {
			r.walk(child, inner)
		}
	case imagetree.Image:
		if len(r.only) == 0 || slices.Contains(r.only, n.Platform) {
			r.images = append(r.images, n)
			r.doc.Images = append(r.doc.Images, describe(n, index))
		}
	case imagetree.Attestation:
		if !n.Skipped {
			r.attestations = append(r.attestations, n)
		}
	default:
		r.doc.Others = append(r.doc.Others, Other{
			Kind: string(n.Kind), Digest: n.Descriptor.Digest.String(), MediaType: n.MediaType, Type: artifactType(n), Size: n.Size(), Problems: texts(n),
		})
	}
}

func artifactType(n *imagetree.Node) string {
	kind := cmp.Or(n.ArtifactType, n.Descriptor.ArtifactType)
	if kind == "" && n.Config != nil {
		kind = n.Config.MediaType
	}
	return kind
}

func describe(n *imagetree.Node, index string) Image {
	image := Image{
		Platform: n.Platform.String(), Digest: n.Descriptor.Digest.String(), MediaType: n.MediaType, Size: n.Size(), Layers: len(n.Layers),
		Annotations: n.Annotations, DescriptorAnnotations: n.Descriptor.Annotations, Index: index, Problems: texts(n), Base: base(n),
	}
	if n.Image != nil {
		image.Created = n.Image.Created
	}
	return image
}

// base is what the image itself tells of it.
func base(n *imagetree.Node) *Base {
	said := []struct {
		from string
		in   map[string]string
	}{{"annotation", n.Annotations}, {"annotation", n.Descriptor.Annotations}}
	if n.Image != nil {
		said = append(said, struct {
			from string
			in   map[string]string
		}{"label", n.Image.Config.Labels})
	}
	for _, s := range said {
		b := Base{s.in[ocispec.AnnotationBaseImageName], s.in[ocispec.AnnotationBaseImageDigest], s.from}
		if b.Name != "" || b.Digest != "" {
			return &b
		}
	}
	return nil
}

// attach puts attestations under the image they speak of.
func (r *reader) attach() {
	for _, n := range r.attestations {
		about := n.Descriptor.Annotations[imagetree.ReferenceDigest]
		at := slices.IndexFunc(r.doc.Images, func(i Image) bool { return i.Digest == about })
		if at >= 0 {
			r.doc.Images[at].Attestations = append(r.doc.Images[at].Attestations, Attestation{
				Digest: n.Descriptor.Digest.String(), Size: n.Size(), Statements: statements(n), Problems: texts(n),
			})
			continue
		}
		r.doc.Others = append(r.doc.Others, Other{
			Kind: string(n.Kind), Digest: n.Descriptor.Digest.String(), MediaType: n.MediaType, Type: n.ArtifactType,
			Size: n.Size(), SpeaksOf: about, Statements: statements(n), Problems: texts(n),
		})
	}
}

func statements(n *imagetree.Node) []Statement {
	list := []Statement{}
	for _, layer := range n.Layers {
		if kind := layer.Annotations[imagetree.PredicateType]; kind != "" {
			list = append(list, Statement{kind, predicate(kind)})
		}
	}
	return list
}

const (
	fetchedAtOnce = 4
	// patience is how long referrers are waited for: nobody has to tell them.
	patience = 10 * time.Second
)

// fetch asks for what the manifests do not hold: provenance and referrers.
func (r *reader) fetch(ctx context.Context) {
	short, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(fetchedAtOnce)
	group.Go(func() error {
		r.doc.Referrers = r.referrers(short, r.doc.Digest)
		return nil
	})
	for i := range r.doc.Images {
		image := &r.doc.Images[i]
		group.Go(func() error {
			if image.Digest != r.doc.Digest {
				image.Referrers = slices.DeleteFunc(r.referrers(short, image.Digest), image.attests)
			}
			if image.Base == nil {
				image.Base, image.Materials = r.provenance(ctx, image.Digest)
			}
			return nil
		})
	}
	_ = group.Wait() // nothing of this has to be there
}

// attests tells a referrer that the index lists as well.
func (i *Image) attests(r Referrer) bool {
	return slices.ContainsFunc(i.Attestations, func(a Attestation) bool { return a.Digest == r.Digest })
}

func (r *reader) problems(name string) error {
	var failed []error
	add := func(list []string) {
		for _, text := range list {
			failed = append(failed, &ProblemError{name, text})
		}
	}
	for _, image := range r.doc.Images {
		add(image.Problems)
		for _, a := range image.Attestations {
			add(a.Problems)
		}
	}
	for _, n := range r.doc.Indexes {
		add(n.Problems)
	}
	for _, o := range r.doc.Others {
		add(o.Problems)
	}
	return errors.Join(failed...)
}

func texts(n *imagetree.Node) []string {
	var list []string
	for _, p := range n.Problems {
		list = append(list, p.Message)
	}
	return list
}

// ProblemError says that something in an image is missing, or not what its
// descriptor says.
type ProblemError struct{ Name, Problem string }

func (e *ProblemError) Error() string { return fmt.Sprintf("%s: %s", e.Name, e.Problem) }

// Hint names the verb that tells more.
func (e *ProblemError) Hint() string { return "archbuild verify " + e.Name + " tells what to do" }
