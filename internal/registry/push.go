package registry

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Push uploads an image or an index (a v1.Image, a v1.ImageIndex) with all it
// refers to, blobs first, and names it by ref: a tag, or its own digest. What
// the repository already holds is not sent again.
func (c *Client) Push(ctx context.Context, ref string, what remote.Taggable) error {
	return c.push(ctx, ref, func(s *session, to name.Reference) error {
		return s.pusher.Push(ctx, to, what)
	})
}

// PutManifest writes the bytes of a manifest as they are. All that they refer to
// must be in the repository already. It returns what was written.
func (c *Client) PutManifest(ctx context.Context, ref string, data []byte, mediaType string) (ocispecs.Descriptor, error) {
	desc := ocispecs.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	err := c.push(ctx, ref, func(s *session, to name.Reference) error {
		if pinned, ok := to.(name.Digest); ok && pinned.DigestStr() != desc.Digest.String() {
			return errors.New("the digest in the reference is not that of the manifest, " + desc.Digest.String())
		}
		return s.pusher.Put(ctx, to, raw{data: data, mediaType: types.MediaType(mediaType)})
	})
	return desc, err
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
	desc, data, err := e.fetch(ctx, at, e.reference(at))
	if err != nil {
		return itself(failure(ctx, at.written, at.domain, err))
	}
	_, err = c.PutManifest(ctx, at.repo()+":"+tag, data, desc.MediaType)
	return err
}

// push does something at the registry itself, and forgets what was known of ref.
func (c *Client) push(ctx context.Context, ref string, do func(*session, name.Reference) error) error {
	at, err := parse(ref)
	if err != nil {
		return err
	}
	e, err := c.origin(at.domain)
	if err != nil {
		return err
	}
	defer c.tags.forget(at.String())
	s, err := e.session(ctx, e.repo(at), transport.PushScope, "")
	if err == nil {
		err = do(s, e.reference(at))
	}
	if err != nil {
		return itself(failure(ctx, at.written, at.domain, err))
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

// DeleteTag takes a tag away, and leaves what it names: a way to take back a tag
// that was just made. Most registries can be told not to offer this, and some
// never do: that is an *Error of the kind Unsupported. A tag that is not there is fine.
func (c *Client) DeleteTag(ctx context.Context, ref string) error {
	at, err := parse(ref)
	if err != nil {
		return err
	}
	if at.digest != "" || at.tag == "" {
		return at.invalid(errors.New("only a tag can be taken back"))
	}
	return c.delete(ctx, at, at.tag)
}

// DeleteManifest takes a manifest away, given by digest, with all tags that name it. What
// it refers to stays. More registries offer this than DeleteTag; the others answer as there.
func (c *Client) DeleteManifest(ctx context.Context, ref string) error {
	at, err := parse(ref)
	if err != nil {
		return err
	}
	if at.digest == "" {
		return at.invalid(errors.New("a manifest is deleted by its digest"))
	}
	return c.delete(ctx, at, at.digest.String())
}

func (c *Client) delete(ctx context.Context, at address, what string) error {
	e, err := c.origin(at.domain)
	if err != nil {
		return err
	}
	defer c.tags.forget(at.String())
	s, err := e.session(ctx, e.repo(at), transport.DeleteScope, "")
	if err == nil {
		_, err = s.finish(ctx, request{method: http.MethodDelete, url: s.url("manifests/" + what)},
			http.StatusOK, http.StatusAccepted, http.StatusNoContent, http.StatusNotFound)
	}
	if err == nil {
		return nil
	}
	err = failure(ctx, at.written, at.domain, err)
	if known := new(Error); errors.As(err, &known) && known.Kind == Invalid {
		known.Kind = Unsupported // 400, 405, 501, with codes as many as registries.
	}
	return err
}
