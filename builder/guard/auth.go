package guard

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/session/auth"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Access is what a node may do at one registry in the user's name.
type Access struct {
	// Pull and Push are repositories: "library/debian". Any of Pull stands for all.
	Pull, Push []string
	// Any tells that all repositories may be read: a mirror names them its own way.
	Any bool
	// Password tells that the node may have the user and password themselves, and not
	// only tokens for what is named above.
	Password bool
}

// Realm asks a registry who makes its tokens: the realm of its WWW-Authenticate. Empty is nobody.
type Realm func(ctx context.Context, host string) (string, error)

// Auth guards the credentials of registries.
type Auth struct {
	auth.UnimplementedAuthServer
	// From is BuildKit's own service, which knows no limits.
	From auth.AuthServer
	// Registries by host[:port], as the node asks for them.
	Registries map[string]Access
	// Realm is asked before a password is sent to one; nil believes the node.
	Realm Realm
	// Remote tells that the node is another machine: it gets no password where a token will do.
	Remote bool
	Book   *Book
}

// Register is asked by the session.
func (a *Auth) Register(server *grpc.Server) { auth.RegisterAuthServer(server, a) }

// Credentials gives user and password. What is refused looks to the node as if there were
// none: public images are fetched without.
func (a *Auth) Credentials(ctx context.Context, req *auth.CredentialsRequest) (*auth.CredentialsResponse, error) {
	access, ok := a.Registries[req.Host]
	if !ok || !access.Password || a.Remote && a.tokens(ctx, req.Host) {
		a.Book.note(Credentials, "password of "+req.Host)
		return &auth.CredentialsResponse{}, nil
	}
	return a.From.Credentials(ctx, req)
}

// FetchToken has a token made for those of the scopes that the plan names.
func (a *Auth) FetchToken(ctx context.Context, req *auth.FetchTokenRequest) (*auth.FetchTokenResponse, error) {
	access, ok := a.Registries[req.Host]
	if !ok {
		return nil, a.Book.Refuse(Credentials, "token of "+req.Host)
	}
	var scopes []string
	for _, text := range req.Scopes {
		scope, ok := access.limit(text)
		if ok {
			scopes = append(scopes, scope)
		}
		if !ok || scope != text {
			a.Book.note(Credentials, "token of "+req.Host+" for "+text)
		}
	}
	if len(scopes) == 0 {
		return nil, status.Error(codes.PermissionDenied, "archbuild: the plan names nothing of these scopes")
	}
	if err := a.checkRealm(ctx, req); err != nil {
		return nil, err
	}
	limited := req.CloneVT()
	limited.Scopes = scopes
	return a.From.FetchToken(ctx, limited)
}

// tokens tells whether the registry makes tokens, also where it does not answer.
func (a *Auth) tokens(ctx context.Context, host string) bool {
	if a.Realm == nil {
		return false
	}
	realm, err := a.Realm(ctx, host)
	return err != nil || realm != ""
}

// checkRealm compares the realm that the node names with the registry's own word.
func (a *Auth) checkRealm(ctx context.Context, req *auth.FetchTokenRequest) error {
	if a.Realm == nil || !a.Remote { // what this machine's own engine says of a registry is the registry's word
		return nil
	}
	own, err := a.Realm(ctx, req.Host)
	if err != nil {
		return status.Errorf(codes.Unavailable, "archbuild: asking %s who makes its tokens: %v", req.Host, err)
	}
	if own == "" { // it greets anybody, and asks for a token where something is fetched
		own = "https://" + req.Host
		req = req.CloneVT()
		if u, err := url.Parse(req.Realm); err == nil && u.Scheme == "https" {
			req.Realm = u.Scheme + "://" + u.Host
		}
	}
	if !sameRealm(own, req.Realm) {
		return a.Book.Refuse(Credentials, fmt.Sprintf("token of %s from %s", req.Host, req.Realm))
	}
	return nil
}

// sameRealm compares scheme, host and path: where a password would be sent to.
func sameRealm(a, b string) bool {
	x, err := url.Parse(a)
	y, err2 := url.Parse(b)
	return a != "" && err == nil && err2 == nil && x.Scheme == y.Scheme && x.Host == y.Host && x.Path == y.Path && x.User == nil && y.User == nil
}

// GetTokenAuthority begins the exchange in which this side makes tokens.
func (a *Auth) GetTokenAuthority(ctx context.Context, req *auth.GetTokenAuthorityRequest) (*auth.GetTokenAuthorityResponse, error) {
	if _, ok := a.Registries[req.Host]; !ok {
		a.Book.note(Credentials, "token of "+req.Host)
		return nil, status.Error(codes.Unavailable, "archbuild: the plan does not name this registry") // the node goes on without
	}
	return a.From.GetTokenAuthority(ctx, req)
}

// VerifyTokenAuthority proves that a session is the one that began it.
func (a *Auth) VerifyTokenAuthority(ctx context.Context, req *auth.VerifyTokenAuthorityRequest) (*auth.VerifyTokenAuthorityResponse, error) {
	if _, ok := a.Registries[req.Host]; !ok {
		return nil, a.Book.Refuse(Credentials, "token of "+req.Host)
	}
	return a.From.VerifyTokenAuthority(ctx, req)
}

// repositoryPattern is the grammar of names in the distribution project's "reference". A blank in one would
// be the end of a scope to a server that makes tokens.
var repositoryPattern = regexp.MustCompile(`^[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)

// limit is a scope as far as it is allowed: repository:NAME:pull,push. Its grammar is that
// of the distribution project's "Token Scope Documentation".
func (a Access) limit(text string) (string, bool) {
	kind, rest, _ := strings.Cut(text, ":")
	i := strings.LastIndexByte(rest, ':')
	if kind != "repository" || i < 0 || !repositoryPattern.MatchString(rest[:i]) {
		return "", false
	}
	name, actions := rest[:i], strings.Split(rest[i+1:], ",")
	push := slices.Contains(a.Push, name)
	pull := push || a.Any || slices.Contains(a.Pull, name)
	allowed := slices.DeleteFunc(actions, func(action string) bool {
		return (action != "pull" || !pull) && (action != "push" || !push)
	})
	return "repository:" + name + ":" + strings.Join(allowed, ","), len(allowed) > 0
}
