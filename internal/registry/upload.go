package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/opencontainers/go-digest"
)

// Blob is content to bring into a repository.
type Blob struct {
	Digest digest.Digest
	Size   int64
	// From is a repository of the same registry that holds the blob, for mounting; empty if none is known.
	// It may be the very repository that the blob is for, where a registry is known to have it: some answer
	// a HEAD wrongly for a while, but mount what they have.
	From string
	// Open opens the content at an offset; called again when an upload goes on
	// after a failure. It must hand on the context that it gets.
	Open func(ctx context.Context, offset int64) (io.ReadCloser, error)
	// Unfinished remembers uploads across runs; nil remembers nothing.
	Unfinished Unfinished
}

// Unfinished remembers where an upload that was begun can be continued.
type Unfinished interface {
	// Location of the upload of a blob to a repository; "" if none is known.
	Location(repo string, d digest.Digest) string
	// Remember a location; "" forgets. A location can hold a secret: whoever
	// knows it may be able to go on with the upload.
	Remember(repo string, d digest.Digest, location string)
}

// Way is how a blob came into a repository.
type Way string

const (
	// There means that the repository held it already.
	There Way = "there"
	// Mounted means that the registry took it from another of its repositories.
	Mounted Way = "mounted"
	// Sent means that it was uploaded.
	Sent Way = "sent"
)

// Uploaded tells what an upload did.
type Uploaded struct {
	Way Way
	// Sent counts the bytes that went over the wire, repetitions included.
	Sent int64
	// Resumed counts the bytes that a remembered upload had already.
	Resumed int64
}

// Upload brings a blob into a repository: by mounting it, or if it is not there,
// by sending it. What was sent of it, now or in an earlier run, is not sent again.
func (c *Client) Upload(ctx context.Context, repo string, b Blob) (Uploaded, error) {
	at, err := parse(repo)
	if err != nil {
		return Uploaded{}, err
	}
	if err := b.Digest.Validate(); err != nil || b.Size < 0 {
		return Uploaded{}, at.invalid(fmt.Errorf("%q of %d bytes is no blob", b.Digest, b.Size))
	}
	e, err := c.origin(at.domain)
	if err != nil {
		return Uploaded{}, err
	}
	u := &upload{blob: b, repo: at.repo(), endpoint: e, at: at, chunk: c.opts.Chunk}
	if err = u.run(ctx); err != nil {
		err = itself(failure(ctx, at.repo()+"@"+b.Digest.String(), at.domain, err))
	}
	u.done.Sent = u.sent.Load()
	return u.done, err
}

// run finds the cheapest way.
func (u *upload) run(ctx context.Context) (err error) {
	if u.blob.From != "" {
		mounted, err := u.mount(ctx)
		if mounted || err != nil {
			return err
		}
	}
	if u.session == nil {
		if u.session, err = u.endpoint.session(ctx, u.endpoint.repo(u.at), transport.PushScope, ""); err != nil {
			return err
		}
	}
	if there, err := u.there(ctx); there || err != nil {
		u.done.Way = There
		return err
	}
	u.remembered(ctx)
	u.done.Way = Sent
	return u.send(ctx)
}

// there asks for the blob itself.
func (u *upload) there(ctx context.Context) (bool, error) {
	size, there, err := u.session.hasBlob(ctx, u.blob.Digest)
	if err == nil && there && size >= 0 && size != u.blob.Size {
		err = fmt.Errorf("the registry has it with %d bytes, not %d: one of the two is no honest descriptor", size, u.blob.Size)
	}
	return there, err
}

