package registry_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"crypto/sha256"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// endless is layers that cost no memory: the same block again and again.
type endless struct {
	size int64
	mu   sync.Mutex
	sums map[string]hash.Hash
	got  map[string]int64
}

func (e *endless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	switch r.Method {
	case http.MethodGet:
		w.Header().Set("Content-Length", strconv.FormatInt(e.size, 10))
		block := make([]byte, 64<<10)
		for left := e.size; left > 0; left -= int64(len(block)) {
			if _, err := w.Write(block[:min(left, int64(len(block)))]); err != nil {
				return
			}
		}
	case http.MethodHead:
		w.WriteHeader(http.StatusNotFound)
	case http.MethodPost:
		e.mu.Lock()
		id = fmt.Sprint("u", len(e.sums))
		e.sums[id] = sha256.New()
		e.mu.Unlock()
		w.Header().Set("Location", "/v2/to/blobs/uploads/"+id)
		w.WriteHeader(http.StatusAccepted)
	case http.MethodPatch:
		e.mu.Lock()
		sum := e.sums[id]
		e.mu.Unlock()
		n, err := io.Copy(sum, r.Body)
		e.mu.Lock()
		e.got[id] += n
		w.Header().Set("Range", fmt.Sprintf("0-%d", e.got[id]-1))
		e.mu.Unlock()
		if err == nil {
			w.WriteHeader(http.StatusAccepted)
		}
	case http.MethodPut:
		e.mu.Lock()
		defer e.mu.Unlock()
		if "sha256:"+hex.EncodeToString(e.sums[id].Sum(nil)) != r.URL.Query().Get("digest") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusCreated)
	}
}

// ARCHBUILD_FLAT_GIB says how many GiB are copied; the number is 10.
func TestCopyingCostsNoMemory(t *testing.T) {
	const copies = 4
	total := int64(256) << 20
	if text := os.Getenv("ARCHBUILD_FLAT_GIB"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		total = n << 30
	}
	server := &endless{size: total / copies, sums: map[string]hash.Hash{}, got: map[string]int64{}}
	addr := serve(t, server.ServeHTTP)
	sum := sha256.New()
	_, _ = io.CopyN(sum, zeros{}, server.size)
	desc := ocispecs.Descriptor{Digest: digest.NewDigest(digest.SHA256, sum), Size: server.size}
	opts := impatient()
	opts.Stall = 0
	c := registry.New(opts)
	ended := watchMemory()
	start := time.Now()
	var wait sync.WaitGroup
	for i := range copies {
		wait.Go(func() {
			done, err := c.Upload(t.Context(), fmt.Sprintf("%s/to%d", addr, i), blobFrom(c, addr+"/from", desc.Digest, desc.Size))
			if err != nil || done.Sent != desc.Size {
				t.Error(done, err)
			}
		})
	}
	wait.Wait()
	peak := ended()
	t.Logf("%d MiB copied in %v, both ends included; at most %d MiB of heap", total>>20, time.Since(start).Round(time.Millisecond), peak>>20)
	if peak > 64<<20 {
		t.Errorf("%d MiB of heap", peak>>20)
	}
}

// watchMemory looks at the heap until its result is called, which gives the peak.
func watchMemory() func() uint64 {
	ctx, cancel := context.WithCancel(context.Background())
	var peak atomic.Uint64
	var wait sync.WaitGroup
	wait.Go(func() {
		for ctx.Err() == nil {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			peak.Store(max(peak.Load(), now.HeapInuse))
			time.Sleep(5 * time.Millisecond)
		}
	})
	return func() uint64 {
		cancel()
		wait.Wait()
		return peak.Load()
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
