package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxReferrers bounds how many referrers are told.
const maxReferrers = 1000

// Size asks whether a repository has a manifest or a blob now, and how many
// bytes it has; -1 means that the registry does not say. Mirrors are asked
// before the registry, as for a pull; nothing remembered counts. What is in none
// of them is an *Error of kind NotFound.
func (c *Client) Size(ctx context.Context, repo string, desc ocispecs.Descriptor) (size int64, err error) {
	at, err := parse(repo + "@" + desc.Digest.String())
	if err != nil {
		return -1, err
	}
	kind := types.MediaType(desc.MediaType)
	err = c.each(ctx, at, func(e *endpoint) error {
		if kind.IsImage() || kind.IsIndex() {
			found, err := e.head(ctx, at, e.digest(at, at.digest.String()))
			size = found.Size
			return err
		}
		s, err := e.session(ctx, e.repo(at), transport.PullScope, "")
		if err != nil {
			return err
		}
		var there bool
		if size, there, err = s.hasBlob(ctx, at.digest); err == nil && !there {
			err = &Error{Kind: NotFound, Ref: at.written, Host: at.domain}
		}
		return err
	})
	return size, err
}

// Document reads a small blob, such as a config, whole; mirrors and the disk may
// give it, and it is asked for once in the life of the client.
func (c *Client) Document(ctx context.Context, repo string, desc ocispecs.Descriptor) ([]byte, error) {
	at, err := parse(repo + "@" + desc.Digest.String())
	if err != nil {
		return nil, err
	}
	return c.blob(ctx, at, desc)
}

// Referrers lists what says of itself that it speaks of the manifest that dgst
// names: signatures, statements. A registry without the referrers interface is
// asked for the tag that stands in for it; none is an empty list.
func (c *Client) Referrers(ctx context.Context, repo string, dgst digest.Digest) (list []ocispecs.Descriptor, err error) {
	at, err := parse(repo + "@" + dgst.String())
	if err != nil {
		return nil, err
	}
	err = c.each(ctx, at, func(e *endpoint) error {
		list, err = e.referrers(ctx, at)
		return err
	})
	return list, err
}

func (e *endpoint) referrers(ctx context.Context, at address) ([]ocispecs.Descriptor, error) {
	s, err := e.session(ctx, e.repo(at), transport.PullScope, "")
	if err != nil {
		return nil, err
	}
	list, err := s.referrers(ctx, "referrers/"+at.digest.String())
	if err == nil || kindOf(err) != NotFound && kindOf(err) != Invalid {
		return list, err
	}
	// No such interface: by the specification this tag holds the list.
	list, err = s.referrers(ctx, "manifests/"+strings.Replace(at.digest.String(), ":", "-", 1))
	if err != nil && kindOf(err) == NotFound {
		return nil, nil
	}
	return list, err
}

func (s *session) referrers(ctx context.Context, path string) ([]ocispecs.Descriptor, error) {
	resp, err := s.do(ctx, request{
		method: http.MethodGet, url: s.url(path), header: http.Header{"Accept": {ocispecs.MediaTypeImageIndex}},
	}, http.StatusOK)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if mediaType(resp.Header) != ocispecs.MediaTypeImageIndex {
		return nil, errors.New("the list of referrers is no index")
	}
	body, err := io.ReadAll(&bounded{ReadCloser: resp.Body, left: maxManifest})
	if err != nil {
		return nil, err
	}
	var index struct {
		Manifests []json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(body, &index); err != nil {
		return nil, fmt.Errorf("reading the list of referrers: %w", err)
	}
	var list []ocispecs.Descriptor
	for _, raw := range index.Manifests[:min(len(index.Manifests), maxReferrers)] {
		var desc ocispecs.Descriptor
		if err := json.Unmarshal(raw, &desc); err != nil {
			return nil, fmt.Errorf("reading the list of referrers: %w", err)
		}
		list = append(list, desc)
	}
	return list, nil
}
