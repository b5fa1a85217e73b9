package registrytest_test

import (
	"net/http"
	"testing"

	. "github.com/archbuild/archbuild/internal/registrytest"
)

func TestNoRegistryKeepsHalfAManifest(t *testing.T) {
	for _, kind := range Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)
			w.Set(Config{Script: func(Ask) Fault { return ResetRequest }})
			image := Image(Options{Layers: []int{4000}, Seed: 1, Platforms: []string{"linux/amd64"}, Annotations: map[string]string{"k": "v"}})
			at := "http://" + w.Proxy.Addr + "/v2/app/manifests/" + image.Root.Digest
			if _, _, _, err := do(http.MethodPut, at, image.Manifests[image.Root.Digest], "Content-Type", image.Root.MediaType); err == nil {
				t.Error("half a manifest is answered")
			}
			if digest, err := Digest(w.Registry.Addr, "app", image.Root.Digest); digest != "" || err != nil {
				t.Errorf("half a manifest is kept: %s, %v", digest, err)
			}
		})
	}
}
