package registry

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"
)

// maxManifest bounds manifests and configs. The OCI distribution spec asks
// registries to accept 4 MiB, and hardly any accepts more.
const maxManifest = 4 << 20

// dial makes the connections of one host. Its certificates hold for this host
// only; redirects and token servers elsewhere get the system's rules.
func (o Options) dial(host string, settings Host) (http.RoundTripper, error) {
	conf, err := settings.tlsConfig()
	if err != nil {
		return nil, err
	}
	reach := &reach{own: host, trusted: o.Hosts, dial: o.Dial}
	own := &http.Transport{
		Proxy:                  reach.proxy,
		DialContext:            reach.connect,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConnsPerHost:    2 * maxAtOnce,
		MaxResponseHeaderBytes: 256 << 10,
		WriteBufferSize:        32 << 10,
		// Content is what its digest says, byte for byte: no compression on the way.
		DisableCompression: true,
	}
	other := own.Clone()
	other.TLSClientConfig.InsecureSkipVerify = false
	other.TLSClientConfig.Certificates = nil
	return &patience{
		next: &guard{
			host: host, plain: settings.plain(host), either: settings.Insecure && settings.plain(host),
			own: own, other: other,
		},
		window: o.Stall, rate: o.MinRate,
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
	if isSmall(req, resp) {
		resp.Body = &bounded{ReadCloser: resp.Body, left: maxManifest}
	}
	return resp, nil
}

// isSmall tells answers that are read as a whole: all but the blobs of a registry, wherever it leads for one. Those are
// held against the sizes of their descriptors.
func isSmall(req *http.Request, resp *http.Response) bool {
	switch {
	case req.Method != http.MethodGet || resp.StatusCode >= http.StatusMultipleChoices:
		return true
	case req.Response != nil && req.Response.Request != nil: // a redirect is what its first request is
		return isSmall(req.Response.Request, resp)
	}
	// All else are manifests, tokens, lists. Where tokens are made is the registry's word: it can call that place a blob.
	isBlob := strings.HasPrefix(req.URL.Path, "/v2/") && path.Base(path.Dir(req.URL.Path)) == "blobs"
	return !isBlob || req.URL.Query().Has("scope")
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
