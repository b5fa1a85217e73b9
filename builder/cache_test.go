package builder

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/platform"
	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestEveryPlatformWritesACacheOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	scratch, kept := filepath.Join(dir, "scratch"), filepath.Join(dir, "kept")
	arm, amd := platform.MustParse("linux/arm64"), platform.MustParse("linux/amd64")
	from := []Cache{
		{Type: CacheLocal, Attrs: map[string]string{"src": filepath.Join(dir, "missing")}},
		{Type: CacheRegistry, Attrs: map[string]string{"ref": "reg.example/a"}},
		{Type: CacheGHA, Attrs: map[string]string{"scope": "main"}},
	}
	to := []Cache{
		{Type: CacheRegistry, Attrs: map[string]string{"ref": "reg.example/a", "mode": "max"}},
		{Type: CacheLocal, Attrs: map[string]string{"dest": kept, "tag": "t", "reset": "true"}},
		{Type: CacheGHA, Attrs: map[string]string{}},
		{Type: CacheInline, Attrs: map[string]string{}},
	}
	c, warnings, err := NewCaches(from, to, []platform.Platform{arm, amd}, scratch)
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "missing") {
		t.Errorf("warnings %q", warnings)
	}
	if _, err := os.Stat(filepath.Join(dir, "missing")); err == nil {
		t.Error("a folder was made to read from")
	}
	var opt client.SolveOpt
	c.addTo(&opt, arm)
	if diff := cmp.Diff([]client.CacheOptionsEntry{
		{Type: "registry", Attrs: map[string]string{"ref": "reg.example/a"}},
		{Type: "gha", Attrs: map[string]string{"scope": "main"}},
		{Type: "gha", Attrs: map[string]string{"scope": "main-arm64"}},
	}, opt.CacheImports); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]client.CacheOptionsEntry{
		{Type: "local", Attrs: map[string]string{"dest": filepath.Join(scratch, "arm64-1")}},
		{Type: "gha", Attrs: map[string]string{"scope": "buildkit-arm64"}},
		{Type: "inline", Attrs: map[string]string{}},
		{Type: "registry", Attrs: map[string]string{"ref": "reg.example/a", "mode": "max"}}, // last: the answer is its
	}, opt.CacheExports); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	if c.note(arm, 1) == c.note(amd, 1) {
		t.Error("two platforms write to one place")
	}
}

func TestWhatIsNoCacheIsNotMerged(t *testing.T) {
	for name, manifest := range map[string]string{
		"nothing":  "",
		"an image": `{"mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {"mediaType": "application/vnd.oci.image.config.v1+json"}}`,
		"an index": `{"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json"}]}`,
	} {
		if _, err := MergeCaches(t.Context(), []CacheDocuments{{Manifest: []byte(manifest), Config: []byte("{}")}}); err == nil {
			t.Errorf("%s is taken for a cache", name)
		}
	}
}

func TestRunsThatFinishOneCacheAtOnceAllSucceed(t *testing.T) {
	folder := t.TempDir()
	store, err := openStore(folder)
	if err != nil {
		t.Fatal(err)
	}
	config := []byte(`{}`)
	of, err := writeBlob(t.Context(), store, CacheConfigType, config)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(ocispecs.Manifest{MediaType: ocispecs.MediaTypeImageManifest, Config: of})
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := writeBlob(t.Context(), store, ocispecs.MediaTypeImageManifest, text)
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	for i := range 8 {
		go func() {
			failed <- FinishLocalCache(t.Context(), folder, fmt.Sprintf("tag%d", i), []digest.Digest{manifest.Digest}, false)
		}()
	}
	for range 8 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	for i := range 8 {
		if _, err := present(Cache{Type: CacheLocal, Attrs: map[string]string{"src": folder, "tag": fmt.Sprintf("tag%d", i)}}); err != nil {
			t.Errorf("tag%d: %v", i, err)
		}
	}
}
