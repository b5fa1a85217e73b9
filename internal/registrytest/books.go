package registrytest

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
)

// Counts is what a [Proxy] has seen since it was started, or since [Proxy.Forget].
type Counts struct {
	// Requests by class. Those that met a fault count too.
	Requests map[Class]int
	// Faults that happened.
	Faults map[Fault]int
	// Challenges are the 401 for want of a good token, Refused the connections that were reset because the proxy was down.
	Challenges, Refused int
	// Peak is how many requests were under way at once.
	Peak int
	// Received and Sent are the bytes of blobs by digest, from clients and to them. What an upload brought counts
	// once it is known of which blob it was part.
	Received, Sent map[string]int64
	// Confirmed are the blobs, as REPO@DIGEST, whose 201 reached a client, whether it had uploaded or mounted them. Forget does not forget them.
	Confirmed []string
	// Resent are the bytes of blobs, by REPO@DIGEST, that were sent after that blob was confirmed. It should be empty.
	Resent map[string]int64
	// Uploads are all that were begun, in that order.
	Uploads []Upload
	// Leaks are the requests that showed the registry's credentials to another host.
	Leaks []string
	// Impatient are the requests, by method and path, that came before the time that Retry-After had asked for.
	Impatient []string
}

// Upload is a session that a registry opened for a blob.
type Upload struct {
	Repo string
	// Digest is what it was to become; empty if the client never said so.
	Digest string
	// Received counts all bytes that came; Confirmed is the offset that the registry told the client last; Again are the bytes sent below it.
	Received, Confirmed, Again int64
	// Done says that the client saw the 201.
	Done bool
}

// books is what is counted; all of it is under the proxy's lock.
type books struct {
	requests            map[Class]int
	faults              map[Fault]int
	challenges, refused int
	atOnce, peak, clock int
	down                map[string]int64
	confirmed           map[string]int // the clock at that time
	sessions            map[string]*session
	order               []*session
	leaks, impatient    []string
}

// session is an upload as the registry sees it.
type session struct {
	Upload
	parts []*part
	// sum is the hash of all bytes as they came: the blob's, if it came in one go.
	sum hash.Hash
}

// part is what one request brought.
type part struct {
	session  *session
	clock    int
	from     int64 // offset; confirmed offset if the client did not say
	received int64
}

func newBooks() books {
	return books{
		requests: map[Class]int{}, faults: map[Fault]int{}, down: map[string]int64{},
		confirmed: map[string]int{}, sessions: map[string]*session{},
	}
}

// Counts gives what was counted so far.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := Counts{
		Requests: maps.Clone(p.requests), Faults: maps.Clone(p.faults), Challenges: p.challenges, Refused: p.refused, Peak: p.peak,
		Received: map[string]int64{}, Sent: maps.Clone(p.down), Confirmed: slices.Sorted(maps.Keys(p.confirmed)),
		Resent: map[string]int64{}, Leaks: slices.Clone(p.leaks), Impatient: slices.Clone(p.impatient),
	}
	for _, s := range p.order {
		c.Uploads = append(c.Uploads, s.Upload)
		digest := s.digest()
		c.Received[digest] += s.Received
		at, known := p.confirmed[s.Repo+"@"+digest]
		for _, part := range s.parts {
			if known && part.clock > at && part.received > 0 {
				c.Resent[s.Repo+"@"+digest] += part.received
			}
		}
	}
	return c
}

// digest is what the upload was to become, or what its bytes are so far.
func (s *session) digest() string {
	if s.Digest != "" {
		return s.Digest
	}
	return fmt.Sprintf("sha256:%x", s.sum.Sum(nil))
}

// Forget sets all counts to zero, but remembers which blobs are confirmed.
func (p *Proxy) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh := newBooks()
	fresh.confirmed, fresh.clock, fresh.atOnce = p.confirmed, p.clock, p.atOnce
	for id, s := range p.sessions {
		fresh.sessions[id] = &session{Upload: Upload{Repo: s.Repo, Digest: s.Digest, Confirmed: s.Confirmed, Done: s.Done}, sum: s.sum}
	}
	p.books = fresh
}

