package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// answerWait is how long an answer to something that writes may take: a
// registry may hash a whole layer before it says that it has it.
const answerWait = 5 * time.Minute

// errStalled ends a transfer that stands still or crawls.
var errStalled = errors.New("the transfer stood still")

// wireError is what went wrong between the two sides, as against an answer.
type wireError struct{ err error }

func (w *wireError) Error() string { return w.err.Error() }
func (w *wireError) Unwrap() error { return w.err }

// patience ends exchanges in which nothing, or far too little, moves: in any
// window of time that was spent on waiting for the other side, a few bytes for
// each second must have come or gone. Time that our own side takes, for example
// to read what is sent, does not count.
type patience struct {
	next   http.RoundTripper
	window time.Duration
	rate   int64 // bytes per second
}

func (p *patience) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	w := &watch{cancel: cancel, window: p.window, enough: int64(float64(p.rate) * p.window.Seconds())}
	w.timer = time.AfterFunc(time.Hour, w.end)
	answer := p.window
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		answer = max(answerWait, p.window)
	}
	w.arm(answer)
	req = req.WithContext(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		req.Body = &watchedSend{ReadCloser: req.Body, watch: w, answer: answer}
	}
	resp, err := p.next.RoundTrip(req)
	w.answered()
	if err != nil {
		err = w.cause(ctx, err)
		cancel(nil)
		return nil, err
	}
	resp.Body = &watchedReceive{ReadCloser: resp.Body, watch: w, ctx: ctx}
	return resp, nil
}

// watch is the clock of one exchange.
type watch struct {
	cancel   context.CancelCauseFunc
	window   time.Duration
	enough   int64 // bytes in a window
	mu       sync.Mutex
	timer    *time.Timer
	received bool // the answer is there
	waited   time.Duration
	moved    int64
}

func (w *watch) end() { w.cancel(errStalled) }

func (w *watch) arm(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Reset(d)
}

func (w *watch) disarm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
}

func (w *watch) answered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.received, w.waited, w.moved = true, 0, 0
	w.timer.Stop()
}

// count adds to the window, and gives what is left of it.
func (w *watch) count(waited time.Duration, moved int64) (left time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waited += waited
	w.moved += moved
	if w.waited >= w.window {
		if w.moved < w.enough {
			w.end()
		}
		w.waited, w.moved = 0, 0
	}
	return w.window - w.waited
}

// cause tells the watch's own ending of an exchange from the caller's.
func (w *watch) cause(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStalled) {
		return &wireError{errStalled}
	}
	if record := new(tls.RecordHeaderError); errors.As(err, record) && string(record.RecordHeader[:]) == "HTTP/" {
		err = http.ErrSchemeMismatch // http.Client says so too, but does not look into our error.
	}
	return &wireError{err}
}

// watchedReceive is the body of an answer.
type watchedReceive struct {
	io.ReadCloser
	watch *watch
	ctx   context.Context
}

func (b *watchedReceive) Read(p []byte) (int, error) {
	b.watch.arm(b.watch.count(0, 0))
	start := time.Now()
	n, err := b.ReadCloser.Read(p)
	b.watch.disarm()
	b.watch.count(time.Since(start), int64(n))
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.watch.cause(b.ctx, err)
	}
	return n, err
}

func (b *watchedReceive) Close() error {
	err := b.ReadCloser.Close()
	b.watch.disarm()
	b.watch.cancel(nil)
	return err
}

// watchedSend is the body of a request: between two reads of it, the connection
// is taking in what was read.
type watchedSend struct {
	io.ReadCloser
	watch  *watch
	answer time.Duration
	given  time.Time // when the last read ended
	last   int64
}

func (b *watchedSend) Read(p []byte) (int, error) {
	if b.watch.over() {
		return b.ReadCloser.Read(p)
	}
	b.watch.disarm()
	if !b.given.IsZero() {
		b.watch.count(time.Since(b.given), b.last)
	}
	n, err := b.ReadCloser.Read(p)
	b.given, b.last = time.Now(), int64(n)
	switch {
	case b.watch.over():
	case err != nil:
		b.watch.arm(b.answer)
	default:
		b.watch.arm(b.watch.count(0, 0))
	}
	return n, err
}

// over tells whether the answer is there, so that what is still sent matters no more.
func (w *watch) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.received
}
