package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

const (
	// restarts is how often an upload is begun anew.
	restarts = 4
	// maxStalls is how often one may stand still without getting further: each time takes minutes.
	maxStalls = 2
)

// upload is one blob on its way to one repository.
type upload struct {
	blob     Blob
	repo     string
	endpoint *endpoint
	at       address
	session  *session
	done     Uploaded
	sent     atomic.Int64

	location *url.URL // nil if none is begun
	offset   int64    // what comes next
	unsure   bool     // how much arrived has to be asked
	chunk    int64
	whole    bool // in one piece, since this registry does not take chunks
	restarts int
	content  *content
	// disagreed: the registry and we were of two minds about the offset.
	disagreed bool
	// distrusted: what came of an attempt that went on was not the blob. Some registries tell
	// how much they have while they are still writing.
	distrusted bool
}

// part marks the context of the requests that carry a part of an upload.
type part struct{}

func isPart(req *http.Request) bool { return req.Context().Value(part{}) != nil }

// errGone ends an attempt whose upload the registry no longer knows or wants.
var errGone = errors.New("the registry gave up the upload")

// interrupted ends an attempt that the next one may go on with.
type interrupted struct{ err error }

func (i *interrupted) Error() string { return i.err.Error() }
func (i *interrupted) Unwrap() error { return i.err }

// send brings the blob there, over as many attempts as it takes while they come
// further.
func (u *upload) send(ctx context.Context) error {
	u.content = &content{blob: u.blob}
	failures, stalls, best := 0, 0, u.offset
	for {
		err := u.attempt(ctx)
		if err == nil {
			return nil
		}
		if errors.Is(err, errStalled) {
			stalls++
		}
		if u.offset >= best+further {
			failures, stalls, best = 0, 0, u.offset
		}
		failures++
		if ctx.Err() != nil || failures >= attempts || stalls >= maxStalls || !u.goesOn(err) {
			return err
		}
		if err := sleep(ctx, u.endpoint.backoff.pause(failures)); err != nil {
			return err
		}
	}
}

// goesOn tells whether another attempt makes sense, and prepares it.
func (u *upload) goesOn(err error) bool {
	if errors.Is(err, errGone) {
		u.distrusted = u.distrusted || kindOf(err) == Damaged
		u.forget()
		u.restarts++
		return u.restarts < restarts
	}
	u.unsure = true
	return errors.As(err, new(*interrupted))
}

// attempt sends what is missing and commits it. It holds places of the host.
func (u *upload) attempt(ctx context.Context) error {
	for _, places := range []chan struct{}{u.endpoint.limit.uploads, u.endpoint.limit.requests} {
		leave, err := take(ctx, places)
		if err != nil {
			return err
		}
		defer leave()
	}
	ctx, cancel := context.WithCancel(withPlace(ctx))
	defer u.content.close()
	defer cancel()
	if u.distrusted && u.unsure {
		u.forget()
	}
	if u.location != nil && u.unsure {
		if err := u.status(ctx); err != nil {
			if kind := kindOf(err); kind == Unreachable || kind == Limited || ctx.Err() != nil {
				return err
			}
			u.forget()
		}
	}
	if u.location == nil {
		if err := u.begin(ctx); err != nil {
			return err
		}
	}
	for u.offset < u.blob.Size {
		if err := u.patch(ctx); err != nil {
			return err
		}
	}
	return u.commit(ctx)
}

// patch sends the next part.
func (u *upload) patch(ctx context.Context) error {
	end := u.blob.Size
	if end-u.offset > u.chunk && !u.whole {
		end = u.offset + u.chunk
	}
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	if u.offset > 0 || end < u.blob.Size {
		header.Set("Content-Range", fmt.Sprintf("%d-%d", u.offset, end-1))
	}
	sending := u.content.part(ctx, u.offset, end, &u.sent)
	answered, err := u.session.finish(context.WithValue(ctx, part{}, true), request{
		method: http.MethodPatch, url: u.location, header: header, size: end - u.offset, body: sending.open,
	}, http.StatusAccepted, http.StatusCreated, http.StatusNoContent, http.StatusOK)
	if err != nil {
		return u.refused(err, end)
	}
	u.moved(answered)
	u.offset = end
	if got, ok := confirmed(answered); ok && got < end && got > 0 {
		u.offset = got // It took less, and tells.
	}
	u.remember()
	return nil
}

// refused looks at why a part was not taken.
func (u *upload) refused(err error, end int64) error {
	if cause := u.content.failure(); cause != nil {
		switch {
		case kindOf(cause) == Damaged:
			return fmt.Errorf("%w: %w", errGone, cause)
		case lasting(cause):
			return cause
		}
		return &interrupted{cause}
	}
	var status *transport.Error
	if !errors.As(err, &status) {
		if lasts(err) {
			return err
		}
		return &interrupted{err}
	}
	switch code := status.StatusCode; {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return err
	case code == http.StatusRequestedRangeNotSatisfiable && !u.disagreed:
		u.disagreed = true
		return &interrupted{err}
	case transient(err):
		return &interrupted{err}
	case code == http.StatusNotFound, code == http.StatusGone:
		return fmt.Errorf("%w: %w", errGone, err)
	case end < u.blob.Size || u.offset > 0:
		u.whole = true // Some registries know no chunks.
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return err
}

// commit says that all is there. Whatever goes wrong with the answer, the blob
// itself tells whether it worked.
func (u *upload) commit(ctx context.Context) error {
	to := *u.location
	query := to.Query()
	query.Set("digest", u.blob.Digest.String())
	to.RawQuery = query.Encode()
	ctx, done := lingering(ctx)
	defer done()
	answered, err := u.session.finish(ctx, request{method: http.MethodPut, url: &to}, http.StatusCreated, http.StatusOK, http.StatusAccepted, http.StatusNoContent)
	if err == nil {
		if said := answered.header.Get("Docker-Content-Digest"); said != "" && said != u.blob.Digest.String() {
			// What a registry says is one thing, what it has another.
			if there, err := u.there(ctx); err != nil {
				return err
			} else if !there {
				return fmt.Errorf("%w: %w", errGone, damaged("it was stored with the digest %s", clean(errors.New(said))))
			}
		}
	} else {
		there, headErr := u.there(ctx)
		if headErr != nil {
			return headErr
		}
		if !there {
			return u.uncommitted(err)
		}
	}
	if u.blob.Unfinished != nil {
		u.blob.Unfinished.Remember(u.repo, u.blob.Digest, "")
	}
	return nil
}

// parting is how long an answer is waited for that makes a blob count as sent,
// when everything else is given up.
const parting = 3 * time.Second

// lingering is a context that outlives another by a moment.
func lingering(ctx context.Context) (context.Context, func()) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		_ = sleep(longer, parting)
		cancel(context.Cause(ctx))
	})
	return longer, func() {
		stop()
		cancel(nil)
	}
}

func (u *upload) uncommitted(err error) error {
	var status *transport.Error
	if transient(err) {
		return &interrupted{err}
	}
	if !errors.As(err, &status) || status.StatusCode == http.StatusUnauthorized || status.StatusCode == http.StatusForbidden {
		return err
	}
	return fmt.Errorf("%w: %w", errGone, &damage{err}) // Other content than the digest says, mostly.
}
