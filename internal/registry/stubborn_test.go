package registry_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/opencontainers/go-digest"
)

// stubborn is a registry's upload half, with the whims that real ones have. Its
// requests are written down as words: "PATCH 0-9", "PUT", "GET status".
type stubborn struct {
	web *httptest.Server

	// whims, set before the first request
	noChunks     bool   // a Content-Range is refused
	noStatus     bool   // how far an upload is cannot be asked
	leastChunk   string // OCI-Chunk-Min-Length
	mounts       int    // the status that a mount gets
	refuseDigest int    // so many PUTs are told that the digest is wrong
	elsewhere    string // uploads go to this host
	// interrupt ends the n-th PATCH, counting from 1, after so many of its bytes.
	interrupt func(patch int) (after int64, yes bool)
	faulty    sync.Mutex // not mu, which is held while an upload's body is read
	fault     func(w http.ResponseWriter, r *http.Request) bool

	mu      sync.Mutex
	asked   []string
	patches int
	begun   int
	parts   map[string][]byte
	blobs   map[string][]byte
}

func (s *stubborn) start(t *testing.T) *stubborn {
	t.Helper()
	s.parts, s.blobs = map[string][]byte{}, map[string][]byte{}
	s.web = httptest.NewServer(s)
	t.Cleanup(s.web.Close)
	return s
}

func (s *stubborn) addr() string { return s.web.Listener.Addr().String() }

func (s *stubborn) client() *registry.Client { return registry.New(s.options()) }

func (s *stubborn) options() registry.Options {
	return registry.Options{Keychain: authn.NewMultiKeychain(), Backoff: 1, Chunk: 100_000}
}

// blob is what is stored.
func (s *stubborn) blob(d digest.Digest) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blobs[d.String()]
}

// longest is how much of a blob an upload brought that is not finished.
func (s *stubborn) longest() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, part := range s.parts {
		n = max(n, len(part))
	}
	return n
}

// change changes its whims.
func (s *stubborn) change(to func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faulty.Lock()
	defer s.faulty.Unlock()
	to()
}

// said gives what was asked, without what every client asks.
func (s *stubborn) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := strings.Join(s.asked, ", ")
	s.asked = nil
	return text
}

func (s *stubborn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.faulty.Lock()
	fault := s.fault
	s.faulty.Unlock()
	if fault != nil && fault(w, r) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	switch {
	case r.URL.Path == "/v2/":
	case r.Method == http.MethodHead:
		s.say("HEAD")
		data, ok := s.blobs[id]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	case r.Method == http.MethodPost:
		s.post(w, r)
	case s.parts[id] == nil:
		s.say(r.Method + " unknown")
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodPatch:
		s.patch(w, r, id)
	case r.Method == http.MethodPut:
		s.put(w, r, id)
	default:
		s.say("GET status")
		if s.noStatus {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		s.where(w, id)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *stubborn) say(text string) { s.asked = append(s.asked, text) }

func (s *stubborn) where(w http.ResponseWriter, id string) {
	w.Header().Set("Range", fmt.Sprintf("0-%d", max(len(s.parts[id])-1, 0)))
	w.Header().Set("Location", s.elsewhere+"/v2/app/blobs/uploads/"+id)
}

func (s *stubborn) post(w http.ResponseWriter, r *http.Request) {
	if mount := r.URL.Query().Get("mount"); mount != "" {
		s.say("POST mount from " + r.URL.Query().Get("from"))
		if s.mounts != http.StatusAccepted {
			w.WriteHeader(s.mounts)
			return
		}
	} else {
		s.say("POST")
	}
	s.begun++
	id := fmt.Sprintf("u%d", s.begun)
	s.parts[id] = []byte{}
	s.where(w, id)
	if s.leastChunk != "" {
		w.Header().Set("OCI-Chunk-Min-Length", s.leastChunk)
	}
	w.WriteHeader(http.StatusAccepted)
}

func (s *stubborn) patch(w http.ResponseWriter, r *http.Request, id string) {
	span := r.Header.Get("Content-Range")
	s.say(strings.TrimSpace("PATCH " + span))
	from, _, _ := strings.Cut(span, "-")
	switch {
	case span != "" && s.noChunks:
		w.WriteHeader(http.StatusBadRequest)
		return
	case span != "" && from != strconv.Itoa(len(s.parts[id])), span == "" && len(s.parts[id]) > 0:
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return
	}
	s.patches++
	body := io.Reader(r.Body)
	after, interrupted := int64(0), false
	if s.interrupt != nil {
		if after, interrupted = s.interrupt(s.patches); interrupted {
			body = io.LimitReader(body, after)
		}
	}
	data, err := io.ReadAll(body)
	s.parts[id] = append(s.parts[id], data...)
	if interrupted || err != nil {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			conn.Close()
		}
		return
	}
	s.where(w, id)
	w.WriteHeader(http.StatusAccepted)
}

func (s *stubborn) put(w http.ResponseWriter, r *http.Request, id string) {
	s.say("PUT")
	wanted := r.URL.Query().Get("digest")
	if got := digest.FromBytes(s.parts[id]).String(); got != wanted || s.refuseDigest > 0 {
		s.refuseDigest--
		delete(s.parts, id)
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match uploaded content"}]}`)
		return
	}
	s.blobs[wanted] = s.parts[id]
	delete(s.parts, id)
	w.Header().Set("Docker-Content-Digest", wanted)
	w.WriteHeader(http.StatusCreated)
}

// content is a blob of random bytes.
type content struct {
	data []byte
	// opened counts, and first may damage what is opened first.
	opened int
	first  func([]byte) []byte
}

func newContent(size int) *content {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	return &content{data: data}
}

func (c *content) digest() digest.Digest { return digest.FromBytes(c.data) }

func (c *content) blob() registry.Blob {
	return registry.Blob{Digest: c.digest(), Size: int64(len(c.data)), Open: func(_ context.Context, offset int64) (io.ReadCloser, error) {
		c.opened++
		data := c.data
		if c.opened == 1 && c.first != nil {
			data = c.first(bytes.Clone(data))
		}
		return io.NopCloser(bytes.NewReader(data[offset:])), nil
	}}
}

// once is an interruption of the given PATCHes.
func once(after int64, patches ...int) func(int) (int64, bool) {
	return func(n int) (int64, bool) {
		for _, p := range patches {
			if p == n {
				return after, true
			}
		}
		return 0, false
	}
}

func within(t *testing.T, limit time.Duration) func() {
	start := time.Now()
	return func() {
		t.Helper()
		if took := time.Since(start); took > limit {
			t.Errorf("took %v", took)
		}
	}
}
