package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// accepted are the kinds of manifests that are understood, the newest first.
var accepted = strings.Join([]string{
	ocispecs.MediaTypeImageIndex, ocispecs.MediaTypeImageManifest,
	"application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.docker.distribution.manifest.v2+json",
}, ", ")

// damage is content that is not what it should be. It may be whole next time.
type damage struct{ err error }

func (d *damage) Error() string { return d.err.Error() }
func (d *damage) Unwrap() error { return d.err }

func damaged(format string, args ...any) error { return &damage{fmt.Errorf(format, args...)} }

// Fetch reads the manifest or index that a reference names at this moment, with
// one question to the registry itself and to no mirror: a GET, or where it was
// fetched before and lies on the disk, a HEAD that tells that it is still that.
// The bytes have the digest of the reference or, of a tag, the one that the
// registry gives with them, and are one kind of manifest only.
func (c *Client) Fetch(ctx context.Context, ref string) (ocispecs.Descriptor, []byte, error) {
	at, err := parse(ref)
	if err != nil {
		return ocispecs.Descriptor{}, nil, err
	}
	e, err := c.origin(at.domain)
	if err != nil {
		return ocispecs.Descriptor{}, nil, err
	}
	desc, data, same := c.unmoved(ctx, e, at)
	if !same {
		desc, data, err = e.fetch(ctx, at, e.reference(at))
	}
	if err != nil {
		return ocispecs.Descriptor{}, nil, failure(ctx, at.written, at.domain, err)
	}
	m, err := parseManifest(at, data)
	if err != nil {
		return ocispecs.Descriptor{}, nil, err
	}
	desc.MediaType = m.MediaType
	if !same {
		c.cache.put(at.repo(), desc.Digest, data)
		if at.digest == "" {
			c.cache.point(at.repo(), at.tag, desc.Digest)
		}
	}
	return desc, data, nil
}

// unmoved gives what a reference named when it was last fetched, if the disk has
// that and the registry says that it names it still. Whatever else the registry
// says, it is better asked for the whole.
func (c *Client) unmoved(ctx context.Context, e *endpoint, at address) (desc ocispecs.Descriptor, data []byte, ok bool) {
	dgst := at.digest
	if dgst == "" {
		dgst = c.cache.pointed(at.repo(), at.tag)
	}
	if data, ok = c.cache.get(at.repo(), dgst); !ok {
		return desc, nil, false
	}
	desc, err := e.head(ctx, at, e.reference(at))
	return desc, data, err == nil && desc.Digest == dgst && desc.Size == int64(len(data))
}

// fetch gets a manifest, again if what comes is cut short or has another digest.
func (e *endpoint) fetch(ctx context.Context, at address, ref name.Reference) (desc ocispecs.Descriptor, data []byte, err error) {
	s, err := e.session(ctx, e.repo(at), transport.PullScope, "")
	if err != nil {
		return desc, nil, err
	}
	err = e.backoff.again(ctx, func() error {
		desc, data, err = s.manifest(ctx, ref)
		return err
	})
	return desc, data, err
}

func (s *session) manifest(ctx context.Context, ref name.Reference) (desc ocispecs.Descriptor, data []byte, err error) {
	resp, err := s.do(ctx, s.ask(http.MethodGet, ref), http.StatusOK)
	if err != nil {
		return desc, nil, err
	}
	defer resp.Body.Close()
	if resp.ContentLength > maxManifest {
		return desc, nil, errTooLarge
	}
	if data, err = io.ReadAll(&bounded{ReadCloser: resp.Body, left: maxManifest}); err != nil {
		return desc, nil, err
	}
	wanted, said := digest.Digest(ref.Identifier()), "that of the reference"
	if _, ok := ref.(name.Digest); !ok {
		wanted, said = digest.Digest(resp.Header.Get("Docker-Content-Digest")), "the one given with it"
	}
	desc = ocispecs.Descriptor{MediaType: mediaType(resp.Header), Digest: digest.FromBytes(data), Size: int64(len(data))}
	if wanted == "" {
		return desc, data, nil
	}
	if err := wanted.Validate(); err != nil {
		return desc, nil, damaged("the digest given with the manifest: %w", err)
	}
	if desc.Digest = wanted.Algorithm().FromBytes(data); desc.Digest != wanted {
		return desc, nil, damaged("the digest of the manifest, %s, does not match %s, %s", desc.Digest, said, wanted)
	}
	return desc, data, nil
}

// ask is a question for a manifest.
func (s *session) ask(method string, ref name.Reference) request {
	return request{method: method, url: s.url("manifests/" + ref.Identifier()), header: http.Header{"Accept": {accepted}}}
}

// head asks for a descriptor. Registries that answer a HEAD badly get a GET.
func (e *endpoint) head(ctx context.Context, at address, ref name.Reference) (ocispecs.Descriptor, error) {
	s, err := e.session(ctx, e.repo(at), transport.PullScope, "")
	if err != nil {
		return ocispecs.Descriptor{}, err
	}
	got, err := s.finish(ctx, s.ask(http.MethodHead, ref), http.StatusOK)
	if err == nil {
		desc := ocispecs.Descriptor{
			MediaType: mediaType(got.header), Digest: digest.Digest(got.header.Get("Docker-Content-Digest")), Size: got.size,
		}
		_, pinned := ref.(name.Digest)
		if desc.Digest.Validate() == nil && desc.Size >= 0 && desc.MediaType != "" && (!pinned || desc.Digest == digest.Digest(ref.Identifier())) {
			return desc, nil
		}
	} else if kindOf(err) != Invalid || ctx.Err() != nil {
		return ocispecs.Descriptor{}, err
	}
	desc, _, err := e.fetch(ctx, at, ref)
	return desc, err
}

// HasBlob tells whether the registry itself holds a blob in the repository, and
// its size: -1 if the registry does not tell.
func (c *Client) HasBlob(ctx context.Context, repo string, d digest.Digest) (size int64, there bool, err error) {
	at, err := parse(repo)
	if err != nil {
		return 0, false, err
	}
	if err := d.Validate(); err != nil {
		return 0, false, at.invalid(err)
	}
	e, err := c.origin(at.domain)
	if err != nil {
		return 0, false, err
	}
	s, err := e.session(ctx, e.repo(at), transport.PullScope, "")
	if err == nil {
		size, there, err = s.hasBlob(ctx, d)
	}
	if err != nil {
		return 0, false, failure(ctx, at.repo()+"@"+d.String(), at.domain, err)
	}
	return size, there, nil
}

func (s *session) hasBlob(ctx context.Context, d digest.Digest) (int64, bool, error) {
	got, err := s.finish(ctx, request{method: http.MethodHead, url: s.url("blobs/" + d.String())}, http.StatusOK)
	if err != nil {
		if kindOf(err) == NotFound {
			err = nil
		}
		return 0, false, err
	}
	if said := got.header.Get("Docker-Content-Digest"); said != "" && said != d.String() {
		return 0, false, errors.New("the registry answers with another blob")
	}
	return got.size, true, nil
}
