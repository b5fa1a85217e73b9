package manifest_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/manifest"
)

// server is a registry in this process that writes down its requests, and may
// fail some.
type server struct {
	host string

	mu       sync.Mutex
	requests []string
	// fail answers a request with a status other than 0; n counts from 1.
	fail func(n int, r *http.Request) int
}

func newServer(t testing.TB) *server {
	s := &server{}
	inner := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)), ggcr.WithBlobHandler(ggcr.NewInMemoryBlobHandler()), ggcr.WithReferrersSupport(true))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.record(r) {
			inner.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(srv.Close)
	s.host = strings.TrimPrefix(srv.URL, "http://")
	return s
}

func (s *server) record(r *http.Request) (serve bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/v2/" {
		return true
	}
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	return s.fail == nil || s.fail(len(s.requests), r) == 0
}

// take gives the requests since the last call.
func (s *server) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.requests
	s.requests = nil
	return taken
}

func count(requests []string, start string) int {
	n := 0
	for _, r := range requests {
		if strings.HasPrefix(r, start) {
			n++
		}
	}
	return n
}

func client() *registry.Client { return registry.New(registry.Options{Backoff: time.Millisecond}) }

func TestPushOrder(t *testing.T) {
	s, srv := newStore(t), newServer(t)
	x := s.assemble(nil, s.result(amd64, s.attested(amd64, "a")), s.result(arm64, s.simple(arm64, "b")))
	got, err := x.Push(t.Context(), client(), []string{srv.host + "/app:1", srv.host + "/app:2", srv.host + "/copy:1", srv.host + "/app:1"}, manifest.PushOptions{})
	if err != nil {
		t.Fatal(err)
	}
	digest := x.Descriptor.Digest.String()
	want := []manifest.Tag{{Name: srv.host + "/app:1", State: "moved"}, {Name: srv.host + "/app:2", State: "moved"}, {Name: srv.host + "/copy:1", State: "moved"}}
	if diff := cmp.Diff(want, got.Tags); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{srv.host + "/app@" + digest, srv.host + "/copy@" + digest}, got.References); diff != "" {
		t.Error(diff)
	}
	var puts []string
	for _, r := range srv.take() {
		switch method, path, _ := strings.Cut(r, " "); {
		case method != "PUT":
		case strings.Contains(path, "/blobs/"):
			puts = append(puts, "blob")
		case strings.HasSuffix(path, digest):
			puts = append(puts, "index")
		case strings.Contains(path, "sha256:"):
			puts = append(puts, "manifest")
		default:
			puts = append(puts, "tag")
		}
	}
	// Six blobs: two configs, two layers, the attestation's config and content.
	// Each manifest follows its own blobs, so the two kinds may alternate.
	first := slices.Sorted(slices.Values(puts[:9]))
	if diff := cmp.Diff("blob blob blob blob blob blob manifest manifest manifest index", strings.Join(append(first, puts[9]), " ")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("tag tag tag", strings.Join(puts[len(puts)-3:], " ")); diff != "" {
		t.Error(diff)
	}
	if n := strings.Count(strings.Join(puts[10:], " "), "blob"); n != 0 {
		t.Errorf("%d blobs were sent again to the second repository, not mounted", n)
	}
	if got.Manifests != 6 || got.Blobs != 6 || got.Sent == 0 {
		t.Errorf("told %+v", got)
	}
}

