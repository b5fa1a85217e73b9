package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// small is the size up to which a blob is read whole and checked before any of
// it is handed on, so that one that came damaged can be asked for again.
const small = 1 << 20

// further is how much has to be transferred for earlier failures to be forgotten.
const further = 64 << 10

// OpenBlob reads a blob of a repository from an offset; mirrors may give it.
// When the connection is lost or stands still it goes on where it stopped. It
// gives never more bytes than desc.Size; with offset 0 the last read gives an
// error instead of io.EOF if they do not have the digest. Whoever holds one
// blob open should not wait for another to open: Options.Concurrency counts
// those that are open.
func (c *Client) OpenBlob(ctx context.Context, ref string, desc ocispecs.Descriptor, offset int64) (io.ReadCloser, error) {
	at, err := parse(ref)
	if err != nil {
		return nil, err
	}
	if err := desc.Digest.Validate(); err != nil {
		return nil, at.invalid(err)
	}
	if desc.Size < 0 || offset < 0 || offset > desc.Size {
		return nil, at.invalid(fmt.Errorf("no blob has %d bytes from %d on", desc.Size, offset))
	}
	at.written = at.repo() + "@" + desc.Digest.String()
	ctx = withPlace(ctx)
	if offset == 0 && desc.Size <= small {
		return c.smallBlob(ctx, at, desc)
	}
	b := &blobReader{ctx: ctx, client: c, at: at, desc: desc, next: offset}
	if offset == 0 {
		b.hash = desc.Digest.Verifier()
	}
	for offset < desc.Size && b.body == nil {
		if err := b.open(); err != nil {
			b.failed(err)
		}
		if b.err != nil {
			return nil, b.err
		}
	}
	return b, nil
}

func (c *Client) smallBlob(ctx context.Context, at address, desc ocispecs.Descriptor) (io.ReadCloser, error) {
	var data []byte
	err := c.each(ctx, at, func(e *endpoint) (err error) {
		data, err = e.blob(ctx, at, desc)
		return err
	})
	if err != nil {
		return nil, err
	}
	body, err := memory(data)()
	return body, err
}

// blob reads a small blob whole, again if it comes damaged.
func (e *endpoint) blob(ctx context.Context, at address, desc ocispecs.Descriptor) (data []byte, err error) {
	err = e.backoff.again(ctx, func() error {
		body, err := e.part(ctx, at, desc, 0)
		if err != nil {
			return err
		}
		defer body.Close()
		if data, err = io.ReadAll(io.LimitReader(body, desc.Size+1)); err != nil {
			return err
		}
		return matches(desc, data)
	})
	return data, err
}

func matches(desc ocispecs.Descriptor, data []byte) error {
	if int64(len(data)) != desc.Size {
		return damaged("the blob does not match its descriptor: it has %d bytes, not %d", len(data), desc.Size)
	}
	if got := desc.Digest.Algorithm().FromBytes(data); got != desc.Digest {
		return damaged("the digest of the blob, %s, does not match %s", got, desc.Digest)
	}
	return nil
}

// part opens a blob at an offset. It holds a place among the reads of the host
// until it is closed.
func (e *endpoint) part(ctx context.Context, at address, desc ocispecs.Descriptor, offset int64) (io.ReadCloser, error) {
	s, err := e.session(ctx, e.repo(at), transport.PullScope, "")
	if err != nil {
		return nil, err
	}
	leave, err := take(ctx, e.limit.reads)
	if err != nil {
		return nil, err
	}
	body, err := s.part(ctx, desc, offset)
	if err != nil {
		leave()
		return nil, err
	}
	return &placedBody{ReadCloser: body, leave: leave}, nil
}

type placedBody struct {
	io.ReadCloser
	leave func()
}

func (b *placedBody) Close() error {
	defer b.leave()
	return b.ReadCloser.Close()
}

