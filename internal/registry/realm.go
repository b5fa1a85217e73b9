package registry

import (
	"context"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Realm asks a registry, host[:port], who makes its tokens. It is empty for one that wants
// no token: it takes anybody, or user and password themselves. The answer is
// kept for the life of the client.
func (c *Client) Realm(ctx context.Context, host string) (string, error) {
	return c.realms.do(ctx, host, func() (string, error) {
		e, err := c.origin(host)
		if err != nil {
			return "", err
		}
		challenge, err := transport.Ping(ctx, e.registry, e.wire)
		if err != nil {
			return "", failure(ctx, "registry "+host, host, err)
		}
		if !strings.EqualFold(challenge.Scheme, "bearer") {
			return "", nil
		}
		return challenge.Parameters["realm"], nil
	})
}
