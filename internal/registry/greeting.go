package registry

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// downFor is how long a host that did not answer is not asked again.
const downFor = 10 * time.Second

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