func (s *session) part(ctx context.Context, desc ocispecs.Descriptor, offset int64) (io.ReadCloser, error) {
	ask := request{method: http.MethodGet, url: s.url("blobs/" + desc.Digest.String()), header: http.Header{}}
	if offset > 0 {
		ask.header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, desc.Size-1))
	}
	resp, err := s.do(ctx, ask, http.StatusOK, http.StatusPartialContent)
	if err != nil {
		return nil, err
	}
	if err := begins(resp, desc, offset); err != nil {
		resp.Body.Close()
		return nil, err
	}
	if resp.StatusCode == http.StatusOK && offset > 0 { // It knows no ranges.
		if _, err := io.CopyN(io.Discard, resp.Body, offset); err != nil {
			resp.Body.Close()
			return nil, short(err)
		}
	}
	return resp.Body, nil
}

// begins checks what an answer says of itself against what was asked for.
func begins(resp *http.Response, desc ocispecs.Descriptor, offset int64) error {
	length, wanted := resp.ContentLength, desc.Size
	if resp.StatusCode == http.StatusPartialContent {
		var first, last int64
		if _, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d", &first, &last); err != nil || first != offset || last >= desc.Size {
			return damaged("asked for the blob from byte %d on, the answer is for %q", offset, resp.Header.Get("Content-Range"))
		}
		wanted = last + 1 - first
	}
	if length >= 0 && length != wanted {
		return damaged("the blob does not match its descriptor: the answer has %d bytes, not %d", length, wanted)
	}
	return nil
}

func short(err error) error {
	if errors.Is(err, io.EOF) {
		return &wireError{io.ErrUnexpectedEOF}
	}
	return err
}

// blobReader is a blob that is read over several connections, if need be.
type blobReader struct {
	ctx      context.Context
	client   *Client
	at       address
	desc     ocispecs.Descriptor
	next     int64 // the byte that comes next
	body     io.ReadCloser
	hash     digest.Verifier // nil if the beginning is not read
	failures int             // since it came further by enough
	read     int64           // since the failures were last forgotten
	err      error
}

func (b *blobReader) Read(p []byte) (int, error) {
	for b.err == nil {
		if b.next == b.desc.Size {
			b.err = b.end()
			break
		}
		n, err := b.more(p)
		if err != nil && b.next < b.desc.Size {
			b.failed(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, b.err
}

func (b *blobReader) more(p []byte) (int, error) {
	if b.body == nil {
		if err := b.open(); err != nil {
			return 0, err
		}
	}
	if left := b.desc.Size - b.next; int64(len(p)) > left {
		p = p[:left]
	}
	n, err := b.body.Read(p)
	b.next += int64(n)
	if b.read += int64(n); b.read >= further {
		b.read, b.failures = 0, 0
	}
	if b.hash != nil {
		_, _ = b.hash.Write(p[:n])
	}
	return n, short(err)
}

// failed ends one connection and, unless that is pointless, waits for the next.
func (b *blobReader) failed(err error) {
	b.drop()
	if b.failures++; b.failures >= attempts || !worthAnother(err) {
		b.err = b.fail(err)
	} else if err := sleep(b.ctx, b.client.backoff.pause(b.failures)); err != nil {
		b.err = b.fail(err)
	}
}

func (b *blobReader) open() error {
	return b.client.each(b.ctx, b.at, func(e *endpoint) (err error) {
		b.body, err = e.part(b.ctx, b.at, b.desc, b.next)
		return err
	})
}

// end looks at what was read, once all is there.
func (b *blobReader) end() error {
	if b.body != nil {
		var one [1]byte
		n, _ := b.body.Read(one[:])
		b.drop()
		if n > 0 {
			return b.fail(damaged("the blob is longer than %d bytes", b.desc.Size))
		}
	}
	if b.hash != nil && !b.hash.Verified() {
		return b.fail(damaged("the digest of the blob does not match %s", b.desc.Digest))
	}
	return io.EOF
}

func (b *blobReader) drop() {
	if b.body != nil {
		b.body.Close()
		b.body = nil
	}
}

func (b *blobReader) fail(err error) error {
	return failure(b.ctx, b.at.written, b.at.domain, err)
}

func (b *blobReader) Close() error {
	b.drop()
	if b.err == nil {
		b.err = errors.New("the blob is closed")
	}
	return nil
}
