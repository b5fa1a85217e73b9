package imagetree

import (
	"context"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// V1 is an image node as a v1.Image, made of what was read already. Its layers
// are opened by open, while ctx lives.
func (n *Node) V1(ctx context.Context, open func(context.Context, ocispec.Descriptor) (io.ReadCloser, error)) (v1.Image, error) {
	return partial.CompressedToImage(&image{ctx, n, open})
}

type image struct {
	ctx  context.Context
	node *Node
	open func(context.Context, ocispec.Descriptor) (io.ReadCloser, error)
}

func (i *image) RawManifest() ([]byte, error)        { return i.node.Raw, nil }
func (i *image) RawConfigFile() ([]byte, error)      { return i.node.RawConfig, nil }
func (i *image) MediaType() (types.MediaType, error) { return types.MediaType(i.node.MediaType), nil }

func (i *image) LayerByDigest(hash v1.Hash) (partial.CompressedLayer, error) {
	for _, desc := range i.node.Layers {
		if desc.Digest.String() == hash.String() {
			return &layer{i, hash, desc}, nil
		}
	}
	return partial.ConfigLayer(i)
}

type layer struct {
	image *image
	hash  v1.Hash
	desc  ocispec.Descriptor
}

func (l *layer) Digest() (v1.Hash, error)            { return l.hash, nil }
func (l *layer) Size() (int64, error)                { return l.desc.Size, nil }
func (l *layer) MediaType() (types.MediaType, error) { return types.MediaType(l.desc.MediaType), nil }
func (l *layer) Compressed() (io.ReadCloser, error)  { return l.image.open(l.image.ctx, l.desc) }
