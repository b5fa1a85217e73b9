// Package hubtest is a registry inside the test process. It answers under
// every name, docker.io too, counts what it is asked, and can be told to fail.
package hubtest

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/platform"
	"github.com/google/go-containerregistry/pkg/authn"
	server "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Server is a registry that lives as long as its test.
type Server struct {
	// Addr is its host:port on the loopback address.
	Addr string

	mu       sync.Mutex
	requests []string
	// fault may answer a request instead of the registry, and then returns true.
	fault func(w http.ResponseWriter, r *http.Request) bool
}

// New starts a registry.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{}
	inner := server.New(server.Logger(log.New(io.Discard, "", 0)))
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.Path)
		fault := s.fault
		s.mu.Unlock()
		if fault == nil || !fault(w, r) {
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(web.Close)
	s.Addr = web.Listener.Addr().String()
	return s
}

// Options make every registry name that is not loopback lead here: over plain
// http, without credentials, and impatiently.
func (s *Server) Options() registry.Options {
	yes := true
	return registry.Options{
		Hosts:    map[string]registry.Host{"docker.io": {HTTP: &yes}, "registry.example": {HTTP: &yes}},
		Keychain: authn.NewMultiKeychain(), // nobody's
		Backoff:  1,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if !strings.HasPrefix(address, "127.0.0.1:") {
				address = s.Addr
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
}

// Client is a new client of the registry; it keeps nothing on disk.
func (s *Server) Client() *registry.Client { return registry.New(s.Options()) }

// Fault sets what may answer instead of the registry: it returns true if it did.
func (s *Server) Fault(fault func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// Requests gives the requests so far, sorted, and forgets them.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.requests
	s.requests = nil
	slices.Sort(list)
	return list
}

// Push puts a reference there: an index with one image for each platform, or
// with a single platform just that image. A platform can be written
// "linux/arm64=linux/amd64": listed as the first, while its config says the second.
func (s *Server) Push(t testing.TB, ref string, platforms ...string) v1.Hash {
	t.Helper()
	if len(platforms) == 1 {
		_, config := split(platforms[0])
		return s.Put(t, ref, Image(t, config))
	}
	return s.Put(t, ref, Index(t, platforms...))
}

// Index makes an index that lists an image for each platform.
func Index(t testing.TB, platforms ...string) v1.ImageIndex {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range platforms {
		listed, config := split(p)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: Image(t, config), Descriptor: v1.Descriptor{Platform: oci(listed)},
		})
	}
	return index
}

func split(p string) (listed, config string) {
	listed, config, found := strings.Cut(p, "=")
	if !found {
		config = listed
	}
	return listed, config
}

// Image makes an image of one random layer for a platform, with an ONBUILD. A
// platform such as "linux/arm/" has no variant in its config.
func Image(t testing.TB, p string) v1.Image {
	t.Helper()
	image, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	at := oci(strings.TrimSuffix(p, "/"))
	file.OS, file.Architecture, file.Variant = at.OS, at.Architecture, at.Variant
	if strings.HasSuffix(p, "/") {
		file.Variant = ""
	}
	file.Config.OnBuild = []string{"COPY --from=debian:12 /etc/os-release /"}
	if image, err = mutate.ConfigFile(image, file); err != nil {
		t.Fatal(err)
	}
	return mutate.ConfigMediaType(mutate.MediaType(image, types.OCIManifestSchema1), types.OCIConfigJSON)
}

func oci(p string) *v1.Platform {
	if p == "unknown/unknown" {
		return &v1.Platform{OS: "unknown", Architecture: "unknown"}
	}
	at := platform.MustParse(p)
	return &v1.Platform{OS: at.OS, Architecture: at.Arch, Variant: at.Variant, OSVersion: at.OSVersion}
}

// Put uploads an image or an index.
func (s *Server) Put(t testing.TB, ref string, what interface {
	Digest() (v1.Hash, error)
	RawManifest() ([]byte, error)
}) v1.Hash {
	t.Helper()
	if err := s.Client().Push(context.Background(), ref, what); err != nil {
		t.Fatal(fmt.Errorf("filling the registry: %w", err))
	}
	s.Requests()
	digest, err := what.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}
