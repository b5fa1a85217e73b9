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
}

// Realm asks a registry who makes its tokens for a repository: the realm of its WWW-Authenticate. Empty is nobody.
type Realm func(ctx context.Context, host, repository string) (string, error)

// Auth guards the credentials of registries.
type Auth struct {
	auth.UnimplementedAuthServer
	// From is BuildKit's own service, which knows no limits.
	From auth.AuthServer
	// Registries by host[:port], as the node asks for them.
	Registries map[string]Access
	// Realm is asked before a password is sent to one; nil believes the node.
	Realm Realm
	// Remote tells that the node is another machine: it gets tokens for what is named above, and no
	// password, but for the registries in Passwords: host[:port] as references name them.
	Remote    bool
	Passwords []string
	Book      *Book
}

// Register is asked by the session.
func (a *Auth) Register(server *grpc.Server) { auth.RegisterAuthServer(server, a) }

// Credentials gives user and password. What is refused looks to the node as if there were
// none: public images are fetched without.
func (a *Auth) Credentials(ctx context.Context, req *auth.CredentialsRequest) (*auth.CredentialsResponse, error) {
	registry := Registry(req.Host)
	if _, planned := a.Registries[req.Host]; !planned {
		a.Book.note(Credentials, PasswordOf(registry))
		return &auth.CredentialsResponse{}, nil
	}
	found, err := a.From.Credentials(ctx, req)
	if err == nil && found.Secret != "" && a.Remote && !slices.Contains(a.Passwords, registry) {
		a.Book.note(Credentials, PasswordOf(registry))
		a.Book.keep(registry)
		return &auth.CredentialsResponse{}, nil
	}
	return found, err
}

// PasswordOf is how a Book calls the user and password of a registry.
func PasswordOf(registry string) string { return "password of " + registry }

// Registry is how references call a registry that BuildKit calls host.
func Registry(host string) string {
	if host == "registry-1.docker.io" {
		return "docker.io"
	}
	return host
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
	if err := a.checkRealm(ctx, req, repositoryOf(scopes[0])); err != nil {
		return nil, err
	}
	limited := req.CloneVT()
	limited.Scopes = scopes
	return a.From.FetchToken(ctx, limited)
}

// checkRealm compares the realm that the node names with the registry's own word about the repository. One that
// lets anybody in has none, and gets no password.
func (a *Auth) checkRealm(ctx context.Context, req *auth.FetchTokenRequest, repository string) error {
	if a.Realm == nil || !a.Remote { // what this machine's own engine says of a registry is the registry's word
		return nil
	}
	own, err := a.Realm(ctx, req.Host, repository)
	if err != nil {
		return status.Errorf(codes.Unavailable, "archbuild: asking %s who makes its tokens: %v", req.Host, err)
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

// repositoryOf is the name in a scope that limit has let through.
func repositoryOf(scope string) string {
	_, rest, _ := strings.Cut(scope, ":")
	return rest[:strings.LastIndexByte(rest, ':')]
}

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
