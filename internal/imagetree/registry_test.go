package imagetree_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/internal/registry/hubtest"
)

// TestHostileRegistries reads an index whose second child the registry answers badly.
func TestHostileRegistries(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"nothing there", http.NotFound, "index image linux/amd64 image linux/arm64 missing"},
		{"other bytes", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			fmt.Fprint(w, `{"schemaVersion":2,"config":{}}`)
		}, "index image linux/amd64 image linux/arm64 digest"},
		{"100 MB", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			part := []byte(strings.Repeat(" ", 1<<20))
			for range 100 {
				if _, err := w.Write(part); err != nil {
					return
				}
			}
		}, "index image linux/amd64 image linux/arm64 invalid"},
		{"no access", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "refuses access"},
		{"failures", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "cannot reach"},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := hubtest.New(t)
			index := hubtest.Index(t, "linux/amd64", "linux/arm64")
			server.Put(t, server.Addr+"/app:1", index)
			manifest, err := index.IndexManifest()
			if err != nil {
				t.Fatal(err)
			}
			bad := "/manifests/" + manifest.Manifests[1].Digest.String()
			server.Fault(func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, bad) {
					row.answer(w, r)
					return true
				}
				return false
			})
			opened, err := imagetree.Open(t.Context(), server.Addr+"/app:1", server.Client())
			if err != nil {
				t.Fatal(err)
			}
			root, err := imagetree.Read(t.Context(), opened, opened.Root, imagetree.Options{})
			got := fmt.Sprint(err)
			if err == nil {
				got = strings.Join(seen(root), " ")
			}
			if !strings.Contains(got, row.want) {
				t.Errorf("got %q, want %q in it", got, row.want)
			}
		})
	}
}

func TestAnIndexOfAMillionEntries(t *testing.T) {
	server := hubtest.New(t)
	raw := []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[` + strings.Repeat(`{},`, 1_300_000) + `{}]}`)
	if _, err := server.Client().PutManifest(t.Context(), server.Addr+"/app:1", raw, "application/vnd.oci.image.index.v1+json"); err != nil {
		t.Fatal(err)
	}
	opened, err := imagetree.Open(t.Context(), server.Addr+"/app:1", server.Client())
	if err == nil {
		_, err = imagetree.Read(t.Context(), opened, opened.Root, imagetree.Options{})
	}
	if err == nil || !strings.Contains(err.Error(), "more than 200000 values") {
		t.Errorf("error = %v", err)
	}
}
