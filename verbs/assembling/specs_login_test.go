package assembling_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/verbs/assembling"
)

// TestAPasswordGoesToTheTargetsRegistryAlone: manifest-tool knows one registry, but here sources may be in others.
func TestAPasswordGoesToTheTargetsRegistryAlone(t *testing.T) {
	start := func(shown *atomic.Bool, answer http.HandlerFunc) string {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, password, ok := r.BasicAuth(); ok && user == "me" && password == "secret" {
				shown.Store(true)
			} else if r.URL.Path == "/v2/" {
				w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			answer(w, r)
		}))
		t.Cleanup(web.Close)
		return web.Listener.Addr().String()
	}
	var toTarget, toSource atomic.Bool
	target, source := start(&toTarget, http.NotFound), start(&toSource, http.NotFound)
	spec := "image: " + target + "/app:1\nmanifests:\n- image: " + source + "/app:1\n- image: " + target + "/app:1-arm64\n"
	config := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(config, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := assembling.Specs(t.Context(), assembling.SpecOptions{
		File: "-",
		Options: assembling.Options{
			World: outside.World{
				System:     outside.System{Stdin: strings.NewReader(spec), Stdout: t.Output(), Stderr: t.Output(), Environ: []string{"HOME=" + t.TempDir()}},
				Engine:     outside.Engine{State: t.TempDir()},
				Registries: outside.Registries{Username: "me", Password: "secret", DockerConfig: config},
			},
		},
	})
	if err == nil {
		t.Fatal("an index was made of images that do not exist")
	}
	if toSource.Load() {
		t.Error("the registry of a source was shown the password for the target's")
	}
	if !toTarget.Load() {
		t.Error("the target's registry was not shown the password")
	}
}
