package imagetree

import (
	"fmt"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/platform"
)

// Kind is what a node is.
type Kind string

// The kinds of nodes.
const (
	Index       Kind = "index"
	Image       Kind = "image"
	Attestation Kind = "attestation"
	Artifact    Kind = "artifact"
)

// Annotations by which BuildKit marks attestations in an index, and the type of
// each statement in their manifests.
const (
	ReferenceType   = "vnd.docker.reference.type"
	ReferenceDigest = "vnd.docker.reference.digest"
	PredicateType   = "in-toto.io/predicate-type"
)

// Node is one manifest.
type Node struct {
	// Descriptor as the parent writes it; of a root, as it was found.
	Descriptor ocispec.Descriptor
	Kind       Kind
	// Raw are the exact bytes; nil when Skipped or when they could not be had.
	Raw []byte
	// MediaType by its own word, else by its fields.
	MediaType    string
	ArtifactType string
	Annotations  map[string]string
	// Children of an index, in its order.
	Children []*Node
	// Config and Layers of all that is no index.
	Config *ocispec.Descriptor
	Layers []ocispec.Descriptor
	// Platform is the label: what the index says, else what the config says. The
	// zero value means that neither does.
	Platform platform.Platform
	// Image is the config of an image, RawConfig its bytes.
	Image     *Config
	RawConfig []byte
	// Skipped: not asked for by Options.Platforms, so not read.
	Skipped bool
	// Problems found on reading; what they make unreadable is left empty.
	Problems []Problem
}

// Config is what is used of an image's config.
type Config struct {
	ocispec.Platform
	Created *time.Time `json:"created"`
	Config  struct {
		Labels map[string]string
	} `json:"config"`
	RootFS struct {
		DiffIDs digests `json:"diff_ids"`
	} `json:"rootfs"`
}

// ProblemKind is what is wrong with a document.
type ProblemKind string

// The kinds of problems.
const (
	Missing   ProblemKind = "missing"
	Size      ProblemKind = "size"
	Digest    ProblemKind = "digest"
	MediaType ProblemKind = "media-type"
	Invalid   ProblemKind = "invalid"
)

// Problem is a manifest or blob that is not what its descriptor says. It is an
// error, so that a Source can return it.
type Problem struct {
	Kind ProblemKind
	// Digest of the manifest or blob that the problem is with.
	Digest  digest.Digest
	Message string
}

func (p *Problem) Error() string { return p.Message }

// Hint says what to do when it is what a name stands for.
func (p *Problem) Hint() string {
	if p.Kind == Missing {
		return "push or copy the image again, with all that it refers to"
	}
	return "what lies there is damaged: build or copy the image again"
}

// Size of an image as it travels: manifest, config and compressed layers.
func (n *Node) Size() int64 {
	total := add(0, n.Descriptor.Size)
	if n.Config != nil {
		total = add(total, n.Config.Size)
	}
	for _, layer := range n.Layers {
		total = add(total, layer.Size)
	}
	return total
}

// add stays at the largest number: sizes are a stranger's word.
func add(a, b int64) int64 {
	if b < 0 || a+b < a {
		return a
	}
	return a + b
}

// Each visits the node and all below it, parents first.
func (n *Node) Each(visit func(*Node)) {
	visit(n)
	for _, child := range n.Children {
		child.Each(visit)
	}
}

// IsAttestation tells whether a descriptor in an index is that of an attestation.
func IsAttestation(desc ocispec.Descriptor) bool {
	p := desc.Platform
	return desc.Annotations[ReferenceType] != "" || p != nil && p.OS == "unknown" && p.Architecture == "unknown"
}

// Platforms are those of the images in the tree, in its order.
func (n *Node) Platforms() []platform.Platform {
	var list []platform.Platform
	n.Each(func(n *Node) {
		if n.Kind == Image && n.Platform.OS != "" && !slices.Contains(list, n.Platform) {
			list = append(list, n.Platform)
		}
	})
	return list
}

// NoPlatformError says that a name has no image for a platform that was asked for.
type NoPlatformError struct {
	Name     string
	Platform platform.Platform
	There    []platform.Platform
}

func (e *NoPlatformError) Error() string {
	return fmt.Sprintf("%s has no image for %s", e.Name, e.Platform)
}

// Hint lists what there is.
func (e *NoPlatformError) Hint() string {
	text := "it has"
	for i, p := range e.There {
		if i > 0 {
			text += ","
		}
		text += " " + p.String()
	}
	return text
}
