package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// maxManifest bounds manifests and configs. The OCI distribution spec asks
	// registries to accept 4 MiB, and hardly any accepts more.
	maxManifest = 4 << 20
	// maxWait is the longest pause a registry can ask for by Retry-After.
	maxWait = 30 * time.Second
	// attempts is how often a request is made at most.
	attempts = 4
	// maxConns is how many connections a host gets at most.
	maxConns = 100
	// downFor is how long a host that did not answer is not asked again.
	downFor = 10 * time.Second
)

// dial makes the connections of one host. Its certificates hold for this host
// only; redirects and token servers elsewhere get the system's rules.
func (o Options) dial(host string, settings Host) (http.RoundTripper, error) {
	conf, err := settings.tlsConfig()
	if err != nil {
		return nil, err
	}
	connect := o.Dial
	if connect == nil {
		connect = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	own := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           connect,
		ForceAttemptHTTP2:     true,
		TLSClientConfig:       conf,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 2 * time.Minute,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   maxConns,
		MaxConnsPerHost:       maxConns,
	}
	other := own.Clone()
	other.TLSClientConfig.InsecureSkipVerify = false
	other.TLSClientConfig.Certificates = nil
	return &guard{
		host: host, plain: settings.plain(host), either: settings.Insecure && settings.plain(host),
		own: own, other: other,
	}, nil
}

// refusal is a request that the configuration does not allow.
type refusal struct{ host string }

func (r *refusal) Error() string {
	return fmt.Sprintf("https failed, and plain http to %s is not allowed", r.host)
}

// guard decides over http and https, and holds answers within bounds.
type guard struct {
	host          string
	plain, either bool
	own, other    http.RoundTripper
}

func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	toHost := req.URL.Host == g.host
	switch {
	case req.URL.Scheme == "http" && !g.plain:
		return nil, &refusal{host: req.URL.Host}
	case req.URL.Scheme == "https" && toHost && g.plain && !g.either:
		req = req.Clone(req.Context())
		req.URL.Scheme = "http"
	}
	next := g.other
	if toHost || hostname(req.URL.Host) == hostname(g.host) {
		next = g.own
	}
	resp, err := next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/manifests/") {
		resp.Body = &bounded{ReadCloser: resp.Body, left: maxManifest}
	}
	return resp, nil
}

// errTooLarge ends the reading of a manifest that is larger than any honest one.
var errTooLarge = fmt.Errorf("larger than %d MiB", maxManifest>>20)

// bounded is a body that fails, rather than ends, at its limit.
type bounded struct {
	io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// namespace tells a mirror which registry is meant, as containerd does: one
// mirror can then serve several.
type namespace struct {
	next         http.RoundTripper
	host, origin string
}

func (n *namespace) RoundTrip(req *http.Request) (*http.Response, error) {
	read := req.Method == http.MethodGet || req.Method == http.MethodHead
	if read && req.URL.Host == n.host && strings.HasPrefix(req.URL.Path, "/v2/") && req.URL.Path != "/v2/" {
		req = req.Clone(req.Context())
		query := req.URL.Query()
		query.Set("ns", n.origin)
		req.URL.RawQuery = query.Encode()
	}
	return n.next.RoundTrip(req)
}

// greeting asks each scheme of a host once how it wants to be talked to (GET
// /v2/), however many repositories are asked for, and remembers for a while
// that a host is down, so that fifty questions do not wait for it in turn.
type greeting struct {
	next  http.RoundTripper
	host  string
	mu    sync.Mutex
	known map[string]*hello
}

// hello is one answer to GET /v2/; done closes when it is there.
type hello struct {
	done   chan struct{}
	status int
	header http.Header
	req    *http.Request
	err    error
	at     time.Time
	// abandoned: whoever asked went away before the answer came.
	abandoned bool
}

func (g *greeting) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet || req.URL.Path != "/v2/" || req.URL.Host != g.host || req.Header.Get("Authorization") != "" {
		return g.next.RoundTrip(req)
	}
	for {
		h, mine := g.find(req.URL.Scheme)
		if mine {
			g.ask(h, req)
		}
		select {
		case <-h.done:
		case <-req.Context().Done():
			return nil, context.Cause(req.Context())
		}
		if h.err == nil {
			return h.response(), nil
		}
		if mine || !h.abandoned {
			return nil, h.err
		}
	}
}

