package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Client talks to registries. It may be used by many goroutines; it lives for
// one run, in which a tag's answer is asked for once.
type Client struct {
	opts  Options
	cache cache
	// backoff is between repetitions, of requests as of what consists of several.
	backoff backoff

	mu        sync.Mutex
	endpoints map[string]*endpoint
	limits    map[string]*limiter // by host

	tags      flight[ocispecs.Descriptor]
	manifests flight[[]byte]
	blobs     flight[[]byte]
	realms    flight[string]
}

// New makes a Client. Certificates are read when their host is first asked.
func New(opts Options) *Client {
	if opts.Keychain == nil {
		opts.Keychain = usual{}
	}
	if opts.Backoff <= 0 {
		opts.Backoff = 200 * time.Millisecond
	}
	if opts.Concurrency <= 0 {
		opts.Concurrency = maxAtOnce
	}
	if opts.Chunk <= 0 {
		opts.Chunk = 64 << 20
	}
	if opts.Stall <= 0 {
		opts.Stall = 30 * time.Second
	}
	if opts.MinRate <= 0 {
		opts.MinRate = 1 << 10
	}
	return &Client{
		opts: opts, cache: cache{dir: opts.CacheDir}, backoff: backoff{first: opts.Backoff, random: opts.Random},
		endpoints: map[string]*endpoint{}, limits: map[string]*limiter{},
		manifests: flight[[]byte]{size: length}, blobs: flight[[]byte]{size: length},
	}
}

func length(data []byte) int { return len(data) }

// Descriptor resolves a reference: what it names, by which digest. A tag is
// asked for once in the life of the client.
func (c *Client) Descriptor(ctx context.Context, ref string) (ocispecs.Descriptor, error) {
	at, err := parse(ref)
	if err != nil {
		return ocispecs.Descriptor{}, err
	}
	return c.descriptor(ctx, at)
}

// Get reads the manifest or index that a reference names; mirrors and the disk
// may give it, its digest is checked.
func (c *Client) Get(ctx context.Context, ref string) (ocispecs.Descriptor, []byte, error) {
	at, err := parse(ref)
	if err != nil {
		return ocispecs.Descriptor{}, nil, err
	}
	desc, err := c.descriptor(ctx, at)
	if err != nil {
		return ocispecs.Descriptor{}, nil, err
	}
	data, err := c.manifest(ctx, at, desc.Digest)
	return desc, data, err
}

func (c *Client) descriptor(ctx context.Context, at address) (ocispecs.Descriptor, error) {
	if at.digest == "" {
		return c.tags.do(ctx, at.String(), func() (desc ocispecs.Descriptor, err error) {
			err = c.each(ctx, at, func(e *endpoint) error {
				desc, err = e.head(ctx, at, e.tag(at))
				return err
			})
			return desc, err
		})
	}
	data, err := c.manifest(ctx, at, at.digest)
	if err != nil {
		return ocispecs.Descriptor{}, err
	}
	m, err := parseManifest(at, data)
	return ocispecs.Descriptor{MediaType: m.MediaType, Digest: at.digest, Size: int64(len(data))}, err
}

// manifest reads a manifest or index of a repository by digest.
func (c *Client) manifest(ctx context.Context, at address, dgst digest.Digest) ([]byte, error) {
	return c.manifests.do(ctx, at.repo()+"@"+dgst.String(), func() (data []byte, err error) {
		if data, ok := c.cache.get(at.repo(), dgst); ok {
			return data, nil
		}
		err = c.each(ctx, at, func(e *endpoint) error {
			_, data, err = e.fetch(ctx, at, e.digest(at, dgst.String()))
			return err
		})
		if err == nil {
			c.cache.put(at.repo(), dgst, data)
		}
		return data, err
	})
}

// each tries the mirrors, then the registry itself. Whatever keeps a mirror
// from answering, the next one may; the registry's own error is what counts.
func (c *Client) each(ctx context.Context, at address, try func(*endpoint) error) error {
	var refused []string
	lack := true // every mirror says that it is not there
	for _, text := range c.opts.Hosts[at.domain].Mirrors {
		e, err := c.mirror(text, at.domain)
		if err != nil {
			return err
		}
		if err = try(e); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return failure(ctx, at.written, at.domain, err)
		}
		lack = lack && kindOf(err) == NotFound
		refused = append(refused, fmt.Sprintf("mirror %s: %s", e.registry, reason(err)))
	}
	e, err := c.origin(at.domain)
	if err != nil {
		return err
	}
	err = try(e)
	if err == nil {
		return nil
	}
	err = failure(ctx, at.written, at.domain, err)
	if known := new(Error); errors.As(err, &known) && known.Kind != NotFound {
		known.Mirrors, known.lacking = refused, lack && len(refused) > 0
	}
	return err
}

