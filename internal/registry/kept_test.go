package registry_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/registry"
)

// TestWhatIsReadOfManyImagesIsNotAllKept: a list of images to verify may be long, and every config large.
func TestWhatIsReadOfManyImagesIsNotAllKept(t *testing.T) {
	const size, many = 2 << 20, 100
	config := func(n int) []byte { return bytes.Repeat([]byte{byte(n)}, size) }
	digests := map[string]int{}
	for n := range many {
		digests[digest.FromBytes(config(n)).String()] = n
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, ok := digests[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]; ok {
			_, _ = w.Write(config(n))
		}
	}))
	defer web.Close()
	client := registry.New(registry.Options{})
	for dgst, n := range digests {
		data, err := client.Document(t.Context(), web.Listener.Addr().String()+"/app", ocispecs.Descriptor{Digest: digest.Digest(dgst), Size: size})
		if err != nil || len(data) != size || data[0] != byte(n) {
			t.Fatalf("config %d: %v", n, err)
		}
	}
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	if memory.HeapAlloc > 80<<20 {
		t.Errorf("%d MiB are kept of %d MiB that were read", memory.HeapAlloc>>20, size*many>>20)
	}
	runtime.KeepAlive(client)
}
