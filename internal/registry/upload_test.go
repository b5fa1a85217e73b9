package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
)

func TestUploadsToRegistriesWithWhims(t *testing.T) {
	for _, c := range []struct {
		why    string
		size   int
		server *stubborn
		want   string // what was asked
		sent   int64  // bytes beyond the blob's own
	}{
		{"a small blob is streamed in one piece", 100_000, &stubborn{}, "HEAD, POST, PATCH, PUT", 0},
		{"an empty one needs no piece", 0, &stubborn{}, "HEAD, POST, PUT", 0},
		{"a large one goes in chunks", 250_000, &stubborn{}, "HEAD, POST, PATCH 0-99999, PATCH 100000-199999, PATCH 200000-249999, PUT", 0},
		{"in larger ones where the registry wants that", 250_000, &stubborn{leastChunk: "150000"}, "HEAD, POST, PATCH 0-149999, PATCH 150000-249999, PUT", 0},
		{
			"a registry that knows no chunks gets it in one piece", 250_000, &stubborn{noChunks: true},
			"HEAD, POST, PATCH 0-99999, POST, PATCH, PUT", 100_000,
		},
		{
			"after an interruption the rest is sent", 90_000, &stubborn{interrupt: once(60_000, 1)},
			"HEAD, POST, PATCH, GET status, PATCH 60000-89999, PUT", 30_000,
		},
		{
			"also within chunks, and again", 250_000, &stubborn{interrupt: once(70_000, 2, 3)},
			"HEAD, POST, PATCH 0-99999, PATCH 100000-199999, GET status, PATCH 170000-249999, GET status, PATCH 240000-249999, PUT", 40_000,
		},
		{
			"where that cannot be asked it is begun again", 90_000, &stubborn{interrupt: once(60_000, 1), noStatus: true},
			"HEAD, POST, PATCH, GET status, POST, PATCH, PUT", 90_000,
		},
		{
			"a registry that says that the digest is wrong gets it again", 90_000, &stubborn{refuseDigest: 2},
			"HEAD, POST, PATCH, PUT, HEAD, POST, PATCH, PUT, HEAD, POST, PATCH, PUT", 180_000,
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			s, what := c.server.start(t), newContent(c.size)
			done, err := s.client().Upload(t.Context(), s.addr()+"/app", what.blob())
			if err != nil || !bytes.Equal(s.blob(what.digest()), what.data) {
				t.Fatal("not arrived:", err)
			}
			if diff := cmp.Diff(c.want, s.said()); diff != "" {
				t.Error(diff)
			}
			// What was on its way when the connection broke counts, and is between nothing and all of it.
			if more := done.Sent - int64(c.size); done.Way != registry.Sent || more < 0 || more > c.sent {
				t.Errorf("%+v, at most %d more", done, c.sent)
			}
		})
	}
}