func (p *Proxy) leaked(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaks = append(p.leaks, text)
}

func (p *Proxy) sent(digest string, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down[digest] += n
}

func isUpload(c Class) bool { return c == UploadPost || c == UploadPatch || c == UploadPut }

// receive enters what is read from a body as a part of the request's upload.
func (x *exchange) receive(body io.ReadCloser, q request, contentRange string) io.ReadCloser {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.session(q.session, q.repo)
	x.clock++
	x.part = &part{session: s, clock: x.clock, from: s.Confirmed}
	if q.class == UploadPut || q.class == UploadPost {
		s.Digest = q.target
	}
	var to int64
	if _, err := fmt.Sscanf(strings.TrimPrefix(contentRange, "bytes "), "%d-%d", &x.part.from, &to); err != nil {
		x.part.from = s.Confirmed
	}
	s.parts = append(s.parts, x.part)
	return &entering{ReadCloser: body, proxy: x.Proxy, part: x.part}
}

// session is the one with an id, which is empty for a POST that brings the whole blob. The caller holds the lock.
func (p *Proxy) session(id, repo string) *session {
	if s := p.sessions[id]; s != nil && id != "" {
		if !slices.Contains(p.order, s) {
			p.order = append(p.order, s)
		}
		return s
	}
	s := &session{Upload: Upload{Repo: repo}, sum: sha256.New()}
	p.sessions[id] = s
	p.order = append(p.order, s)
	return s
}

// entering counts while it is read.
type entering struct {
	io.ReadCloser
	proxy *Proxy
	part  *part
}

func (e *entering) Read(into []byte) (int, error) {
	n, err := e.ReadCloser.Read(into)
	e.proxy.mu.Lock()
	defer e.proxy.mu.Unlock()
	s, at := e.part.session, e.part.from+e.part.received
	s.Again += min(int64(n), max(0, s.Confirmed-at))
	s.Received += int64(n)
	e.part.received += int64(n)
	_, _ = s.sum.Write(into[:n])
	return n, err
}

// confirm enters what an answer tells the client, just before it is sent. It returns the key of a blob that it confirms.
func (x *exchange) confirm(response *http.Response) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	created := response.StatusCode == http.StatusCreated
	switch x.q.class {
	case UploadPost, UploadPatch, UploadGet, UploadPut, Mount:
	case BlobDelete:
		if response.StatusCode == http.StatusAccepted {
			delete(x.confirmed, x.q.repo+"@"+x.q.target)
		}
		return ""
	default:
		return ""
	}
	if created && x.q.target != "" {
		return x.done()
	}
	if response.StatusCode == http.StatusAccepted || response.StatusCode == http.StatusNoContent {
		x.offset(response.Header)
	}
	return ""
}

// done enters a 201.
func (x *exchange) done() string {
	key := x.q.repo + "@" + x.q.target
	if x.q.class == UploadPut {
		s := x.session(x.q.session, x.q.repo)
		s.Digest, s.Done = x.q.target, true
	} else if x.part != nil {
		x.part.session.Done = true
	}
	if _, known := x.confirmed[key]; known {
		return ""
	}
	x.clock++
	x.confirmed[key] = x.clock
	return key
}

// offset enters how far an upload is.
func (x *exchange) offset(header http.Header) {
	at, _, _ := strings.Cut(header.Get("Location"), "?")
	id := path.Base(at)
	if at == "" {
		id = x.q.session
	}
	s := x.session(id, x.q.repo)
	var from, to int64
	if _, err := fmt.Sscanf(strings.TrimPrefix(header.Get("Range"), "bytes="), "%d-%d", &from, &to); err == nil && (to > 0 || s.Received > 0) {
		s.Confirmed = to + 1
	}
}

func (p *Proxy) withdraw(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.confirmed, key)
}
