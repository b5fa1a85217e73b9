package registry_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/registry/hubtest"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestAHostGetsNoMoreThanItsShare(t *testing.T) {
	var at, peak atomic.Int32
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		now := at.Add(1)
		for old := peak.Load(); now > old && !peak.CompareAndSwap(old, now); old = peak.Load() {
		}
		time.Sleep(2 * time.Millisecond)
		at.Add(-1)
		w.WriteHeader(http.StatusNotFound)
	})
	opts := impatient()
	opts.Concurrency = 3
	c := registry.New(opts)
	var wait sync.WaitGroup
	for i := range 30 {
		wait.Go(func() { _, _, _ = c.HasBlob(t.Context(), addr+"/app", digest.FromString(fmt.Sprint(i))) })
	}
	wait.Wait()
	if peak.Load() > 3 {
		t.Errorf("%d requests at once", peak.Load())
	}
}

func TestRequestsASecond(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	opts := impatient()
	opts.Rate = 100
	c := registry.New(opts)
	start := time.Now()
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() { _, _, _ = c.HasBlob(t.Context(), addr+"/app", digest.FromString(fmt.Sprint(i))) })
	}
	wait.Wait()
	if took := time.Since(start); took < 190*time.Millisecond || took > 10*time.Second {
		t.Errorf("21 requests at 100 a second took %v", took)
	}
}

// Reading and writing at one host needs two places; with one of each there is no way to lock up.
func TestCopyingWithinAHostNeedsNoMoreThanOnePlace(t *testing.T) {
	defer within(t, 20*time.Second)()
	s := (&stubborn{interrupt: once(50_000, 2, 5, 9)}).start(t)
	large := make([]*content, 6)
	byDigest := map[string][]byte{}
	for i := range large {
		large[i] = newContent(1_500_000 + i)
		byDigest[large[i].digest().String()] = large[i].data
	}
	var gets atomic.Int32
	s.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, "/v2/from/") {
			return false
		}
		data := byDigest[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]
		if gets.Add(1)%3 == 0 { // The source has bad moments as well.
			some(w, r, data, 700_000)
			hangUp(w)
			return true
		}
		some(w, r, data, len(data))
		return true
	}
	opts := s.options()
	opts.Concurrency = 1
	c := registry.New(opts)
	var wait sync.WaitGroup
	for _, what := range large {
		wait.Go(func() {
			done, err := c.Upload(t.Context(), s.addr()+"/app", blobFrom(c, s.addr()+"/from", what.digest(), int64(len(what.data))))
			if err != nil || done.Way != registry.Sent {
				t.Error(done, err)
			}
		})
	}
	wait.Wait()
}

func TestAPauseThatOneIsAskedForAllKeep(t *testing.T) {
	var n atomic.Int32
	var early atomic.Int32
	var until atomic.Int64
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) == 1 {
			until.Store(time.Now().Add(time.Second).UnixNano())
			w.Header().Set("Retry-After", time.Now().Add(2*time.Second).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if time.Now().UnixNano() < until.Load() {
			early.Add(1)
		}
		w.WriteHeader(http.StatusNotFound)
	})
	c := registry.New(impatient())
	_, there, err := c.HasBlob(t.Context(), addr+"/app", digest.FromString("x"))
	if there || err != nil || early.Load() > 0 || n.Load() != 2 {
		t.Errorf("%v %v, %d requests, %d too early", there, err, n.Load(), early.Load())
	}
}

func TestPausesGrowAndAreNotTheSameForAll(t *testing.T) {
	for _, c := range []struct {
		random   float64
		min, max time.Duration
	}{{0, 300 * time.Millisecond, 800 * time.Millisecond}, {0.999, 1100 * time.Millisecond, 2 * time.Second}} {
		addr := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		opts := impatient()
		// 20, 60, 180, 540 ms: 800 ms together, half of it to one and a half of it.
		opts.Backoff, opts.Random = 20*time.Millisecond, func() float64 { return c.random }
		took := time.Hour
		for range 5 { // On a machine that has other things to do the quickest of five counts.
			start := time.Now()
			if _, _, err := registry.New(opts).HasBlob(t.Context(), addr+"/app", digest.FromString("x")); err == nil {
				t.Error("no error")
			}
			if took = min(took, time.Since(start)); took <= c.max {
				break
			}
		}
		if took < c.min || took > c.max {
			t.Errorf("with %v it took %v", c.random, took)
		}
	}
}

func TestWhoWaitsForAPlaceCanGiveUp(t *testing.T) {
	s := hubtest.New(t)
	what := newContent(2_000_000)
	opts := s.Options()
	opts.Concurrency = 1
	c := registry.New(opts)
	if _, err := c.Upload(t.Context(), "registry.example/app", what.blob()); err != nil {
		t.Fatal(err)
	}
	desc := ocispecs.Descriptor{Digest: what.digest(), Size: int64(len(what.data))}
	first, err := c.OpenBlob(t.Context(), "registry.example/app", desc, 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.OpenBlob(ctx, "registry.example/app", desc, 0); err == nil {
		t.Error("two are open at once")
	}
	first.Close()
	second, err := c.OpenBlob(t.Context(), "registry.example/app", desc, 0)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, second); n != desc.Size || err != nil {
		t.Error(n, err)
	}
	second.Close()
}
