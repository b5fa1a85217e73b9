package registry_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/registry/hubtest"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// serve is a server for the length of a test; it greets by itself.
func serve(t *testing.T, answer http.HandlerFunc) (addr string) {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			answer(w, r)
		}
	}))
	t.Cleanup(web.Close)
	return web.Listener.Addr().String()
}

func impatient() registry.Options {
	return registry.Options{Keychain: authn.NewMultiKeychain(), Backoff: 1, Stall: 100 * time.Millisecond, MinRate: 10_000}
}

func hangUp(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.Close()
	}
}

// some sends a part of what is asked for, with the headers of all of it.
func some(w http.ResponseWriter, r *http.Request, data []byte, n int) {
	first, last := 0, len(data)-1
	status := http.StatusOK
	if span := r.Header.Get("Range"); span != "" {
		_, _ = fmt.Sscanf(span, "bytes=%d-%d", &first, &last)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(data)))
		status = http.StatusPartialContent
	}
	w.Header().Set("Content-Length", strconv.Itoa(last+1-first))
	w.WriteHeader(status)
	_, _ = w.Write(data[first:min(first+n, last+1)])
	_ = http.NewResponseController(w).Flush()
}

func TestBlobsAreReadOnAfterFailures(t *testing.T) {
	large := newContent(3_000_000).data
	lie := func(w http.ResponseWriter, text string) {
		w.Header().Set("Content-Range", text)
		w.WriteHeader(http.StatusPartialContent)
	}
	for _, c := range []struct {
		why    string
		answer func(w http.ResponseWriter, r *http.Request, n int32)
		offset int64
		want   string
	}{
		{"in one go", func(w http.ResponseWriter, r *http.Request, _ int32) { some(w, r, large, len(large)) }, 0, ""},
		{"from an offset", func(w http.ResponseWriter, r *http.Request, _ int32) { some(w, r, large, len(large)) }, 2_999_999, ""},
		{"at the end there is nothing to ask for", func(w http.ResponseWriter, _ *http.Request, _ int32) { w.WriteHeader(http.StatusTeapot) }, 3_000_000, ""},
		{"the connection is lost again and again", func(w http.ResponseWriter, r *http.Request, _ int32) {
			some(w, r, large, 400_000)
			hangUp(w)
		}, 0, ""},
		{"it stands still", func(w http.ResponseWriter, r *http.Request, _ int32) {
			some(w, r, large, 1_000_000)
			select {
			case <-r.Context().Done():
			case <-time.After(time.Second):
			}
		}, 0, ""},
		{"it drips", func(w http.ResponseWriter, r *http.Request, n int32) {
			if n > 1 {
				some(w, r, large, len(large))
				return
			}
			some(w, r, large, 1_000_000)
			for i := 1_000_000; r.Context().Err() == nil; i++ {
				_, _ = w.Write(large[i : i+1])
				_ = http.NewResponseController(w).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		}, 0, ""},
		{"no answer comes", func(w http.ResponseWriter, r *http.Request, n int32) {
			if n == 1 {
				<-r.Context().Done()
				return
			}
			some(w, r, large, len(large))
		}, 0, ""},
		{"the server knows no ranges", func(w http.ResponseWriter, r *http.Request, n int32) {
			r.Header.Del("Range")
			some(w, r, large, int(n)*1_000_000)
			hangUp(w)
		}, 0, ""},
		{"a damaged one is an error at the end", func(w http.ResponseWriter, r *http.Request, _ int32) {
			damaged := bytes.Clone(large)
			damaged[5] ^= 1
			some(w, r, damaged, len(large))
		}, 0, "the digest of the blob does not match"},
		{"one of another size is refused", func(w http.ResponseWriter, r *http.Request, _ int32) {
			some(w, r, large[:2_000_000], 2_000_000)
		}, 0, "the answer has 2000000 bytes, not 3000000"},
		{"one without end is ended", func(w http.ResponseWriter, r *http.Request, _ int32) {
			_, _ = w.Write(large)
			for r.Context().Err() == nil {
				_, _ = w.Write(make([]byte, 4096))
			}
		}, 0, "longer than 3000000 bytes"},
		{"another part is not taken for the one asked for", func(w http.ResponseWriter, _ *http.Request, _ int32) { lie(w, "bytes 0-9/10") }, 100, "the answer is for"},
		{"it is not there", func(w http.ResponseWriter, _ *http.Request, _ int32) { w.WriteHeader(http.StatusNotFound) }, 0, "does not exist"},
		{"it never comes further", func(w http.ResponseWriter, r *http.Request, n int32) {
			some(w, r, large, 10)
			hangUp(w)
		}, 0, "cannot reach"},
	} {
		t.Run(c.why, func(t *testing.T) {
			defer within(t, 20*time.Second)()
			var n atomic.Int32
			addr := serve(t, func(w http.ResponseWriter, r *http.Request) { c.answer(w, r, n.Add(1)) })
			desc := ocispecs.Descriptor{Digest: digest.FromBytes(large), Size: int64(len(large))}
			var got []byte
			body, err := registry.New(impatient()).OpenBlob(t.Context(), addr+"/x", desc, c.offset)
			if err == nil {
				got, err = io.ReadAll(body)
				body.Close()
			}
			if int64(len(got)) > desc.Size {
				t.Errorf("%d bytes", len(got))
			}
			if c.want == "" && (err != nil || !bytes.Equal(got, large[c.offset:])) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestManifestsAndSmallBlobsAreAskedForAgainWhenTheyComeDamaged(t *testing.T) {
	whole := []byte(`{"schemaVersion":2,"mediaType":"` + image + `","config":` + conf + `,"layers":[]}`)
	d := digest.FromBytes(whole)
	for _, c := range []struct {
		why   string
		write func(w http.ResponseWriter)
	}{
		{"cut short", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", strconv.Itoa(len(whole)))
			_, _ = w.Write(whole[:20])
		}},
		{"short by its own word", func(w http.ResponseWriter) { _, _ = w.Write(whole[:20]) }},
		{"of other bytes", func(w http.ResponseWriter) { _, _ = w.Write(bytes.ToUpper(whole)) }},
		{"not at all", hangUp},
	} {
		for _, lasts := range []bool{false, true} {
			var n atomic.Int32
			addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Docker-Content-Digest", d.String())
				w.Header().Set("Content-Type", image)
				if n.Add(1) <= 2 || lasts {
					c.write(w)
					return
				}
				_, _ = w.Write(whole)
			})
			client := registry.New(impatient())
			for _, ref := range []string{addr + "/x:1", addr + "/x@" + d.String()} {
				n.Store(0)
				desc, data, err := client.Fetch(t.Context(), ref)
				if good := err == nil && bytes.Equal(data, whole) && desc.Digest == d && desc.MediaType == image; good == lasts {
					t.Errorf("%s, lasting %v: %s: %+v %v", c.why, lasts, ref, desc, err)
				}
			}
			n.Store(0)
			body, err := client.OpenBlob(t.Context(), addr+"/x", ocispecs.Descriptor{Digest: d, Size: int64(len(whole))}, 0)
			if (err != nil) != lasts {
				t.Errorf("%s, lasting %v: the blob: %v", c.why, lasts, err)
			}
			if err == nil {
				body.Close()
			}
			if n := n.Load(); n > 6 {
				t.Errorf("%s: asked %d times", c.why, n)
			}
		}
	}
}

func TestHugeManifestsCostNoMemory(t *testing.T) {
	for why, length := range map[string]string{"by its own word": "104857600", "and says nothing of it": ""} {
		addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", image)
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			for range 1600 {
				if _, err := w.Write(bytes.Repeat([]byte(" "), 64<<10)); err != nil {
					return
				}
			}
		})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := registry.New(impatient()).Fetch(t.Context(), addr+"/x:1")
		runtime.ReadMemStats(&after)
		var typed *registry.Error
		if !errors.As(err, &typed) || typed.Kind != registry.Invalid || !strings.Contains(err.Error(), "larger than 4 MiB") {
			t.Errorf("100 MB %s: %v", why, err)
		}
		if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 40 {
			t.Errorf("100 MB %s: %d MiB allocated", why, used)
		}
	}
}

