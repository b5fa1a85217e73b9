package registrytest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	. "github.com/archbuild/archbuild/internal/registrytest"
)

func TestWhatIsSentAgainIsSeen(t *testing.T) {
	for _, kind := range Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w, data := newWorld(t, kind), []byte("twelve bytes")
			key := "app@" + sha(data)
			if err := w.upload(t, data); err != nil {
				t.Fatal(err)
			}
			if c := w.Counts(); !slices.Equal(c.Confirmed, []string{key}) || len(c.Resent) > 0 || c.Received[sha(data)] != 12 {
				t.Errorf("after one upload: %+v", c)
			}
			w.Forget()
			if err := w.upload(t, data); err != nil {
				t.Fatal(err)
			}
			// Here it is not even said what the bytes are.
			do(http.MethodPatch, strings.TrimRight(w.start(t), "?&"), data)
			if diff := cmp.Diff(map[string]int64{key: 24}, w.Counts().Resent); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBytesBelowTheConfirmedOffsetAreSeen(t *testing.T) {
	w := newWorld(t, Distribution)
	data := []byte("0123456789")
	_, header, _, err := do(http.MethodPatch, strings.TrimRight(w.start(t), "?&"), data[:6], "Content-Range", "0-5")
	if err != nil {
		t.Fatal(err)
	}
	at := w.continued(header)
	do(http.MethodPatch, strings.TrimRight(at, "?&"), data[4:], "Content-Range", "4-9") // refused
	do(http.MethodPut, at+"digest="+sha(data), data[6:], "Content-Range", "6-9")
	want := []Upload{{Repo: "app", Digest: sha(data), Received: 16, Confirmed: 6, Again: 2, Done: true}}
	if diff := cmp.Diff(want, w.Counts().Uploads); diff != "" {
		t.Error(diff)
	}
}

func TestMountsAreConfirmations(t *testing.T) {
	for _, kind := range []Kind{Debian, Distribution} {
		w := newWorld(t, kind)
		at := "http://" + w.Proxy.Addr + "/v2/other/blobs/uploads/?from=app&mount=" + w.layer
		if status, _, _, err := do(http.MethodPost, at, nil); status != 201 || err != nil {
			t.Errorf("mount: %d, %v", status, err)
		}
		if c := w.Counts(); !slices.Equal(c.Confirmed, []string{"other@" + w.layer}) || c.Requests[Mount] != 1 {
			t.Errorf("%+v", c)
		}
	}
}

func TestImpatienceIsSeen(t *testing.T) {
	w := newWorld(t, Memory)
	c := always(TooMany, BlobGet)
	c.RetryAfter = 1
	w.Set(c)
	do(http.MethodGet, w.blobs+w.layer, nil)
	do(http.MethodGet, w.blobs+w.layer, nil)
	if diff := cmp.Diff([]string{"GET /v2/app/blobs/" + w.layer}, w.Counts().Impatient); diff != "" {
		t.Error(diff)
	}
}
