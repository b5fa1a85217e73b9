package registry

import (
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	// maxAtOnce is Options.Concurrency if it says nothing.
	maxAtOnce = 50
	// maxUploads is how many blobs are sent to a host at once. More would not be faster,
	// but each would be more likely to be too slow for somebody's patience.
	maxUploads = 6
)

// limiter bounds what one host is asked for.
//
// There are kinds of places, taken in one order only, so that copying within one
// registry cannot lock itself up, not even with a single place of each: an upload
// takes a place among the uploads and one among the requests until all of it is
// sent; any other request takes one among the requests until its answer begins; a
// blob that is being read, also to feed an upload, takes one among the reads
// until it is closed.
type limiter struct {
	uploads, requests, reads chan struct{}
	interval                 time.Duration

	mu   sync.Mutex
	next time.Time // when the next request may begin
}

func newLimiter(opts Options) *limiter {
	l := &limiter{
		uploads:  make(chan struct{}, min(opts.Concurrency, maxUploads)),
		requests: make(chan struct{}, opts.Concurrency), reads: make(chan struct{}, opts.Concurrency),
	}
	if opts.Rate > 0 {
		l.interval = time.Duration(float64(time.Second) / opts.Rate)
	}
	return l
}

// take waits for a place, which the caller gives back by calling leave, once.
func take(ctx context.Context, places chan struct{}) (leave func(), err error) {
	select {
	case places <- struct{}{}:
		return sync.OnceFunc(func() { <-places }), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// turn waits until the next request may begin.
func (l *limiter) turn(ctx context.Context) error {
	l.mu.Lock()
	now := time.Now()
	at := now
	if l.next.After(now) {
		at = l.next
	}
	l.next = at.Add(l.interval)
	l.mu.Unlock()
	if at == now {
		return ctx.Err()
	}
	return sleep(ctx, at.Sub(now))
}

// hold lets nothing begin for a while: the host asked for a pause, and means all of us.
func (l *limiter) hold(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := time.Now().Add(d); at.After(l.next) {
		l.next = at
	}
}

// placed marks the context of requests for which a place is held already.
type placed struct{}

func withPlace(ctx context.Context) context.Context { return context.WithValue(ctx, placed{}, true) }

// limited is a host under its limits. Storage and token servers elsewhere are not counted.
type limited struct {
	next  http.RoundTripper
	host  string
	limit *limiter
}

func (l *limited) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != l.host {
		return l.next.RoundTrip(req)
	}
	ctx := req.Context()
	if err := l.limit.turn(ctx); err != nil {
		return nil, err
	}
	if ctx.Value(placed{}) == nil {
		leave, err := take(ctx, l.limit.requests)
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	resp, err := l.next.RoundTrip(req)
	if err == nil && (resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable) {
		if asked := retryAfter(resp.Header); asked > 0 && asked <= maxWait {
			l.limit.hold(asked)
		}
	}
	return resp, err
}
