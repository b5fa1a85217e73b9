package builder

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/platform"
	"github.com/containerd/containerd/v2/core/content"
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
		{Type: CacheRegistry, Attrs: map[string]string{"ref": "reg.example/a:latest-linux-amd64"}, For: amd},
		{Type: CacheRegistry, Attrs: map[string]string{"ref": "reg.example/a:latest-linux-arm64"}, For: arm},
		{Type: CacheGHA, Attrs: map[string]string{"scope": "main"}},
	}
	to := []Cache{
		{Type: CacheRegistry, Attrs: map[string]string{"ref": "reg.example/a", "mode": "max"}, Apart: true},
		{Type: CacheRegistry, Attrs: map[string]string{"ref": "reg.example/b"}},
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
		{Type: "registry", Attrs: map[string]string{"ref": "reg.example/a:latest-linux-arm64"}},
		{Type: "gha", Attrs: map[string]string{"scope": "main-arm64"}},
		{Type: "registry", Attrs: map[string]string{"ref": "reg.example/a"}},
		{Type: "gha", Attrs: map[string]string{"scope": "main"}},
	}, opt.CacheImports); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]client.CacheOptionsEntry{
		{Type: "registry", Attrs: map[string]string{"ref": "reg.example/a:latest-linux-arm64", "mode": "max"}},
		{Type: "registry", Attrs: map[string]string{"ref": "reg.example/b"}},
		{Type: "local", Attrs: map[string]string{"dest": filepath.Join(scratch, "arm64-2")}},
		{Type: "gha", Attrs: map[string]string{"scope": "buildkit-arm64"}},
		{Type: "inline", Attrs: map[string]string{}},
	}, opt.CacheExports); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	if c.note(arm, 2) == c.note(amd, 2) {
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

func TestCachesThatAreTooLongTogetherAreNotMerged(t *testing.T) {
	part := func(name string) CacheDocuments {
		layer := digest.FromString(name)
		var records []string
		for i := range 6000 {
			records = append(records, fmt.Sprintf(`{"digest": %q, "layers": [{"layer": 0}]}`, digest.FromString(fmt.Sprint(name, i))))
		}
		manifest, err := json.Marshal(ocispecs.Manifest{
			MediaType: ocispecs.MediaTypeImageManifest, Config: ocispecs.Descriptor{MediaType: CacheConfigType},
			Layers: []ocispecs.Descriptor{{MediaType: ocispecs.MediaTypeImageLayerGzip, Digest: layer, Annotations: map[string]string{"containerd.io/uncompressed": layer.String()}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return CacheDocuments{Manifest: manifest, Config: fmt.Appendf(nil, `{"layers": [{"blob": %q, "parent": -1}], "records": [%s]}`, layer, strings.Join(records, ","))}
	}
	if _, err := MergeCaches(t.Context(), []CacheDocuments{part("one")}); err != nil {
		t.Errorf("one by itself: %v", err)
	}
	if _, err := MergeCaches(t.Context(), []CacheDocuments{part("one"), part("two")}); !errors.Is(err, ErrCacheTooLong) {
		t.Errorf("two together: %v", err)
	}
}

// writeCacheOf writes a cache that one job might have written: its config differs by name.
func writeCacheOf(t *testing.T, folder, name string) digest.Digest {
	t.Helper()
	store, err := openStore(folder)
	if err != nil {
		t.Fatal(err)
	}
	layer, err := writeBlob(t.Context(), store, ocispecs.MediaTypeImageLayerGzip, []byte(name))
	if err != nil {
		t.Fatal(err)
	}
	layer.Annotations = map[string]string{"buildkit/createdat": "2026-01-01T00:00:00Z", "containerd.io/uncompressed": layer.Digest.String()}
	config, err := writeBlob(t.Context(), store, CacheConfigType, fmt.Appendf(nil, `{"layers": [{"blob": %q, "parent": -1}], "records": [{"digest": %q, "layers": [{"layer": 0}]}]}`, layer.Digest, digest.FromString(name)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(ocispecs.Manifest{MediaType: ocispecs.MediaTypeImageManifest, Config: config, Layers: []ocispecs.Descriptor{layer}})
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := writeBlob(t.Context(), store, ocispecs.MediaTypeImageManifest, text)
	if err != nil {
		t.Fatal(err)
	}
	return manifest.Digest
}

// layersOf are the contents of the layers of the cache under a tag.
func layersOf(t *testing.T, folder, tag string) []string {
	t.Helper()
	found, err := present(Cache{Type: CacheLocal, Attrs: map[string]string{"src": folder, "tag": tag}})
	if err != nil {
		t.Fatalf("%s: %v", tag, err)
	}
	store, err := openStore(folder)
	if err != nil {
		t.Fatal(err)
	}
	part, _, err := readCache(t.Context(), store, digest.Digest(found.Attrs["digest"]))
	if err != nil {
		t.Fatal(err)
	}
	m, err := parseCacheManifest(part.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, layer := range m.Layers {
		text, err := content.ReadBlob(t.Context(), store, layer)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(text))
	}
	slices.Sort(list)
	return list
}

func TestRunsThatFinishOneCacheAtOnceAllSucceed(t *testing.T) {
	folder := t.TempDir()
	amd := platform.MustParse("linux/amd64")
	failed := make(chan error)
	for i := range 8 {
		manifest := writeCacheOf(t, folder, fmt.Sprint(i))
		go func() {
			failed <- FinishLocalCache(t.Context(), LocalCache{Folder: folder, Tag: fmt.Sprintf("tag%d", i)}, map[platform.Platform]digest.Digest{amd: manifest})
		}()
	}
	for range 8 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	for i := range 8 {
		if diff := cmp.Diff([]string{fmt.Sprint(i)}, layersOf(t, folder, fmt.Sprintf("tag%d", i))); diff != "" {
			t.Errorf("tag%d (-want +got):\n%s", i, diff)
		}
	}
}

func TestLegsKeepOneAnothersPartsInAFolder(t *testing.T) {
	folder := t.TempDir()
	finish := func(name string, reset bool) {
		t.Helper()
		p := platform.MustParse("linux/" + name)
		err := FinishLocalCache(t.Context(), LocalCache{Folder: folder, Apart: true, Reset: reset}, map[platform.Platform]digest.Digest{p: writeCacheOf(t, folder, name)})
		if err != nil {
			t.Fatal(err)
		}
	}
	has := func(tag string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, layersOf(t, folder, tag)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tag, diff)
		}
	}
	finish("amd64", false)
	has("", "amd64")
	finish("arm64", false)
	finish("amd64", true)
	has("", "amd64", "arm64")
	has("latest-linux-amd64", "amd64")
	has("latest-linux-arm64", "arm64")
}

func TestAPlatformsPartHasATagOfItsOwn(t *testing.T) {
	for _, row := range []struct{ ref, platform, want string }{
		{"reg.example/a", "linux/arm64", "reg.example/a:latest-linux-arm64"},
		{"localhost:5000/a:main", "linux/arm/v7", "localhost:5000/a:main-linux-arm-v7"},
		{"a:1.2", "windows/amd64", "a:1.2-windows-amd64"},
		{"a@sha256:" + strings.Repeat("0", 64), "linux/arm64", ""},
		{"a:" + strings.Repeat("x", 120), "linux/arm64", ""},
	} {
		if got := PlatformRef(row.ref, platform.MustParse(row.platform)); got != row.want {
			t.Errorf("%s on %s: got %q, want %q", row.ref, row.platform, got, row.want)
		}
	}
}

func TestAJobThatIsSolvedAgainReplacesWhatItWrote(t *testing.T) {
	dir := t.TempDir()
	amd := platform.MustParse("linux/amd64")
	c, _, err := NewCaches(nil, []Cache{{Type: CacheLocal, Attrs: map[string]string{"dest": filepath.Join(dir, "kept")}}}, []platform.Platform{amd}, filepath.Join(dir, "scratch"))
	if err != nil {
		t.Fatal(err)
	}
	c.addTo(&client.SolveOpt{}, amd)
	c.written[c.note(amd, 0)].note("sha256:one")
	if diff := cmp.Diff([]CacheExport{{To: 0, Manifest: "sha256:one"}}, c.exported(amd)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	c.addTo(&client.SolveOpt{}, amd)
	if got := c.exported(amd); len(got) > 0 {
		t.Errorf("what the first solve wrote counts for the second: %v", got)
	}
}