// mount has the registry take the blob from another repository. If it does not
// want to, it often begins an upload instead, which is then used.
func (u *upload) mount(ctx context.Context) (mounted bool, err error) {
	from, err := parse(u.blob.From)
	if err != nil {
		return false, err
	}
	if from.domain != u.at.domain {
		return false, nil
	}
	scope := from.path
	if scope == u.at.path {
		scope = ""
	}
	s, err := u.endpoint.session(ctx, u.endpoint.repo(u.at), transport.PushScope, scope)
	if err != nil {
		if kindOf(err) == Unauthorized { // Perhaps only for the other repository.
			return false, nil
		}
		return false, err
	}
	to := s.url("blobs/uploads/")
	to.RawQuery = url.Values{"mount": {u.blob.Digest.String()}, "from": {from.path}}.Encode()
	longer, done := lingering(ctx)
	defer done()
	got, err := s.finish(longer, request{method: http.MethodPost, url: to}, http.StatusCreated, http.StatusAccepted)
	if err != nil {
		if kind := kindOf(err); kind == Unreachable || kind == Limited || ctx.Err() != nil {
			return false, err
		}
		return false, nil
	}
	if got.status == http.StatusCreated {
		u.done.Way = Mounted
		return true, nil
	}
	u.session = s
	u.begun(got)
	return false, nil
}

// remembered goes on with an upload of an earlier run, if there is one and the
// registry still knows it.
func (u *upload) remembered(ctx context.Context) {
	if u.blob.Unfinished == nil {
		return
	}
	defer u.remember()
	at, err := url.Parse(u.blob.Unfinished.Location(u.repo, u.blob.Digest))
	if err != nil || at.Host == "" {
		return
	}
	fresh := u.location
	u.location = at
	if err := u.status(ctx); err != nil {
		u.location = fresh
	}
	u.done.Resumed = u.offset
}

// begin asks for a place to send to.
func (u *upload) begin(ctx context.Context) error {
	got, err := u.session.finish(ctx, request{method: http.MethodPost, url: u.session.url("blobs/uploads/")}, http.StatusAccepted)
	if err != nil {
		return err
	}
	if !u.begun(got) {
		return errors.New("the registry accepts the upload, but does not say where")
	}
	u.remember()
	return nil
}

func (u *upload) begun(got answer) bool {
	u.location, u.offset, u.unsure = nil, 0, false
	u.moved(got)
	if least, err := strconv.ParseInt(got.header.Get("OCI-Chunk-Min-Length"), 10, 64); err == nil {
		u.chunk = max(u.chunk, min(least, 1<<40))
	}
	return u.location != nil
}

// moved takes over the place at which an upload goes on.
func (u *upload) moved(got answer) {
	text := got.header.Get("Location")
	if text == "" {
		return
	}
	if to, err := got.url.Parse(text); err == nil && to.Host != "" {
		u.location = to
	}
}

func (u *upload) remember() {
	if u.blob.Unfinished != nil && u.location != nil {
		u.blob.Unfinished.Remember(u.repo, u.blob.Digest, u.location.String())
	}
}

// forget makes the next attempt begin anew.
func (u *upload) forget() {
	u.location, u.offset, u.unsure, u.done.Resumed = nil, 0, false, 0
	if u.blob.Unfinished != nil {
		u.blob.Unfinished.Remember(u.repo, u.blob.Digest, "")
	}
}

// status asks how much of the blob has arrived.
func (u *upload) status(ctx context.Context) error {
	got, err := u.session.finish(ctx, request{method: http.MethodGet, url: u.location}, http.StatusNoContent, http.StatusOK, http.StatusAccepted)
	if err != nil {
		return err
	}
	n, ok := confirmed(got)
	if !ok || n > u.blob.Size {
		return errors.New("the registry does not say how much it has")
	}
	u.moved(got)
	u.offset, u.unsure = n, false
	return nil
}

// confirmed reads how many bytes an answer says have arrived: Range: 0-N, N
// being the last one. 0-0 means none, as registries use it, rather than one.
func confirmed(got answer) (int64, bool) {
	first, last, ok := strings.Cut(strings.TrimPrefix(got.header.Get("Range"), "bytes="), "-")
	n, err := strconv.ParseInt(last, 10, 64)
	if !ok || first != "0" || err != nil || n < 0 {
		return 0, false
	}
	if n == 0 {
		return 0, true
	}
	return n + 1, true
}
