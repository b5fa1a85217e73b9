package builder

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	authutil "github.com/containerd/containerd/v2/core/remotes/docker/auth"
	remoteserrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/moby/buildkit/session/auth"
	"github.com/moby/buildkit/session/auth/authprovider"

	"github.com/archbuild/archbuild/builder/guard"
)

// tokens are made on this side, by those whom a registry names. BuildKit's own service asks
// them over any network and follows any redirect, with the password; this one goes through the door to registries.
type tokens struct {
	auth.AuthServer
	load authprovider.AuthConfigProvider
	way  func(registry string) (*http.Client, error)
}

// usualExpiry of a token that does not say how long it lasts, in seconds, by the distribution
// project's "Token Authentication Specification".
const usualExpiry = 60

// FetchToken has one made. Who has credentials sends them by POST, and by GET where the maker knows no POST, as BuildKit
// does.
func (t *tokens) FetchToken(ctx context.Context, req *auth.FetchTokenRequest) (*auth.FetchTokenResponse, error) {
	found, err := t.load(ctx, req.Host, req.Scopes, nil)
	if err != nil {
		return nil, err
	}
	if found.RegistryToken != "" {
		return &auth.FetchTokenResponse{Token: found.RegistryToken, ExpiresIn: usualExpiry}, nil
	}
	client, err := t.way(guard.Registry(req.Host))
	if err != nil {
		return nil, err
	}
	to := authutil.TokenOptions{Realm: req.Realm, Service: req.Service, Scopes: req.Scopes, Username: found.Username, Secret: found.Password}
	if found.IdentityToken != "" {
		to.Username, to.Secret = "", found.IdentityToken
	}
	if to.Secret != "" {
		made, err := authutil.FetchTokenWithOAuth(ctx, client, nil, "buildkit-client", to)
		switch {
		case err == nil:
			return token(made.AccessToken, made.IssuedAt, made.ExpiresInSeconds), nil
		case !knowsNoPost(err, to.Username):
			return nil, fmt.Errorf("getting a token of %s: %w", req.Host, err)
		}
	}
	made, err := authutil.FetchToken(ctx, client, nil, to)
	if err != nil {
		return nil, fmt.Errorf("getting a token of %s: %w", req.Host, err)
	}
	return token(made.Token, made.IssuedAt, made.ExpiresInSeconds), nil
}

// knowsNoPost tells of makers of tokens that say so in one of the ways that are in use.
func knowsNoPost(err error, user string) bool {
	var status remoteserrors.ErrUnexpectedStatus
	if !errors.As(err, &status) {
		return false
	}
	switch status.StatusCode {
	case http.StatusNotFound, http.StatusUnauthorized:
		return true
	}
	return status.StatusCode == http.StatusMethodNotAllowed && user != ""
}

func token(text string, issued time.Time, seconds int) *auth.FetchTokenResponse {
	made := &auth.FetchTokenResponse{Token: text, ExpiresIn: int64(seconds)}
	if seconds == 0 {
		made.ExpiresIn = usualExpiry
	}
	if !issued.IsZero() {
		made.IssuedAt = issued.Unix()
	}
	return made
}
