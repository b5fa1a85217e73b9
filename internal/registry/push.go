package registry

import (
	"context"
	"errors"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Push uploads an image or an index (a v1.Image, a v1.ImageIndex) with all it
// refers to, blobs first, and names it by ref: a tag, or its own digest. What
// the repository already holds is not sent again.
func (c *Client) Push(ctx context.Context, ref string, what remote.Taggable) error {
	return c.push(ctx, ref, func(e *endpoint, to name.Reference) error {
		return e.pusher.Push(ctx, to, what)
	})
}

// PushLayer uploads one blob to the repository of ref.
func (c *Client) PushLayer(ctx context.Context, ref string, layer v1.Layer) error {
	return c.push(ctx, ref, func(e *endpoint, to name.Reference) error {
		return e.pusher.Upload(ctx, to.Context(), layer)
	})
}

// PutManifest writes the bytes of a manifest as they are. All that they refer to
// must be in the repository already. It returns what was written.
func (c *Client) PutManifest(ctx context.Context, ref string, data []byte, mediaType string) (ocispecs.Descriptor, error) {
	desc := ocispecs.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	err := c.push(ctx, ref, func(e *endpoint, to name.Reference) error {
		if pinned, ok := to.(name.Digest); ok && pinned.DigestStr() != desc.Digest.String() {
			return errors.New("the digest in the reference is not that of the manifest, " + desc.Digest.String())
		}
		return e.pusher.Put(ctx, to, raw{data: data, mediaType: types.MediaType(mediaType)})
	})
	return desc, err
}

// PutIndex is PutManifest for an index.
func (c *Client) PutIndex(ctx context.Context, ref string, data []byte, mediaType string) (ocispecs.Descriptor, error) {
	return c.PutManifest(ctx, ref, data, mediaType)
}

// Tag gives what ref names (best by digest) another tag in the same repository.
func (c *Client) Tag(ctx context.Context, ref, tag string) error {
	at, err := parse(ref)
	if err != nil {
		return err
	}
	e, err := c.origin(at.domain)
	if err != nil {
		return err
	}
	desc, err := e.puller.Get(ctx, e.reference(at))
	if err != nil {
		return whilePushing(failure(ctx, at.written, at.domain, err))
	}
	_, err = c.PutManifest(ctx, at.repo()+":"+tag, desc.Manifest, string(desc.MediaType))
	return err
}

// push does something at the registry itself, and forgets what was known of ref.
func (c *Client) push(ctx context.Context, ref string, do func(*endpoint, name.Reference) error) error {
	at, err := parse(ref)
	if err != nil {
		return err
	}
	e, err := c.origin(at.domain)
	if err != nil {
		return err
	}
	defer c.tags.forget(at.String())
	if err := do(e, e.reference(at)); err != nil {
		return whilePushing(failure(ctx, at.written, at.domain, err))
	}
	return nil
}

// raw is a manifest that is pushed byte for byte.
type raw struct {
	data      []byte
	mediaType types.MediaType
}

func (r raw) RawManifest() ([]byte, error)        { return r.data, nil }
func (r raw) MediaType() (types.MediaType, error) { return r.mediaType, nil }
