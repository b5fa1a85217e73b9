package registry

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/containerd/containerd/v2/core/remotes/docker/auth"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Realm asks a registry, host[:port], who makes its tokens for a repository. It is empty for one that
// wants no token: it takes anybody, or user and password themselves. It is asked for a manifest, without
// credentials: one that greets anybody may still want a token for what it holds, and with some (Artifactory) each
// repository has a realm of its own. The greeting counts where the repository says nothing. The
// answer is kept for the life of the client.
func (c *Client) Realm(ctx context.Context, host, repository string) (string, error) {
	return c.realms.do(ctx, host+" "+repository, func() (string, error) {
		e, err := c.origin(called(host))
		if err != nil {
			return "", err
		}
		realm, unsaid := e.realm(ctx, repository)
		if realm != "" {
			return realm, nil
		}
		challenge, err := transport.Ping(ctx, e.registry, e.wire)
		switch {
		case err != nil:
			return "", failure(ctx, "registry "+host, host, err)
		case bearer(challenge.Scheme):
			return challenge.Parameters["realm"], nil
		case unsaid != nil:
			return "", failure(ctx, host+"/"+repository, host, unsaid)
		}
		return "", nil
	})
}

func bearer(scheme string) bool { return strings.EqualFold(scheme, "bearer") }

// realm is what the repository itself says of who makes its tokens. No redirect is followed: another host
// has no say in it.
func (e *endpoint) realm(ctx context.Context, repository string) (string, error) {
	repo, err := name.NewRepository(e.registry.RegistryStr()+"/"+repository, name.StrictValidation)
	if err != nil {
		return "", err
	}
	s := session{base: e.base(repo)}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, s.url("manifests/latest").String(), nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Accept", accepted)
	resp, err := e.wire.RoundTrip(req)
	if err != nil {
		return "", err
	}
	discard(resp)
	if resp.StatusCode != http.StatusUnauthorized {
		return "", nil
	}
	for _, challenge := range auth.ParseAuthHeader(resp.Header) {
		if challenge.Scheme == auth.BearerAuth {
			return challenge.Parameters["realm"], nil
		}
	}
	return "", nil
}

// called is how references name a registry that is called otherwise on the wire.
func called(host string) string {
	if host == "registry-1.docker.io" || host == name.DefaultRegistry {
		return "docker.io"
	}
	return host
}

// Tokens is the way to those who make the tokens of a registry: as guarded as all that a registry leads to. What
// is sent there holds a password, so it is not sent on to any other place.
func (c *Client) Tokens(host string) (*http.Client, error) {
	e, err := c.origin(called(host))
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: greeted{e}, CheckRedirect: stay}, nil
}

// greeted asks the registry itself first: where it lies decides where those may lie who make its tokens. All else may
// have come from mirrors and the disk so far.
type greeted struct{ *endpoint }

// RoundTrip greets and asks. A registry that does not answer is taken to be a public one.
func (g greeted) RoundTrip(req *http.Request) (*http.Response, error) {
	_, _ = transport.Ping(req.Context(), g.registry, g.wire) // remembered by greeting
	return g.wire.RoundTrip(req)
}

var errLeaves = errors.New("who makes tokens sends the password on to another host; this is not followed")

// stay is the redirect policy for requests that hold a password.
func stay(req *http.Request, via []*http.Request) error {
	if req.URL.Scheme != via[0].URL.Scheme || req.URL.Host != via[0].URL.Host {
		return errLeaves
	}
	return follow(req, via)
}