// find gives the answer for a scheme; mine means the caller has to get it.
func (g *greeting) find(scheme string) (h *hello, mine bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if h = g.known[scheme]; h != nil && !h.stale() {
		return h, false
	}
	h = &hello{done: make(chan struct{})}
	if g.known == nil {
		g.known = map[string]*hello{}
	}
	g.known[scheme] = h
	return h, true
}

func (g *greeting) ask(h *hello, req *http.Request) {
	defer close(h.done)
	resp, err := g.next.RoundTrip(req)
	h.at = time.Now()
	if err != nil {
		h.err, h.abandoned = err, req.Context().Err() != nil
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	resp.Body.Close()
	h.status, h.header, h.req = resp.StatusCode, resp.Header, resp.Request
	if h.status != http.StatusOK && h.status != http.StatusUnauthorized {
		h.at = time.Time{} // Next time ask again.
	}
}

// stale tells whether an answer that is there should be asked for again.
func (h *hello) stale() bool {
	select {
	case <-h.done:
	default:
		return false
	}
	return h.at.IsZero() || h.err != nil && (h.abandoned || time.Since(h.at) > downFor)
}

func (h *hello) response() *http.Response {
	return &http.Response{
		Status: http.StatusText(h.status), StatusCode: h.status, Header: h.header.Clone(), Request: h.req,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(bytes.NewReader(nil)),
	}
}

// repeat makes a request again after failures that pass by themselves.
type repeat struct {
	next  http.RoundTripper
	pause time.Duration
}

func (r *repeat) RoundTrip(req *http.Request) (*http.Response, error) {
	pause := r.pause
	for try := 1; ; try++ {
		resp, err := r.next.RoundTrip(req)
		wait, again := verdict(resp, err, try, pause)
		if !again || !rewindable(req) || req.Context().Err() != nil {
			if err != nil && transient(err) {
				err = gaveUp{err}
			}
			return resp, err
		}
		if resp != nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
			resp.Body.Close()
		}
		select {
		case <-time.After(wait):
		case <-req.Context().Done():
			return nil, context.Cause(req.Context())
		}
		if req, err = rewind(req); err != nil {
			return nil, err
		}
		pause *= 3
	}
}

// verdict says whether to try again, and after which pause.
func verdict(resp *http.Response, err error, try int, pause time.Duration) (time.Duration, bool) {
	if err != nil {
		limit := attempts
		if dns := new(net.DNSError); errors.As(err, &dns) || errors.Is(err, syscall.ECONNREFUSED) {
			limit = 2 // Mostly there to stay: no network, no server.
		}
		return pause, try < limit && transient(err)
	}
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout, 522:
	default:
		return 0, false
	}
	if asked := retryAfter(resp.Header.Get("Retry-After")); asked > pause {
		pause = asked
	}
	return pause, try < attempts && pause <= maxWait
}

// retryAfter reads the header: seconds or a date.
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.Atoi(strings.TrimSpace(header)); err == nil {
		return time.Duration(min(max(seconds, 0), 1<<20)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return time.Until(at)
	}
	return 0
}

func rewindable(req *http.Request) bool {
	return req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
}

func rewind(req *http.Request) (*http.Request, error) {
	again := req.Clone(req.Context())
	if req.GetBody == nil {
		return again, nil
	}
	body, err := req.GetBody()
	again.Body = body
	return again, err
}

// transient tells whether an error may not happen again.
func transient(err error) bool {
	for _, known := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.ECONNREFUSED, syscall.ECONNABORTED, syscall.EPIPE, net.ErrClosed} {
		if errors.Is(err, known) {
			return true
		}
	}
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsTemporary && !dns.IsTimeout
}