// HasMirrors tells whether there are mirrors for a registry, by the host that
// references name.
func (c *Client) HasMirrors(host string) bool { return len(c.opts.Hosts[host].Mirrors) > 0 }

// Head asks the registry itself, never a mirror or what is remembered, what a
// reference names at this moment.
func (c *Client) Head(ctx context.Context, ref string) (ocispecs.Descriptor, error) {
	at, err := parse(ref)
	if err != nil {
		return ocispecs.Descriptor{}, err
	}
	e, err := c.origin(at.domain)
	if err != nil {
		return ocispecs.Descriptor{}, err
	}
	desc, err := e.head(ctx, at, e.reference(at))
	if err != nil {
		return ocispecs.Descriptor{}, itself(failure(ctx, at.written, at.domain, err))
	}
	return desc, nil
}

// address is a reference taken apart, its short forms filled in as Docker does.
type address struct {
	written           string // as the caller wrote it, for messages
	domain, path, tag string
	digest            digest.Digest
}

// parse reads a reference: debian is docker.io/library/debian:latest.
func parse(ref string) (address, error) {
	at := address{written: ref}
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return at, &Error{Kind: Invalid, Ref: ref, Err: errors.New(clean(err))}
	}
	at.domain, at.path = reference.Domain(named), reference.Path(named)
	if tagged, ok := named.(reference.Tagged); ok {
		at.tag = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		at.digest = digested.Digest()
		if err := at.digest.Validate(); err != nil {
			return at, &Error{Kind: Invalid, Ref: ref, Err: errors.New(clean(err))}
		}
	}
	if at.tag == "" && at.digest == "" {
		at.tag = "latest"
	}
	return at, nil
}

func (a address) repo() string { return a.domain + "/" + a.path }

func (a address) String() string {
	s := a.repo()
	if a.tag != "" {
		s += ":" + a.tag
	}
	if a.digest != "" {
		s += "@" + a.digest.String()
	}
	return s
}

func (c *Client) origin(domain string) (*endpoint, error) {
	return c.endpoint(domain, "", domain)
}

func (c *Client) mirror(text, origin string) (*endpoint, error) {
	host, path := mirror(text)
	return c.endpoint(host, path, origin)
}

// endpoint gives the endpoint for a host, made on first use.
func (c *Client) endpoint(host, path, origin string) (*endpoint, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := host + " " + path + " " + origin
	if e := c.endpoints[key]; e != nil {
		return e, nil
	}
	e, err := c.connect(host, path, origin)
	if err != nil {
		return nil, &Error{Kind: Invalid, Ref: "registry " + host, Err: err}
	}
	c.endpoints[key] = e
	return e, nil
}

// connect makes an endpoint out of layers: each request is greeted, repeated,
// held within the host's limits, marked for a mirror, and watched, in this order.
func (c *Client) connect(host, path, origin string) (*endpoint, error) {
	settings := c.opts.settings(host)
	var options []name.Option
	if settings.plain(host) {
		options = append(options, name.Insecure)
	}
	reg, err := name.NewRegistry(host, options...)
	if err != nil {
		return nil, err
	}
	wire, err := c.opts.dial(reg.RegistryStr(), settings)
	if err != nil {
		return nil, err
	}
	if host != origin {
		wire = &namespace{next: wire, host: reg.RegistryStr(), origin: origin}
	}
	limit := c.limits[reg.RegistryStr()]
	if limit == nil {
		limit = newLimiter(c.opts)
		c.limits[reg.RegistryStr()] = limit
	}
	wire = &limited{next: wire, host: reg.RegistryStr(), limit: limit}
	wire = &greeting{next: &repeat{next: wire, backoff: c.backoff}, host: reg.RegistryStr()}
	if c.opts.UserAgent != "" {
		wire = transport.NewUserAgent(wire, c.opts.UserAgent)
	}
	return &endpoint{registry: reg, path: path, keychain: c.opts.Keychain, wire: wire, limit: limit, backoff: c.backoff}, nil
}
