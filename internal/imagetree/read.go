package imagetree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/archbuild/archbuild/internal/ocistore"
	"github.com/archbuild/archbuild/platform"
)

// Limits of one tree.
const (
	maxDepth = 4
	maxNodes = 1000
	maxBytes = 16 << 20
	atOnce   = 8
)

// MaxDocument bounds a manifest, an index and a config, in bytes.
const MaxDocument = 4 << 20

// Source is where documents and blobs lie: a repository, a layout. What is not
// there, or is not what the descriptor says, is a *Problem; any other error says
// that it could not be looked at.
type Source interface {
	// Document reads a manifest or a small blob. Its digest has been checked; its
	// size is for the caller to compare.
	Document(ctx context.Context, desc ocispec.Descriptor) ([]byte, error)
	// Size asks whether a manifest or blob is there now, and how large it is.
	Size(ctx context.Context, desc ocispec.Descriptor) (int64, error)
	// Blob opens a blob at an offset. Read from its start, a wrong digest is an error
	// at the end of reading.
	Blob(ctx context.Context, desc ocispec.Descriptor, offset int64) (io.ReadCloser, error)
}

// Options say what of a tree is read.
type Options struct {
	// Platforms limits reading to the images for these, and what speaks of them;
	// empty means all.
	Platforms []platform.Platform
}

// LimitError says that reading a tree would cost more than any honest one does.
type LimitError struct{ What string }

func (e *LimitError) Error() string { return e.What }

// Hint tells what that usually means.
func (e *LimitError) Hint() string {
	return "an index like this is damaged or hostile; name one of its images by digest to look at that alone"
}

// Read reads what a descriptor names. That the root itself cannot be read is an
// error; what is wrong below it is a Problem there.
func Read(ctx context.Context, src Source, root ocispec.Descriptor, o Options) (*Node, error) {
	r := &reader{src: src, only: o.Platforms, slots: make(chan struct{}, atOnce), docs: map[digest.Digest]*answer{}}
	node, err := r.node(ctx, root, nil)
	if err != nil {
		return nil, err
	}
	if node.Raw == nil && len(node.Problems) > 0 {
		return nil, &node.Problems[0]
	}
	return node, nil
}

// reader counts what a tree costs.
type reader struct {
	src   Source
	only  []platform.Platform
	slots chan struct{}

	mu    sync.Mutex
	nodes int
	bytes int64
	docs  map[digest.Digest]*answer
}

// answer is a document that was asked for; done closes when it is there.
type answer struct {
	done chan struct{}
	raw  []byte
	err  error
}

// node reads a manifest and all below it; above are the digests on the way to it.
func (r *reader) node(ctx context.Context, desc ocispec.Descriptor, above []digest.Digest) (*Node, error) {
	n := &Node{Descriptor: desc, Kind: guess(desc), MediaType: desc.MediaType}
	n.Platform = label(desc.Platform)
	if err := r.count(desc, above); err != nil {
		return nil, err
	}
	if r.skips(n) || !isManifest(desc.MediaType) {
		n.Skipped = isManifest(desc.MediaType)
		return n, nil
	}
	raw, err := r.document(ctx, desc)
	if err != nil {
		return n, n.problem(err)
	}
	if err := r.fill(ctx, n, raw, append(slices.Clone(above), desc.Digest)); err != nil {
		return nil, err
	}
	return n, nil
}