func TestBlobsAreMountedBeforeTheyAreSent(t *testing.T) {
	for _, c := range []struct {
		why    string
		status int
		from   string
		there  bool
		want   string
		way    registry.Way
	}{
		{"the registry takes it over", http.StatusCreated, "base", false, "POST mount from base", registry.Mounted},
		{"or begins an upload, which is used", http.StatusAccepted, "base", false, "POST mount from base, HEAD, PATCH, PUT", registry.Sent},
		{"unless the blob is there", http.StatusAccepted, "base", true, "POST mount from base, HEAD", registry.There},
		{"or knows no mounting", http.StatusMethodNotAllowed, "base", false, "POST mount from base, HEAD, POST, PATCH, PUT", registry.Sent},
		{"or allows none", http.StatusForbidden, "base", false, "POST mount from base, HEAD, POST, PATCH, PUT", registry.Sent},
		{"nothing is mounted from another registry", http.StatusCreated, "other.example/base", false, "HEAD, POST, PATCH, PUT", registry.Sent},
		{"a repository is asked a second time by mounting from itself", http.StatusCreated, "app", false, "POST mount from app", registry.Mounted},
	} {
		t.Run(c.why, func(t *testing.T) {
			s, what := (&stubborn{mounts: c.status}).start(t), newContent(1000)
			if c.there {
				s.blobs[what.digest().String()] = what.data
			}
			blob := what.blob()
			if blob.From = c.from; !strings.Contains(c.from, "/") {
				blob.From = s.addr() + "/" + c.from
			}
			done, err := s.client().Upload(t.Context(), s.addr()+"/app", blob)
			if err != nil || done.Way != c.way {
				t.Error(done, err)
			}
			if diff := cmp.Diff(c.want, s.said()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnUploadGoesOnInTheNextRun(t *testing.T) {
	what, remembered := newContent(350_000), &journal{}
	s := (&stubborn{interrupt: func(n int) (int64, bool) { return 50_000, n >= 3 && n < 8 }}).start(t)
	blob := what.blob()
	blob.Unfinished = remembered
	lost := s.options()
	ctx, cancel := context.WithCancel(t.Context())
	s.fault = func(_ http.ResponseWriter, _ *http.Request) bool {
		s.change(func() {
			if s.patches == 3 { // The run ends in the middle of the third part.
				cancel()
			}
		})
		return false
	}
	if _, err := registry.New(lost).Upload(ctx, s.addr()+"/app", blob); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	s.change(func() { s.interrupt, s.fault = nil, nil })
	s.said()
	done, err := s.client().Upload(t.Context(), s.addr()+"/app", blob)
	if err != nil || done.Resumed != 250_000 || done.Sent != 100_000 || s.begun != 1 {
		t.Errorf("%+v, %d begun: %v", done, s.begun, err)
	}
	if diff := cmp.Diff("HEAD, GET status, PATCH 250000-349999, PUT", s.said()); diff != "" {
		t.Error(diff)
	}
	if at := remembered.Location(s.addr()+"/app", what.digest()); at != "" {
		t.Errorf("%s is remembered after all is done", at)
	}
	// What is remembered of an upload that the registry forgot does no harm.
	s.change(func() { s.blobs = map[string][]byte{} })
	for _, at := range []string{s.web.URL + "/v2/app/blobs/uploads/u1", "/etc/passwd", "::", "https://127.0.0.1:1/"} {
		remembered.Remember(s.addr()+"/app", what.digest(), at)
		if done, err := s.client().Upload(t.Context(), s.addr()+"/app", blob); err != nil || done.Resumed != 0 {
			t.Errorf("%s: %+v, %v", at, done, err)
		}
		s.change(func() { s.blobs = map[string][]byte{} })
	}
}

func TestContentThatIsNotWhatItSays(t *testing.T) {
	flip := func(data []byte) []byte { data[1000] ^= 1; return data }
	for _, c := range []struct {
		why   string
		first func([]byte) []byte
		lasts bool
		want  string
	}{
		{"a damaged source is read again", flip, false, ""},
		{"so is one that is too short", func(d []byte) []byte { return d[:len(d)-1] }, false, ""},
		{"and one that is too long", func(d []byte) []byte { return append(d, 1) }, false, ""},
		{"if it stays damaged that is an error", flip, true, "the digest of the content does not match"},
		{"or stays too long", func(d []byte) []byte { return append(d, 1) }, true, "longer than"},
		{"or too short", func(d []byte) []byte { return d[:len(d)-1] }, true, "unexpected EOF"},
	} {
		t.Run(c.why, func(t *testing.T) {
			s, what := (&stubborn{}).start(t), newContent(150_000)
			blob := what.blob()
			n := 0
			blob.Open = func(_ context.Context, offset int64) (io.ReadCloser, error) {
				data := bytes.Clone(what.data)
				if n++; n == 1 || c.lasts {
					data = c.first(data)
				}
				return io.NopCloser(bytes.NewReader(data[offset:])), nil
			}
			_, err := s.client().Upload(t.Context(), s.addr()+"/app", blob)
			if c.want == "" {
				if err != nil || !bytes.Equal(s.blob(what.digest()), what.data) {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || s.blob(what.digest()) != nil {
				t.Error(err)
			}
			if n := s.longest(); n >= len(what.data) {
				t.Errorf("an upload is complete: %d bytes", n)
			}
		})
	}
}

func TestBlobsThatAreNone(t *testing.T) {
	s := (&stubborn{}).start(t)
	what := newContent(10)
	s.blobs[what.digest().String()] = []byte("short")
	for why, change := range map[string]func(*registry.Blob){
		"a path as digest":          func(b *registry.Blob) { b.Digest = "sha256:../../x" },
		"a negative size":           func(b *registry.Blob) { b.Size = -1 },
		"a size that is not so":     func(*registry.Blob) {},
		"a file that is not there":  func(b *registry.Blob) { b.Digest, b.Open = digest.FromString("x"), missing },
		"an unreadable source name": func(b *registry.Blob) { b.From = "UPPER CASE" },
	} {
		blob := what.blob()
		change(&blob)
		_, err := s.client().Upload(t.Context(), s.addr()+"/app", blob)
		var typed *registry.Error
		if !errors.As(err, &typed) {
			t.Errorf("%s: %v", why, err)
		}
	}
}

func missing(context.Context, int64) (io.ReadCloser, error) { return nil, os.ErrNotExist }

// A token that ends in the middle is changed, also in the middle of an upload.
func TestTokensAreRenewed(t *testing.T) {
	s, what := (&stubborn{}).start(t), newContent(350_000)
	tokens, good := 0, ""
	patches := 0
	var mu sync.Mutex
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/token" {
			if user, password, _ := r.BasicAuth(); user != "user" || password != "pass" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			tokens++
			good = fmt.Sprintf("token%d", tokens)
			fmt.Fprintf(w, `{"token":%q}`, good)
			return
		}
		if r.Method == http.MethodPatch {
			if patches++; patches%2 == 0 {
				good = "" // It ends just now.
			}
		}
		if r.Header.Get("Authorization") != "Bearer "+good || good == "" {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="x"`, r.Host))
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.ServeHTTP(w, r)
	}))
	defer front.Close()
	opts := s.options()
	opts.Keychain = keychain{"pass"}
	addr := front.Listener.Addr().String()
	done, err := registry.New(opts).Upload(t.Context(), addr+"/app", what.blob())
	if err != nil || !bytes.Equal(s.blob(what.digest()), what.data) {
		t.Error(err)
	}
	if tokens < 3 || done.Way != registry.Sent {
		t.Errorf("%d tokens, %+v", tokens, done)
	}
}
