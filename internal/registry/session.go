package registry

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// endpoint is one place that is asked: a registry, or one of its mirrors.
type endpoint struct {
	registry name.Registry
	path     string // before each repository, on a mirror
	keychain authn.Keychain
	wire     http.RoundTripper
	limit    *limiter
	backoff  backoff
	sessions flight[*session]
	auths    flight[authn.Authenticator]
}

func (e *endpoint) repo(at address) name.Repository {
	if e.path == "" {
		return e.registry.Repo(at.path)
	}
	return e.registry.Repo(e.path, at.path)
}

func (e *endpoint) tag(at address) name.Reference { return e.repo(at).Tag(at.tag) }

func (e *endpoint) digest(at address, dgst string) name.Digest { return e.repo(at).Digest(dgst) }

// reference is what at names: by digest if it has one.
func (e *endpoint) reference(at address) name.Reference {
	if at.digest != "" {
		return e.digest(at, at.digest.String())
	}
	return e.tag(at)
}

// session is the way to one repository for one purpose: credentials are found
// and, where the registry wants that, changed into a token, which is renewed
// whenever it expires. They go to the registry alone, whoever redirects where.
type session struct {
	client *http.Client
	base   url.URL // up to and with the repository
	pusher *remote.Pusher
}

// session gives the way to a repository; action is one of transport's scopes.
// With from, blobs of that repository can be mounted.
func (e *endpoint) session(ctx context.Context, repo name.Repository, action, from string) (*session, error) {
	return e.sessions.do(ctx, repo.String()+" "+action+" "+from, func() (s *session, err error) {
		err = e.backoff.again(ctx, func() error {
			s, err = e.connect(ctx, repo, action, from)
			return err
		})
		if err != nil && kindOf(err) == Unauthorized {
			err = &denied{err} // Asking again with the same password gets accounts locked.
		}
		return s, err
	})
}

func (e *endpoint) connect(ctx context.Context, repo name.Repository, action, from string) (*session, error) {
	auth, err := e.auths.do(ctx, repo.String(), func() (authn.Authenticator, error) {
		return authn.Resolve(ctx, e.keychain, repo)
	})
	if err != nil {
		return nil, &CredentialsError{err}
	}
	scopes := []string{repo.Scope(action)}
	if from != "" {
		scopes = append(scopes, e.registry.Repo(from).Scope(transport.PullScope))
	}
	wire, err := transport.NewWithContext(ctx, repo.Registry, auth, e.wire, scopes)
	if err != nil {
		return nil, err
	}
	s := &session{
		client: &http.Client{Transport: &renewed{next: wire, backoff: e.backoff}, CheckRedirect: follow},
		base:   e.base(repo),
	}
	// Failures are repeated below; here only where a whole layer has to be opened anew.
	options := []remote.Option{
		remote.WithTransport(wire), remote.WithRetryPredicate(retried), remote.WithJobs(maxAtOnce),
		remote.WithRetryBackoff(remote.Backoff{Duration: 5 * e.backoff.first, Factor: 3, Jitter: 0.5, Steps: 3}),
	}
	s.pusher, err = remote.NewPusher(options...)
	return s, err
}

// base is the address of a repository, with a slash at its end.
func (e *endpoint) base(repo name.Repository) url.URL {
	return url.URL{Scheme: e.registry.Scheme(), Host: e.registry.RegistryStr(), Path: "/v2/" + repo.RepositoryStr() + "/"}
}

// renewed asks again when a token is refused that is hardly a moment old: one
// server of several may not know it yet, or have lost it. Where nothing was ever
// allowed, a refusal is meant.
type renewed struct {
	next    http.RoundTripper
	backoff backoff
	worked  atomic.Bool
}

func (r *renewed) RoundTrip(req *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		resp, err := r.next.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusUnauthorized {
			r.worked.Store(true)
			return resp, nil
		}
		if try == 3 || !r.worked.Load() || !rewindable(req) {
			return resp, nil
		}
		discard(resp)
		if err := sleep(req.Context(), r.backoff.pause(try)); err != nil {
			return nil, err
		}
	}
}

// url is an address below the repository: "manifests/latest".
func (s *session) url(path string) *url.URL {
	u := s.base
	u.Path += path
	return &u
}

// request is one question to a registry.
type request struct {
	method string
	url    *url.URL
	header http.Header
	// body of a PUT or PATCH: opened again whenever the request is made again.
	body func() (io.ReadCloser, error)
	size int64
}

// do asks, and gives the answer if its status is one of those wanted. The
// caller closes its body.
func (s *session) do(ctx context.Context, r request, wanted ...int) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), nil)
	if err != nil {
		return nil, err
	}
	if r.header != nil {
		req.Header = r.header
	}
	if r.body != nil && r.size > 0 {
		req.ContentLength, req.GetBody = r.size, r.body
		if req.Body, err = r.body(); err != nil {
			return nil, err
		}
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	if err := transport.CheckError(resp, wanted...); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// answer is a response whose body says nothing.
type answer struct {
	status int
	header http.Header
	size   int64    // of the body, of which a HEAD tells
	url    *url.URL // after redirects
}

// finish is do for such answers.
func (s *session) finish(ctx context.Context, r request, wanted ...int) (answer, error) {
	resp, err := s.do(ctx, r, wanted...)
	if err != nil {
		return answer{}, err
	}
	discard(resp)
	return answer{status: resp.StatusCode, header: resp.Header, size: resp.ContentLength, url: resp.Request.URL}, nil
}

func memory(data []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

// mediaType is the type in a header, without parameters.
func mediaType(header http.Header) string {
	text, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	return strings.TrimSpace(text)
}
