package registrytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	memory "github.com/google/go-containerregistry/pkg/registry"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// Kind is a registry's make.
type Kind string

const (
	// Memory is go-containerregistry's, inside the test process. It holds blobs once for all repositories, does not mount,
	// and cannot be asked how far an upload is.
	Memory Kind = "memory"
	// Debian is Debian's docker-registry 2.8: it answers 404 for an index that the Accept header does not name.
	Debian Kind = "debian"
	// Distribution is distribution v3.1, from bin/registry: it refuses an index whose children are not there.
	Distribution Kind = "distribution"
)

// Kinds is all of them, for the rows of a table.
var Kinds = []Kind{Memory, Debian, Distribution}

// Registry is an empty registry that lives as long as its test. It wants no credentials and allows deleting.
type Registry struct {
	Kind Kind
	// Addr is its host:port on the loopback interface; it speaks plain http.
	Addr string

	model *Model
	wire  *Wire
}

// On is the model as a registry for a proxy that is reached by the wire alone.
func (m *Model) On(wire *Wire) *Registry { return &Registry{Kind: "model", model: m, wire: wire} }

// Start starts a registry with a storage of its own. Where its program is missing the test is skipped, or with CI=true fails.
func Start(t testing.TB, kind Kind) *Registry {
	t.Helper()
	if kind == Memory {
		return startMemory(t)
	}
	ctx := context.WithoutCancel(t.Context())
	program, err := program(ctx, kind)
	if err != nil {
		missing(t, fmt.Errorf("the registry %q is missing: %w", kind, err))
	}
	dir, err := os.MkdirTemp("", "archbuild-registry-")
	if err != nil {
		t.Fatal(err)
	}
	addr, stop, err := fixtures.StartRegistry(ctx, program, dir)
	if err != nil {
		t.Fatal(errors.Join(err, os.RemoveAll(dir)))
	}
	t.Cleanup(func() {
		stop()
		if err := os.RemoveAll(dir); err != nil { // stop waits only so long for a large storage to go.
			t.Error(err)
		}
	})
	return &Registry{Kind: kind, Addr: addr}
}

func startMemory(t testing.TB) *Registry {
	web := httptest.NewServer(buffered(memory.New(memory.Logger(log.New(io.Discard, "", 0)), memory.WithReferrersSupport(true))))
	t.Cleanup(web.Close)
	return &Registry{Kind: Memory, Addr: web.Listener.Addr().String()}
}

// buffered hands requests on when their bodies are there. The registry of go-containerregistry reads them under a lock, so that one
// slow client would stop all others, and it takes half a manifest under the digest of the whole; no real registry does either.
func buffered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(data))
		next.ServeHTTP(w, r)
	})
}

func missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

func program(ctx context.Context, kind Kind) (string, error) {
	if kind == Debian {
		return fixtures.RegistryProgram(ctx)
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	file := filepath.Join(root, "bin", "registry")
	if _, err := os.Stat(file); err != nil {
		return "", fmt.Errorf("%w (make bin/registry)", err)
	}
	return file, nil
}

// moduleRoot is the folder of go.mod above the test's package.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir, nil
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		err = errors.New("no go.mod above the test's folder")
	}
	return "", err
}