func TestPushingAgainSendsNothing(t *testing.T) {
	s, srv := newStore(t), newServer(t)
	x := s.two()
	names := []string{srv.host + "/app:1", srv.host + "/app:2"}
	if _, err := x.Push(t.Context(), client(), names, manifest.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	srv.take()
	again, err := x.Push(t.Context(), client(), names, manifest.PushOptions{})
	if err != nil {
		t.Fatal(err)
	}
	requests := srv.take()
	// One HEAD for each manifest, the index and each tag.
	if len(requests) != 5 || count(requests, "HEAD") != 5 {
		t.Errorf("requests: %s", strings.Join(requests, "\n"))
	}
	digest := x.Descriptor.Digest
	want := manifest.Pushed{
		Tags:       []manifest.Tag{{Name: names[0], State: "unchanged", Before: digest}, {Name: names[1], State: "unchanged", Before: digest}},
		References: []string{srv.host + "/app@" + digest.String()},
	}
	if diff := cmp.Diff(want, again); diff != "" {
		t.Error(diff)
	}
}

func TestPushSendsWhatIsNewOnly(t *testing.T) {
	s, srv := newStore(t), newServer(t)
	names := []string{srv.host + "/app:1"}
	old := s.two()
	if _, err := old.Push(t.Context(), client(), names, manifest.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	srv.take()
	x := s.assemble(nil, old.Results[0], s.result(arm64, s.simple(arm64, "new")))
	got, err := x.Push(t.Context(), client(), names, manifest.PushOptions{})
	if err != nil {
		t.Fatal(err)
	}
	requests := srv.take()
	if n := count(requests, "PUT /v2/app/blobs/"); n != 2 || got.Blobs != 2 || got.Manifests != 1 {
		t.Errorf("%d blobs were sent, told %+v", n, got)
	}
	if diff := cmp.Diff([]manifest.Tag{{Name: names[0], State: "moved", Before: old.Descriptor.Digest}}, got.Tags); diff != "" {
		t.Error(diff)
	}
}

func TestPushByDigest(t *testing.T) {
	s, srv := newStore(t), newServer(t)
	x := s.two()
	got, err := x.Push(t.Context(), client(), []string{srv.host + "/app"}, manifest.PushOptions{ByDigest: true})
	if err != nil || len(got.Tags) != 0 || len(got.References) != 1 {
		t.Fatal(got, err)
	}
	var e *manifest.NameError
	if _, err := x.Push(t.Context(), client(), []string{srv.host + "/app:1"}, manifest.PushOptions{ByDigest: true}); !errors.As(err, &e) {
		t.Errorf("a tag by digest: %v", err)
	}
	if _, err := x.Push(t.Context(), client(), nil, manifest.PushOptions{}); !errors.As(err, &e) {
		t.Errorf("nowhere to push: %v", err)
	}
	if _, err := client().Head(t.Context(), srv.host+"/app:latest"); err == nil {
		t.Error("a tag was pushed")
	}
}

// TestAFailedPushMovesNoTag fails every n-th request, n = 1, 2, 3 …, for good.
func TestAFailedPushMovesNoTag(t *testing.T) {
	s := newStore(t)
	old := s.assemble(nil, s.result(amd64, s.simple(amd64, "old")))
	x := s.assemble(nil, s.result(amd64, s.attested(amd64, "a")), s.result(arm64, s.simple(arm64, "b")))
	for n := 1; ; n++ {
		srv := newServer(t)
		names := []string{srv.host + "/app:1", srv.host + "/app:2"}
		if _, err := old.Push(t.Context(), client(), names, manifest.PushOptions{}); err != nil {
			t.Fatal(err)
		}
		srv.take()
		srv.fail = func(i int, _ *http.Request) int {
			if i == n {
				return http.StatusForbidden
			}
			return 0
		}
		got, err := x.Push(t.Context(), client(), names, manifest.PushOptions{})
		reached := len(srv.take()) >= n
		if err == nil && reached && n > 1 {
			t.Logf("request %d may fail", n)
		}
		checkTags(t, srv, n, names, got, old, x, err)
		if !reached {
			if err != nil {
				t.Errorf("nothing failed, but %v", err)
			}
			return
		}
	}
}

// checkTags: without an error every tag names the new image, with one every tag
// names the old; what Pushed says is true, and what a tag names is there as a whole.
func checkTags(t *testing.T, srv *server, n int, names []string, got manifest.Pushed, old, x manifest.Index, err error) {
	t.Helper()
	srv.fail = nil
	want := x
	if err != nil {
		want = old
	}
	for i, name := range names {
		now, headErr := client().Head(t.Context(), name)
		if headErr != nil {
			t.Fatal(headErr)
		}
		if now.Digest != want.Descriptor.Digest {
			t.Errorf("request %d failed: %s names %s after error %v", n, name, now.Digest, err)
		}
		if moved := len(got.Tags) > i && got.Tags[i].State == manifest.TagMoved; moved != (err == nil) {
			t.Errorf("request %d failed: told %+v after error %v", n, got.Tags, err)
		}
	}
	if err != nil {
		return
	}
	for _, m := range append([]ocispec.Descriptor{x.Results[0].Descriptor, x.Results[1].Descriptor}, x.Results[0].Attestations...) {
		if _, err := client().Head(t.Context(), srv.host+"/app@"+m.Digest.String()); err != nil {
			t.Errorf("request %d failed: the tags moved, but %v", n, err)
		}
	}
}

func TestATagThatSomebodyElseMovesIsReported(t *testing.T) {
	s, srv := newStore(t), newServer(t)
	x, other := s.two(), s.assemble(nil, s.result(amd64, s.simple(amd64, "other")))
	if _, err := other.Push(t.Context(), client(), []string{srv.host + "/app:other"}, manifest.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	srv.take()
	name := srv.host + "/app:1"
	heads := 0
	srv.fail = func(_ int, r *http.Request) int {
		// The second look at the tag comes after ours was written: be faster.
		if r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, "/manifests/1") {
			if heads++; heads == 2 {
				srv.mu.Unlock()
				defer srv.mu.Lock()
				if _, err := client().PutManifest(t.Context(), name, other.Bytes, other.Descriptor.MediaType); err != nil {
					t.Error(err)
				}
			}
		}
		return 0
	}
	got, err := x.Push(t.Context(), client(), []string{name}, manifest.PushOptions{})
	var lost *manifest.TagError
	if !errors.As(err, &lost) || lost.Got != other.Descriptor.Digest || got.Tags[0].State != manifest.TagFailed {
		t.Fatalf("told %+v, error %v", got, err)
	}
	hintOf(t, lost)
}

func TestTagsMoveTogetherOrNotAtAll(t *testing.T) {
	s, srv := newStore(t), newServer(t)
	old := s.assemble(nil, s.result(amd64, s.simple(amd64, "old")))
	if _, err := old.Push(t.Context(), client(), []string{srv.host + "/app:2"}, manifest.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	srv.fail = func(_ int, r *http.Request) int {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifests/3") {
			return http.StatusForbidden
		}
		return 0
	}
	var names []string
	for i := 1; i <= 4; i++ {
		names = append(names, fmt.Sprintf("%s/app:%d", srv.host, i))
	}
	got, err := s.two().Push(t.Context(), client(), names, manifest.PushOptions{})
	if err == nil || !strings.Contains(err.Error(), "app:3") {
		t.Errorf("error is %v", err)
	}
	var states []string
	for _, tag := range got.Tags {
		states = append(states, string(tag.State))
	}
	if diff := cmp.Diff("kept kept failed kept", strings.Join(states, " ")); diff != "" {
		t.Error(diff)
	}
	srv.fail = nil
	if now, err := client().Head(t.Context(), names[1]); err != nil || now.Digest != old.Descriptor.Digest {
		t.Errorf("%s names %s (%v), not what it named before", names[1], now.Digest, err)
	}
	for _, name := range []string{names[0], names[2], names[3]} {
		if now, err := client().Head(t.Context(), name); err == nil {
			t.Errorf("%s, which was new, names %s", name, now.Digest)
		}
	}
}

func TestATagMovesOnlyFromWhereItShould(t *testing.T) {
	s, srv := newStore(t), newServer(t)
	first, second := s.assemble(nil, s.result(amd64, s.simple(amd64, "first"))), s.two()
	names := []string{srv.host + "/app:1"}
	if _, err := first.Push(t.Context(), client(), names, manifest.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	var refused *manifest.MatchError
	got, err := second.Push(t.Context(), client(), append(names, srv.host+"/app:2"), manifest.PushOptions{IfMatch: second.Descriptor.Digest})
	if !errors.As(err, &refused) || refused.Got != first.Descriptor.Digest || got.Tags[0].State != manifest.TagFailed || got.Tags[1].State != manifest.TagKept {
		t.Fatalf("told %+v, error %v", got, err)
	}
	hintOf(t, refused)
	if _, err := client().Head(t.Context(), srv.host+"/app:2"); err == nil {
		t.Error("the other tag moved")
	}
	if _, err := second.Push(t.Context(), client(), names, manifest.PushOptions{IfMatch: first.Descriptor.Digest}); err != nil {
		t.Error(err)
	}
	// It is there now, so whatever was expected is no matter.
	if _, err := second.Push(t.Context(), client(), names, manifest.PushOptions{IfMatch: first.Descriptor.Digest}); err != nil {
		t.Error(err)
	}
}

func TestChildTags(t *testing.T) {
	s, srv := newStore(t), newServer(t)
	x := s.assemble(nil, s.result(amd64, s.simple(amd64, "a")), s.result(armV7, s.simple(armV7, "b")))
	got, err := x.Push(t.Context(), client(), []string{srv.host + "/app:1.2"}, manifest.PushOptions{ChildTags: "{tag}-{arch}{variant}"})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Tags) != 3 {
		t.Fatalf("told %+v", got.Tags)
	}
	for i, tag := range []string{"1.2-amd64", "1.2-armv7"} {
		if now, err := client().Head(t.Context(), srv.host+"/app:"+tag); err != nil || now.Digest != x.Results[i].Descriptor.Digest {
			t.Errorf("%s names %s (%v)", tag, now.Digest, err)
		}
	}
	for pattern, problem := range map[string]string{"{tag}-{cpu}": "{cpu}", "{tag}/{arch}": "no tag", "{tag}": "two images"} {
		var e *manifest.ChildTagError
		if _, err := x.Push(t.Context(), client(), []string{srv.host + "/app:1.2"}, manifest.PushOptions{ChildTags: pattern}); !errors.As(err, &e) || !strings.Contains(e.Problem, problem) {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}
