package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

const (
	// maxWait is the longest pause a registry can ask for by Retry-After.
	maxWait = 30 * time.Second
	// attempts is how often something is tried at most without getting further.
	attempts = 5
)

// passingStatus are answers that may be others a moment later.
var passingStatus = []int{
	http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
	http.StatusServiceUnavailable, http.StatusGatewayTimeout, 522,
}

// backoff gives the pauses between repetitions: each three times as long as the
// one before, shortened or lengthened by up to a half, so that many who failed
// together do not come back together.
type backoff struct {
	first  time.Duration
	random func() float64 // in [0, 1)
}

// pause comes after the given number of failures in a row, counted from 1.
func (b backoff) pause(failures int) time.Duration {
	d := b.first
	for range min(failures, 10) - 1 {
		d *= 3
	}
	random := b.random
	if random == nil {
		random = rand.Float64
	}
	return min(d/2+time.Duration(random()*float64(d)), maxWait)
}

// again does something several times while it fails in a way that may pass.
func (b backoff) again(ctx context.Context, do func() error) error {
	for failures := 1; ; failures++ {
		err := do()
		if err == nil || ctx.Err() != nil || failures == attempts || !worthAnother(err) {
			return err
		}
		if err := sleep(ctx, b.pause(failures)); err != nil {
			return err
		}
	}
}

// worthAnother tells whether something that read a body may succeed when done
// anew. Requests that got no good answer were repeated already, by repeat.
func worthAnother(err error) bool {
	if errors.As(err, new(gaveUp)) || errors.As(err, new(*transport.Error)) || lasting(err) {
		return false
	}
	var known *Error
	return errors.As(err, &known) && known.Kind == Damaged || errors.As(err, new(*damage)) || transient(err)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// repeat makes a request again after failures that pass by themselves. The
// parts of an upload are left alone: how much of one arrived has to be asked.
type repeat struct {
	next    http.RoundTripper
	backoff backoff
}

func (r *repeat) RoundTrip(req *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		// Also the first time: whoever repeats it above (a token that expired) hands in a body that was read.
		again, err := rewind(req)
		if err != nil {
			return nil, err
		}
		resp, err := r.next.RoundTrip(again)
		wait, more := r.verdict(resp, err, try)
		if !more || !rewindable(req) || req.Context().Err() != nil || isPart(req) {
			if err != nil && transient(err) && !isPart(req) {
				err = gaveUp{err}
			}
			return resp, err
		}
		if resp != nil {
			discard(resp)
		}
		if err := sleep(req.Context(), wait); err != nil {
			return nil, err
		}
	}
}

// discard ends an answer that nobody wants to read.
func discard(resp *http.Response) {
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	resp.Body.Close()
}

// verdict says whether to try again, and after which pause.
func (r *repeat) verdict(resp *http.Response, err error, try int) (time.Duration, bool) {
	pause := r.backoff.pause(try)
	if err != nil {
		limit := attempts
		dial := new(net.OpError)
		if dns := new(net.DNSError); errors.As(err, &dns) || errors.As(err, &dial) && dial.Op == "dial" || errors.Is(err, errStalled) {
			limit = 2 // Mostly there to stay, no network, no server; or it has taken long enough.
		}
		return pause, try < limit && transient(err)
	}
	if !slices.Contains(passingStatus, resp.StatusCode) {
		return 0, false
	}
	asked := retryAfter(resp.Header)
	return max(pause, asked), try < attempts && asked <= maxWait
}

// retryAfter reads the header: seconds or a date.
func retryAfter(header http.Header) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), 1<<20)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

func rewindable(req *http.Request) bool {
	return req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
}

// rewind gives a request a fresh body, if it has one that can be had again.
func rewind(req *http.Request) (*http.Request, error) {
	again := req.Clone(req.Context())
	if req.GetBody == nil || req.Body == nil || req.Body == http.NoBody {
		return again, nil
	}
	req.Body.Close()
	body, err := req.GetBody()
	again.Body = body
	return again, err
}

// transient tells whether an error may not happen again: an answer that asks
// for patience, or whatever goes wrong on the wire and is not known to last.
func transient(err error) bool {
	var status *transport.Error
	if errors.As(err, &status) {
		return slices.Contains(passingStatus, status.StatusCode)
	}
	return errors.As(err, new(*wireError)) && !lasts(err)
}

// retried tells go-containerregistry whether an upload is worth another try.
// Requests were repeated already, below.
func retried(err error) bool {
	return !errors.As(err, new(gaveUp)) && !errors.As(err, new(*transport.Error)) && transient(err)
}

// lasts tells whether an error of a connection will be the same next time.
func lasts(err error) bool {
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, http.ErrSchemeMismatch), errors.Is(err, errTooLarge),
		errors.As(err, new(*refusal)), errors.As(err, new(*forbidden)),
		errors.As(err, new(*tls.CertificateVerificationError)), errors.As(err, new(x509.UnknownAuthorityError)),
		errors.As(err, new(x509.HostnameError)), errors.As(err, new(x509.CertificateInvalidError)):
		return true
	case errors.As(err, &dns):
		return dns.IsNotFound || dns.IsTimeout || !dns.IsTemporary
	}
	return false
}
