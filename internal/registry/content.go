package registry

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/opencontainers/go-digest"
)

// errAbandoned is read from a part of a blob whose request is over.
var errAbandoned = errors.New("the request is over")

// content is a blob as it is read for sending: opened late, read on from one
// part to the next, opened anew wherever a part has to be sent again, and held
// against its digest if it was read from end to end.
type content struct {
	blob Blob

	mu     sync.Mutex
	body   io.ReadCloser
	cancel context.CancelFunc
	next   int64
	hash   digest.Verifier // nil unless read from the beginning
	err    error           // what failed in reading
}

// part is what one request sends.
type sentPart struct {
	ctx        context.Context
	content    *content
	start, end int64
	sent       *atomic.Int64
}

func (c *content) part(ctx context.Context, start, end int64, sent *atomic.Int64) *sentPart {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = nil
	return &sentPart{ctx: ctx, content: c, start: start, end: end, sent: sent}
}

func (p *sentPart) open() (io.ReadCloser, error) {
	return &sentBody{part: p, next: p.start}, nil
}

// sentBody is the body of one request. One that is closed reads no more, while
// the next may be on its way already.
type sentBody struct {
	part   *sentPart
	next   int64
	closed atomic.Bool
}

func (b *sentBody) Read(p []byte) (int, error) {
	c := b.part.content
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.closed.Load() {
		return 0, errAbandoned
	}
	left := b.part.end - b.next
	if left == 0 {
		return 0, io.EOF
	}
	if c.err != nil {
		return 0, c.err
	}
	if int64(len(p)) > left {
		p = p[:left]
	}
	n, err := c.read(b.part.ctx, b.next, p)
	if err != nil {
		c.err = err
		return 0, err
	}
	b.next += int64(n)
	b.part.sent.Add(int64(n))
	if b.next == b.part.end {
		return n, io.EOF
	}
	return n, nil
}

func (b *sentBody) Close() error {
	b.closed.Store(true)
	return nil
}

// read gives bytes from an offset on. The last ones it keeps back unless the
// whole has its digest, so that nothing damaged is ever complete elsewhere.
func (c *content) read(ctx context.Context, at int64, p []byte) (int, error) {
	if c.body == nil || c.next != at {
		if err := c.open(ctx, at); err != nil {
			return 0, err
		}
	}
	n, err := io.ReadAtLeast(c.body, p, 1)
	if err != nil {
		return 0, short(err)
	}
	c.next += int64(n)
	if c.hash != nil {
		_, _ = c.hash.Write(p[:n])
	}
	if c.next == c.blob.Size {
		return n, c.whole()
	}
	return n, nil
}

func (c *content) open(ctx context.Context, at int64) error {
	c.drop()
	ctx, c.cancel = context.WithCancel(ctx)
	body, err := c.blob.Open(ctx, at)
	if err != nil {
		return err
	}
	c.body, c.next, c.hash = body, at, nil
	if _, itself := body.(*blobReader); at == 0 && !itself { // Which does it itself.
		c.hash = c.blob.Digest.Verifier()
	}
	return nil
}

// whole looks at content that was read to its end.
func (c *content) whole() error {
	var one [1]byte
	n, err := io.ReadFull(c.body, one[:])
	switch {
	case n > 0:
		return damaged("the content is longer than %d bytes", c.blob.Size)
	case !errors.Is(err, io.EOF):
		return err
	case c.hash != nil && !c.hash.Verified():
		return damaged("the digest of the content does not match %s", c.blob.Digest)
	}
	return nil
}

// failure is what failed in reading, if that was it.
func (c *content) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(c.err, context.Canceled) {
		return nil
	}
	return c.err
}

// close ends the reading; a read that goes on in a request that is over ends too.
func (c *content) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop()
}

func (c *content) drop() {
	if c.body != nil {
		c.body.Close()
		c.body = nil
	}
	if c.cancel != nil {
		c.cancel()
	}
}
