package registrytest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// exchange is one request on its way through the proxy.
type exchange struct {
	*Proxy
	w     http.ResponseWriter
	r     *http.Request
	q     request
	c     Config
	fault Fault
	part  *part // of an upload; nil for other requests
}

func (x *exchange) run() {
	switch {
	case statuses[x.fault] != 0:
		if x.fault == TooMany {
			x.w.Header().Set("Retry-After", strconv.Itoa(x.c.RetryAfter))
		}
		x.happened()
		fail(x.w, statuses[x.fault], "UNAVAILABLE")
	case x.fault == ResetBefore:
		x.happened()
		reset(x.w)
	case x.fault == Hang:
		x.happened()
		_, _ = io.Copy(io.Discard, x.r.Body)
		<-x.r.Context().Done()
	case x.fault == ExpiredToken:
		x.happened()
		x.expire()
	case x.q.class == Token:
		x.token()
	default:
		x.forward()
	}
}

func (x *exchange) happened() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.faults[x.fault]++
}

// forward asks the registry and passes its answer on.
func (x *exchange) forward() {
	if away := x.fault == Redirect || x.c.Redirects && x.q.class == BlobGet && !x.q.elsewhere; away && x.redirect() {
		return
	}
	response, err := x.ask(x.r.Method)
	switch {
	case x.fault == ResetRequest:
		if err == nil {
			_ = response.Body.Close()
		}
		x.happened()
		reset(x.w)
		return
	case err != nil:
		// The client has gone, or the registry has: not a fault that was ordered.
		fail(x.w, http.StatusBadGateway, "UNAVAILABLE")
		return
	}
	defer response.Body.Close()
	switch {
	case x.fault == AnswerLost:
		_, _ = io.Copy(io.Discard, response.Body)
		x.happened()
		reset(x.w)
	case x.fault == FalseMissing && response.StatusCode == http.StatusOK:
		x.happened()
		x.w.WriteHeader(http.StatusNotFound)
	default:
		x.answer(response)
	}
}

// ask sends the request on. Of a body, the registry gets as much as the fault lets it have.
func (x *exchange) ask(method string) (*http.Response, error) {
	out := x.r.Clone(x.r.Context())
	out.Method, out.URL, out.RequestURI = method, x.upstreamURL(x.r.URL), ""
	out.Header.Del("Connection")
	if x.c.Auth != nil {
		out.Header.Del("Authorization")
	}
	if x.q.elsewhere {
		out.URL.RawQuery = ""
		out.URL.Path = x.r.URL.Path[len(elsewherePath):]
	}
	if !x.q.hasBody {
		out.Body = http.NoBody
		return x.upstream.RoundTrip(out)
	}
	body := x.r.Body
	if isUpload(x.q.class) {
		body = x.receive(body, x.q, x.r.Header.Get("Content-Range"))
	}
	switch x.fault {
	case ResetRequest:
		body = x.half(body)
	case Drip:
		x.happened()
		body = io.NopCloser(&drip{from: body, size: x.r.ContentLength, over: x.c.DripFor})
	}
	out.Body = body
	return x.upstream.RoundTrip(out)
}

var errHalf = errors.New("the other half is not sent")

// half ends with an error in the middle.
func (x *exchange) half(body io.ReadCloser) io.ReadCloser {
	size := x.r.ContentLength
	if size < 0 {
		all, _ := io.ReadAll(io.LimitReader(body, 1<<20))
		body, size = io.NopCloser(bytes.NewReader(all)), int64(len(all))
	}
	return io.NopCloser(io.MultiReader(io.LimitReader(body, size/2), broken{}))
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errHalf }

// drip hands out a body in some twenty pieces.
type drip struct {
	from io.Reader
	size int64
	over time.Duration
}

func (d *drip) Read(into []byte) (int, error) {
	const pieces = 20
	time.Sleep(d.over / pieces)
	return d.from.Read(into[:min(int64(len(into)), max(1, d.size/pieces+1))])
}

// answer passes the registry's answer on, damaged as the fault says.
func (x *exchange) answer(response *http.Response) {
	header := x.w.Header()
	for key, values := range response.Header {
		header[key] = values
	}
	header.Del("Connection")
	if named := header.Get("Docker-Content-Digest"); x.fault == WrongDigest && named != "" {
		x.happened()
		header.Set("Docker-Content-Digest", digestOf([]byte(named)))
	}
	body, size := io.Reader(response.Body), response.ContentLength
	reads := x.r.Method == http.MethodGet && (x.q.class == BlobGet || x.q.class == ManifestGet)
	if reads && response.StatusCode < http.StatusMultipleChoices {
		if size < 0 {
			all, _ := io.ReadAll(body)
			body, size = bytes.NewReader(all), int64(len(all))
		}
		header.Set("Content-Length", strconv.FormatInt(size, 10))
		x.damaged(response.StatusCode, body, size)
		return
	}
	taken := x.confirm(response)
	x.w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(x.w, body)
	if taken != "" && x.gone() {
		x.withdraw(taken)
	}
}

// gone flushes the answer and says whether the client left before it could see it: one that means to keep the connection, and
// that closes it at once.
func (x *exchange) gone() bool {
	if x.r.Close {
		return false
	}
	x.w.(http.Flusher).Flush()
	select {
	case <-x.r.Context().Done():
		return true
	case <-time.After(2 * time.Millisecond):
		return false
	}
}

// damaged sends the bytes of a blob or a manifest.
func (x *exchange) damaged(status int, body io.Reader, size int64) {
	if size < 2 {
		x.fault = ""
	}
	send, ending := size, func() {}
	switch x.fault {
	case ResetResponse:
		send, ending = size/2, func() { reset(x.w) }
	case CutBody:
		send, ending = size/2, func() { hangUp(x.w, false) }
	case ShortBody:
		send = size / 2
		x.w.Header().Set("Content-Length", strconv.FormatInt(send, 10))
	case WrongBytes:
		body = io.MultiReader(io.LimitReader(body, size/2), &flip{from: body}, body)
	case Drip:
		body = &drip{from: body, size: size, over: x.c.DripFor}
	default:
		x.fault = ""
	}
	if x.fault != "" {
		x.happened()
	}
	x.w.WriteHeader(status)
	sent, _ := io.CopyN(x.w, body, send)
	x.sent(x.q.target, sent)
	if send < size && x.fault != ShortBody {
		x.w.(http.Flusher).Flush()
	}
	ending()
}

// flip is one byte of a body with a bit turned.
type flip struct {
	from io.Reader
	done bool
}

func (f *flip) Read(into []byte) (int, error) {
	if f.done {
		return 0, io.EOF
	}
	n, err := io.ReadFull(f.from, into[:1])
	into[0] ^= 1
	f.done = true
	return n, err
}