func TestBlobsThatAreThere(t *testing.T) {
	s := hubtest.New(t)
	c := s.Client()
	what := newContent(1234)
	if _, err := c.Upload(t.Context(), "registry.example/app", what.blob()); err != nil {
		t.Fatal(err)
	}
	if size, there, err := c.HasBlob(t.Context(), "registry.example/app", what.digest()); size != 1234 || !there || err != nil {
		t.Error(size, there, err)
	}
	if _, there, err := c.HasBlob(t.Context(), "registry.example/app", digest.FromString("none")); there || err != nil {
		t.Error(there, err)
	}
	if _, _, err := c.HasBlob(t.Context(), "registry.example/app", "sha256:../x"); err == nil {
		t.Error("a path is asked for")
	}
	done, err := c.Upload(t.Context(), "registry.example/app", what.blob())
	if err != nil || done != (registry.Uploaded{Way: registry.There}) {
		t.Errorf("%+v, %v", done, err)
	}
	body, err := c.OpenBlob(t.Context(), "registry.example/app", ocispecs.Descriptor{Digest: what.digest(), Size: 1234}, 34)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, what.data[34:]) {
		t.Error(len(got), err)
	}
	body.Close()
	if _, err := body.Read(make([]byte, 1)); err == nil {
		t.Error("a closed blob is read")
	}
}

func TestTagsAreTakenBack(t *testing.T) {
	for _, c := range []struct {
		status int
		kind   registry.Kind
	}{
		{http.StatusAccepted, ""}, {http.StatusNotFound, ""}, {http.StatusMethodNotAllowed, registry.Unsupported},
		{http.StatusBadRequest, registry.Unsupported}, {http.StatusForbidden, registry.Unauthorized}, {http.StatusBadGateway, registry.Unreachable},
	} {
		addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodDelete || r.URL.Path != "/v2/app/manifests/new" {
				t.Errorf("%s %s", r.Method, r.URL)
			}
			w.WriteHeader(c.status)
		})
		err := registry.New(impatient()).DeleteTag(t.Context(), addr+"/app:new")
		var typed *registry.Error
		if errors.As(err, &typed) && typed.Kind != c.kind || (err == nil) != (c.kind == "") {
			t.Errorf("%d: %v", c.status, err)
		}
	}
	if err := registry.New(impatient()).DeleteTag(t.Context(), "localhost:1/app@"+digest.FromString("x").String()); err == nil {
		t.Error("a digest is taken back")
	}
}
