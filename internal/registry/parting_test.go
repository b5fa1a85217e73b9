package registry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/internal/registry"
)

// TestABlobThatIsAlmostThereIsWaitedFor: the caller gives up while the registry says that it has the whole blob. It would be a pity not
// to hear it, for then all of it would be sent again.
func TestABlobThatIsAlmostThereIsWaitedFor(t *testing.T) {
	ctx, giveUp := context.WithCancel(t.Context())
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Location", "/v2/app/blobs/uploads/1")
		switch r.Method {
		case http.MethodHead:
			w.WriteHeader(http.StatusNotFound)
		case http.MethodPost, http.MethodPatch:
			w.WriteHeader(http.StatusAccepted)
		case http.MethodPut:
			giveUp()
			time.Sleep(50 * time.Millisecond)
			w.WriteHeader(http.StatusCreated)
		}
	}))
	defer web.Close()
	content := []byte("a layer")
	done, err := registry.New(registry.Options{}).Upload(ctx, web.Listener.Addr().String()+"/app", registry.Blob{
		Digest: digest.FromBytes(content), Size: int64(len(content)),
		Open: func(_ context.Context, at int64) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(content[at:])), nil
		},
	})
	if err != nil || done.Way != registry.Sent {
		t.Errorf("got %+v, %v", done, err)
	}
}

// TestMirrorsAreNoWayOutWherePushesGo: the registry that is pushed to is down.
func TestMirrorsAreNoWayOutWherePushesGo(t *testing.T) {
	_, err := registry.New(registry.Options{Backoff: time.Millisecond}).Head(t.Context(), "127.0.0.1:1/app:1")
	var down *registry.Error
	if !errors.As(err, &down) || down.Kind != registry.Unreachable || strings.Contains(down.Hint(), "mirror") {
		t.Errorf("%v, with a hint that does not help", err)
	}
}
