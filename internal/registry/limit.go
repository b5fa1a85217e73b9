package registry

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// maxAtOnce is Options.Concurrency if it says nothing.
const maxAtOnce = 50

// limiter bounds what one host is asked for.
//
// There are two kinds of places, so that copying within one registry cannot
// lock itself up, not even with a single place: a request takes a place of the
// first kind until its answer begins, an upload until all of it is sent; a blob
// that is being read takes one of the second kind until it is closed. What
// feeds an upload waits for a place of the second kind while it holds one of
// the first, and never the other way round.
type limiter struct {
	requests, reads chan struct{}
	interval        time.Duration

	mu   sync.Mutex
	next time.Time // when the next request may begin
}

func newLimiter(opts Options) *limiter {
	l := &limiter{requests: make(chan struct{}, opts.Concurrency), reads: make(chan struct{}, opts.Concurrency)}
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