// count refuses what would not end.
func (r *reader) count(desc ocispec.Descriptor, above []digest.Digest) error {
	if slices.Contains(above, desc.Digest) {
		return &LimitError{fmt.Sprintf("index %s lists itself", desc.Digest)}
	}
	if len(above) > maxDepth {
		return &LimitError{fmt.Sprintf("indexes are nested deeper than %d", maxDepth)}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.nodes++; r.nodes > maxNodes {
		return &LimitError{fmt.Sprintf("the index lists more than %d manifests", maxNodes)}
	}
	return nil
}

func (r *reader) skips(n *Node) bool {
	return len(r.only) > 0 && n.Kind == Image && n.Platform != (platform.Platform{}) && !slices.Contains(r.only, n.Platform)
}

// problem keeps what is wrong with the node's own document.
func (n *Node) problem(err error) error {
	var p *Problem
	if !errors.As(err, &p) {
		return err
	}
	n.Problems = append(n.Problems, *p)
	return nil
}

// fill reads what the bytes of a node say.
func (r *reader) fill(ctx context.Context, n *Node, raw []byte, above []digest.Digest) error {
	n.Raw = raw
	if n.Descriptor.Size != int64(len(raw)) && (len(above) > 1 || n.Descriptor.Size != 0) {
		n.Problems = append(n.Problems, sizeProblem(n.Descriptor, int64(len(raw))))
	}
	n.Descriptor.Size = int64(len(raw))
	d, err := Decode(raw)
	if err != nil {
		if len(above) == 1 {
			return &ocistore.DamagedError{Err: fmt.Errorf("reading %s: %w", n.Descriptor.Digest, err)}
		}
		n.Problems = append(n.Problems, Problem{Invalid, n.Descriptor.Digest, fmt.Sprintf("%s: %v", n.Descriptor.Digest, err)})
		return nil
	}
	n.MediaType, n.ArtifactType, n.Annotations = d.MediaType, d.ArtifactType, d.Annotations
	if said := n.Descriptor.MediaType; said != "" && said != d.MediaType {
		n.Problems = append(n.Problems, Problem{MediaType, n.Descriptor.Digest,
			fmt.Sprintf("%s is of type %s, its descriptor says %s", n.Descriptor.Digest, d.MediaType, said)})
	}
	if d.IsIndex() {
		n.Kind = Index
		return r.children(ctx, n, d.Manifests, above)
	}
	n.Config, n.Layers = d.Config, d.Layers
	return r.image(ctx, n)
}

func (r *reader) children(ctx context.Context, n *Node, list []ocispec.Descriptor, above []digest.Digest) error {
	if len(list) > maxNodes {
		return &LimitError{fmt.Sprintf("the index lists more than %d manifests", maxNodes)}
	}
	n.Children = make([]*Node, len(list))
	group, ctx := errgroup.WithContext(ctx)
	// Attestations come second: whether they are read depends on what they speak of.
	for i, desc := range list {
		if r.speaksOfSkipped(desc, list) {
			n.Children[i] = &Node{Descriptor: desc, Kind: Attestation, MediaType: desc.MediaType, Skipped: true}
			continue
		}
		group.Go(func() (err error) {
			n.Children[i], err = r.node(ctx, desc, above)
			return err
		})
	}
	return group.Wait()
}

// speaksOfSkipped tells attestations of images that were not asked for.
func (r *reader) speaksOfSkipped(desc ocispec.Descriptor, list []ocispec.Descriptor) bool {
	if len(r.only) == 0 || !IsAttestation(desc) {
		return false
	}
	return slices.ContainsFunc(list, func(other ocispec.Descriptor) bool {
		return other.Digest.String() == desc.Annotations[ReferenceDigest] &&
			r.skips(&Node{Kind: guess(other), Platform: label(other.Platform)})
	})
}

// image reads the config, and tells images from what only looks like one.
func (r *reader) image(ctx context.Context, n *Node) error {
	switch {
	case IsAttestation(n.Descriptor), speaks(n.Layers):
		n.Kind = Attestation
		return nil
	case n.ArtifactType != "" && !isImageConfig(n.ArtifactType), !isImageConfig(n.Config.MediaType):
		n.Kind = Artifact
		return nil
	}
	n.Kind = Image
	raw, err := r.document(ctx, *n.Config)
	if err != nil {
		return n.problem(err)
	}
	n.RawConfig = raw
	if n.Config.Size != int64(len(raw)) {
		n.Problems = append(n.Problems, sizeProblem(*n.Config, int64(len(raw))))
	}
	var config Config
	if err := json.Unmarshal(raw, &config); err != nil {
		n.Problems = append(n.Problems, Problem{Invalid, n.Config.Digest, fmt.Sprintf("config %s: %v", n.Config.Digest, err)})
		return nil
	}
	n.Image = &config
	if n.Platform == (platform.Platform{}) {
		n.Platform = label(&config.Platform)
	}
	if n.Platform == (platform.Platform{}) && !hasLayers(n.Layers) {
		n.Kind = Artifact // signatures, whose config is an empty one of an image
	}
	return nil
}

func speaks(layers []ocispec.Descriptor) bool {
	return slices.ContainsFunc(layers, func(l ocispec.Descriptor) bool { return l.Annotations[PredicateType] != "" })
}

func hasLayers(layers []ocispec.Descriptor) bool {
	return slices.ContainsFunc(layers, func(l ocispec.Descriptor) bool { return types.MediaType(l.MediaType).IsLayer() })
}

func sizeProblem(desc ocispec.Descriptor, size int64) Problem {
	return Problem{Size, desc.Digest, fmt.Sprintf("%s has %d bytes, its descriptor says %d", desc.Digest, size, desc.Size)}
}

// document gets each document once, a few at a time.
func (r *reader) document(ctx context.Context, desc ocispec.Descriptor) ([]byte, error) {
	if err := desc.Digest.Validate(); err != nil {
		return nil, &Problem{Invalid, desc.Digest, fmt.Sprintf("%q is no digest", desc.Digest)}
	}
	if desc.Size > MaxDocument {
		return nil, &LimitError{fmt.Sprintf("%s has %d bytes by its descriptor, and no document may have more than %d", desc.Digest, desc.Size, MaxDocument)}
	}
	r.mu.Lock()
	a := r.docs[desc.Digest]
	mine := a == nil
	if mine {
		a = &answer{done: make(chan struct{})}
		r.docs[desc.Digest] = a
	}
	r.mu.Unlock()
	if mine {
		a.raw, a.err = r.ask(ctx, desc)
		close(a.done)
	}
	select {
	case <-a.done:
		return a.raw, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (r *reader) ask(ctx context.Context, desc ocispec.Descriptor) ([]byte, error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	raw, err := r.src.Document(ctx, desc)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bytes += int64(len(raw)); r.bytes > maxBytes {
		return nil, &LimitError{fmt.Sprintf("manifests and configs have more than %d MiB together", maxBytes>>20)}
	}
	return raw, nil
}

// guess is what a descriptor alone tells.
func guess(desc ocispec.Descriptor) Kind {
	kind := types.MediaType(desc.MediaType)
	switch {
	case IsAttestation(desc):
		return Attestation
	case kind.IsIndex():
		return Index
	case desc.MediaType != "" && !kind.IsImage(), desc.ArtifactType != "" && !isImageConfig(desc.ArtifactType):
		return Artifact
	}
	return Image
}

// isManifest tells whether there is something to read: no type at all is left to the bytes.
func isManifest(mediaType string) bool {
	kind := types.MediaType(mediaType)
	return mediaType == "" || kind.IsIndex() || kind.IsImage()
}

func label(p *ocispec.Platform) platform.Platform {
	if p == nil || p.OS == "" || p.Architecture == "" || p.OS == "unknown" {
		return platform.Platform{}
	}
	return platform.FromOCI(*p)
}
