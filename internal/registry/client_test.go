package registry_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/registry/hubtest"
	"github.com/archbuild/archbuild/resolve"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"
)

func TestImageListsWhatAReferenceOffers(t *testing.T) {
	s := hubtest.New(t)
	s.Push(t, "debian:12", "linux/amd64", "linux/arm64", "linux/arm/v6", "unknown/unknown")
	s.Push(t, "single:1", "linux/s390x")
	c := s.Client()
	for ref, want := range map[string]string{
		"debian:12":                   "linux/amd64 linux/arm64 linux/arm/v6",
		"docker.io/library/debian:12": "linux/amd64 linux/arm64 linux/arm/v6",
		"index.docker.io/debian:12":   "linux/amd64 linux/arm64 linux/arm/v6",
		"docker.io/single:1":          "linux/s390x",
	} {
		image, err := c.Image(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if got := offers(image); got != want || image.Index != (strings.Contains(want, " ")) {
			t.Errorf("%s offers %s, index %v", ref, got, image.Index)
		}
		pinned, err := c.Image(t.Context(), strings.TrimSuffix(strings.TrimSuffix(ref, ":12"), ":1")+"@"+image.Digest)
		if diff := cmp.Diff(image, pinned); diff != "" || err != nil {
			t.Errorf("by digest: %s %v", diff, err)
		}
	}
}

func offers(image resolve.Image) string {
	var words []string
	for _, o := range image.Offers {
		words = append(words, o.Platform.String())
	}
	return strings.Join(words, " ")
}

func TestASecondRunCostsOneHeadPerTag(t *testing.T) {
	s := hubtest.New(t)
	s.Push(t, "registry.example/a:1", "linux/amd64", "linux/arm64")
	s.Push(t, "registry.example/b:1", "linux/amd64")
	opts := s.Options()
	opts.CacheDir = t.TempDir()
	run := func() {
		c := registry.New(opts)
		for _, ref := range []string{"registry.example/a:1", "registry.example/b:1"} {
			image, err := c.Image(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range image.Offers {
				if _, err := c.Config(t.Context(), ref, o.Digest); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	run()
	s.Requests()
	run()
	if diff := cmp.Diff([]string{"GET /v2/", "HEAD /v2/a/manifests/1", "HEAD /v2/b/manifests/1"}, s.Requests()); diff != "" {
		t.Error(diff)
	}
	damage(t, opts.CacheDir)
	run()
	// Hello, two tags, an index, three images and their configs.
	if n := len(s.Requests()); n != 1+2+1+3+3 {
		t.Errorf("a damaged cache leads to %d requests", n)
	}
	run()
	if n := len(s.Requests()); n != 3 {
		t.Errorf("the cache was not repaired: %d requests", n)
	}
}

func TestASecondFetchCostsOneHead(t *testing.T) {
	s := hubtest.New(t)
	first := s.Push(t, "registry.example/a:1", "linux/amd64", "linux/arm64")
	opts := s.Options()
	opts.CacheDir = t.TempDir()
	fetch := func(want v1.Hash, requests ...string) {
		t.Helper()
		s.Requests()
		desc, data, err := registry.New(opts).Fetch(t.Context(), "registry.example/a:1")
		if err != nil || desc.Digest.String() != want.String() || digest.FromBytes(data) != desc.Digest || desc.Size != int64(len(data)) {
			t.Errorf("%v, %d bytes, %v", desc, len(data), err)
		}
		if diff := cmp.Diff(append([]string{"GET /v2/"}, requests...), s.Requests()); diff != "" {
			t.Error(diff)
		}
	}
	const get, head = "GET /v2/a/manifests/1", "HEAD /v2/a/manifests/1"
	fetch(first, get)
	fetch(first, head)
	second := s.Push(t, "registry.example/a:1", "linux/arm64")
	fetch(second, get, head) // Sorted.
	fetch(second, head)
	damage(t, opts.CacheDir)
	fetch(second, get)
}

// damage changes every file of a cache.
func damage(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return os.WriteFile(path, []byte(`{"schemaVersion":2}`), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAQuestionIsAskedOnceHoweverManyAsk(t *testing.T) {
	s := hubtest.New(t)
	s.Push(t, "debian:12", "linux/amd64", "linux/arm64")
	c := s.Client()
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			if _, err := c.Image(t.Context(), "debian:12"); err != nil {
				t.Error(err)
			}
			if _, err := c.Image(t.Context(), "debian:none"); !resolve.IsNotFound(err) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if got := s.Requests(); len(got) != 4 {
		t.Errorf("%q", got)
	}
}

func TestWhoeverGivesUpDoesNotTakeOthersAlong(t *testing.T) {
	s := hubtest.New(t)
	s.Push(t, "debian:12", "linux/amd64")
	c := s.Client()
	var started atomic.Int32
	s.Fault(func(_ http.ResponseWriter, r *http.Request) bool {
		if started.Add(1) == 1 {
			<-r.Context().Done()
			return true
		}
		return false
	})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := c.Image(ctx, "debian:12")
		first <- err
	}()
	for started.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	second := make(chan error)
	go func() {
		_, err := c.Image(t.Context(), "debian:12")
		second <- err
	}()
	time.Sleep(20 * time.Millisecond)
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := <-second; err != nil {
		t.Error(err)
	}
}

func TestMirrorsAreAskedInOrderThenTheRegistry(t *testing.T) {
	origin, one, two := hubtest.New(t), hubtest.New(t), hubtest.New(t)
	origin.Push(t, "debian:origin", "linux/amd64")
	one.Push(t, one.Addr+"/library/debian:one", "linux/amd64")
	two.Push(t, two.Addr+"/sub/path/library/debian:two", "linux/amd64")
	opts := origin.Options()
	host := opts.Hosts["docker.io"]
	host.Mirrors = []string{one.Addr, "http://" + two.Addr + "/sub/path/"}
	opts.Hosts["docker.io"] = host
	namespaces := ""
	two.Fault(func(_ http.ResponseWriter, r *http.Request) bool {
		namespaces += r.URL.Query().Get("ns") + " "
		return false
	})
	c := registry.New(opts)
	for _, tag := range []string{"one", "two", "origin"} {
		if _, err := c.Image(t.Context(), "debian:"+tag); err != nil {
			t.Errorf("%s: %v", tag, err)
		}
	}
	if _, err := c.Image(t.Context(), "debian:nowhere"); !resolve.IsNotFound(err) {
		t.Error(err)
	}
	for _, request := range origin.Requests() {
		if strings.Contains(request, "manifests/one") || strings.Contains(request, "manifests/two") {
			t.Errorf("the registry was asked for what a mirror has: %s", request)
		}
	}
	if !strings.Contains(namespaces, "docker.io") {
		t.Errorf("the mirror is told %q", namespaces)
	}
	origin.Fault(broken)
	_, err := registry.New(opts).Image(t.Context(), "debian:nowhere")
	want := "cannot reach docker.io for debian:nowhere: 500 Internal Server Error (mirror " + one.Addr + ": not found; mirror " + two.Addr + ": not found)"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	origin.Fault(nil)
	one.Fault(broken)
	two.Fault(broken)
	if _, err := registry.New(opts).Image(t.Context(), "debian:origin"); err != nil {
		t.Errorf("broken mirrors stop the registry from being asked: %v", err)
	}
	if desc, err := c.Head(t.Context(), "debian:one"); !resolve.IsNotFound(err) {
		t.Errorf("Head asks mirrors: %v %v", desc, err)
	}
}

func broken(w http.ResponseWriter, _ *http.Request) bool {
	w.WriteHeader(http.StatusInternalServerError)
	return true
}

func TestPassingFailuresAreRepeated(t *testing.T) {
	for _, c := range []struct {
		why   string
		fault func(w http.ResponseWriter)
	}{
		{"too many requests", func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) }},
		{"with a pause asked for", func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		}},
		{"a request timeout", func(w http.ResponseWriter) { w.WriteHeader(http.StatusRequestTimeout) }},
		{"a server error", func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }},
		{"a lost connection", func(w http.ResponseWriter) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				conn.Close()
			}
		}},
	} {
		t.Run(c.why, func(t *testing.T) {
			s := hubtest.New(t)
			s.Push(t, "debian:12", "linux/amd64")
			seen := sync.Map{}
			s.Fault(func(w http.ResponseWriter, r *http.Request) bool {
				n, _ := seen.LoadOrStore(r.Method+r.URL.Path, new(atomic.Int32))
				if n.(*atomic.Int32).Add(1) <= 2 {
					c.fault(w)
					return true
				}
				return false
			})
			if _, err := s.Client().Image(t.Context(), "debian:12"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAPauseAskedForIsKept(t *testing.T) {
	s := hubtest.New(t)
	s.Push(t, "debian:12", "linux/amd64")
	var n atomic.Int32
	s.Fault(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead && n.Add(1) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		return false
	})
	start := time.Now()
	if _, err := s.Client().Image(t.Context(), "debian:12"); err != nil || time.Since(start) < time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}

func TestErrorsSayWhatHappenedAndWhatToDo(t *testing.T) {
	secret := "hunter2"
	for _, c := range []struct {
		why   string
		fault func(w http.ResponseWriter, r *http.Request) bool
		kind  registry.Kind
		want  string
		hint  string
	}{
		{"it is not there", nil, registry.NotFound, "debian:none does not exist in docker.io", "check the name"},
		{"credentials are wanted", func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"errors":[{"code":"DENIED","message":"access denied\u001b[31m"}]}`)
			return true
		}, registry.Unauthorized, "docker.io refuses access to debian:none: 401 Unauthorized", "docker login docker.io"},
		{"too many requests, come back tomorrow", func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "86400")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}, registry.Limited, "docker.io answers no more requests for now", "mirror"},
		{"server errors", broken, registry.Unreachable, "cannot reach docker.io for debian:none: 500 Internal Server Error", "check the network"},
		{"a redirect to signed storage that fails", func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/v2/library") {
				http.Redirect(w, r, "http://user:"+secret+"@storage.example/x?sig="+secret, http.StatusTemporaryRedirect)
				return true
			}
			if r.Host == "storage.example" {
				if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
					conn.Close()
				}
				return true
			}
			return false
		}, registry.Unreachable, "cannot reach docker.io", "network"},
	} {
		t.Run(c.why, func(t *testing.T) {
			s := hubtest.New(t)
			s.Push(t, "debian:12", "linux/amd64")
			s.Fault(c.fault)
			opts := s.Options()
			opts.Keychain = keychain{secret}
			start := time.Now()
			_, err := registry.New(opts).Image(t.Context(), "debian:none")
			var typed *registry.Error
			if !errors.As(err, &typed) || typed.Kind != c.kind || !strings.Contains(err.Error(), c.want) || !strings.Contains(typed.Hint(), c.hint) {
				t.Fatalf("got %v", err)
			}
			if text := err.Error() + typed.Hint() + fmt.Sprintf("%+v", err); strings.Contains(text, secret) || strings.ContainsRune(text, 27) {
				t.Errorf("%q", text)
			}
			if time.Since(start) > 20*time.Second {
				t.Errorf("took %v", time.Since(start))
			}
		})
	}
}

type keychain struct{ password string }

func (k keychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: "user", Password: k.password}, nil
}
