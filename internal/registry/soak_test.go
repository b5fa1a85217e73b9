package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/registry"
	world "github.com/archbuild/archbuild/internal/registrytest"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// journal is an Unfinished in memory.
type journal struct{ sync.Map }

func (j *journal) Location(repo string, d digest.Digest) string {
	at, _ := j.Load(repo + "@" + d.String())
	text, _ := at.(string)
	return text
}

func (j *journal) Remember(repo string, d digest.Digest, location string) {
	j.Store(repo+"@"+d.String(), location)
}

func TestBlobsArriveWholeHoweverBadTheDay(t *testing.T) {
	content := world.Index(world.Options{Platforms: []string{"linux/amd64", "linux/arm64", "linux/s390x"}, Layers: []int{300_000, 2_000_000}, Seed: 7})
	for _, kind := range world.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			r := world.Start(t, kind)
			content.Push(t, r.Addr, "from", "1")
			faults := map[world.Fault]int{}
			failed := 0
			for seed := range uint64(10) {
				p := world.NewProxy(t, r, world.Config{
					Seed: seed, Rates: world.Rates(0.01), Auth: &world.Auth{User: "user", Password: "secret"}, DripFor: 50 * time.Millisecond,
				})
				to := fmt.Sprintf("to%d", seed)
				bad := copyAll(t, p, content, to)
				failed += bad
				if bad == 0 {
					look(t, r.Addr+"/v2/"+to, content)
				}
				counts := p.Counts()
				for fault, n := range counts.Faults {
					faults[fault] += n
				}
				if len(counts.Leaks)+len(counts.Impatient) > 0 || counts.Peak > 6 {
					t.Errorf("leaks %q, impatient %q, %d at once", counts.Leaks, counts.Impatient, counts.Peak)
				}
				for repo, n := range counts.Resent {
					t.Errorf("%s: %d bytes after it was confirmed", repo, n)
				}
			}
			t.Logf("%d runs failed; faults: %v", failed, faults)
			if failed > 3 {
				t.Errorf("%d of 10 runs failed", failed)
			}
		})
	}
}

// copyAll copies every blob of a repository within one registry, three at a
// time, and returns 1 if that failed.
func copyAll(t *testing.T, p *world.Proxy, content *world.Content, to string) (failed int) {
	random := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	c := registry.New(registry.Options{
		Keychain: keychain{"secret"}, Backoff: 2 * time.Millisecond, Chunk: 600_000, Concurrency: 3, Stall: 5 * time.Second,
		Random: func() float64 {
			mu.Lock()
			defer mu.Unlock()
			return random.Float64()
		},
	})
	var wait sync.WaitGroup
	errs := make(chan error, len(content.Blobs))
	for d, data := range content.Blobs {
		wait.Go(func() {
			_, err := c.Upload(t.Context(), p.Addr+"/"+to, blobFrom(c, p.Addr+"/from", digest.Digest(d), int64(len(data))))
			if err != nil {
				errs <- err
			}
		})
	}
	wait.Wait()
	close(errs)
	for err := range errs {
		t.Logf("%s: %v", to, err)
		var typed *registry.Error
		if !errors.As(err, &typed) {
			t.Errorf("not typed: %#v", err)
		}
		failed = 1
	}
	return failed
}

// look reads what arrived, by HTTP alone.
func look(t *testing.T, repo string, content *world.Content) {
	for d, data := range content.Blobs {
		resp, err := http.Get("http://" + repo + "/blobs/" + d)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s arrived as %d bytes, %v", d, len(got), err)
		}
	}
}

// blobFrom is a blob that is read from another repository.
func blobFrom(c *registry.Client, repo string, d digest.Digest, size int64) registry.Blob {
	return registry.Blob{Digest: d, Size: size, Unfinished: &journal{}, Open: func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		return c.OpenBlob(ctx, repo, ocispecs.Descriptor{Digest: d, Size: size}, offset)
	}}
}
