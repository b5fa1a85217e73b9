package verify_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/internal/registry/hubtest"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/verify"
)

// child is an image of an index: what the index says, and what its config says
// if that is another platform.
type child struct {
	listed, config string
	image          v1.Image
	annotations    map[string]string
}

func (c child) addendum(t testing.TB) mutate.IndexAddendum {
	desc := v1.Descriptor{Annotations: c.annotations}
	if c.listed != "" {
		parts := strings.Split(c.listed, "/")
		desc.Platform = &v1.Platform{OS: parts[0], Architecture: parts[1]}
		if len(parts) > 2 {
			desc.Platform.Variant = parts[2]
		}
		desc.Platform.Variant, desc.Platform.OSVersion, _ = strings.Cut(desc.Platform.Variant, ":")
	}
	if c.image == nil {
		at := c.listed
		if c.config != "" {
			at = c.config
		}
		parts := strings.Split(at, "/")
		config := v1.ConfigFile{OS: parts[0], Architecture: parts[1]}
		if len(parts) > 2 {
			config.Variant, config.OSVersion, _ = strings.Cut(parts[2], ":")
		}
		c.image = imageOf(t, platform.Platform{}, config, layerOf(t, data("for", []byte(at+c.listed))))
	}
	return mutate.IndexAddendum{Add: c.image, Descriptor: desc}
}

func indexWith(t testing.TB, children ...child) v1.ImageIndex {
	idx := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, c := range children {
		idx = mutate.AppendManifests(idx, c.addendum(t))
	}
	return idx
}

// written puts an index into a layout.
func written(t testing.TB, idx v1.ImageIndex) string {
	dir := t.TempDir()
	path, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = path.AppendIndex(idx)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func blobFile(t testing.TB, dir string, digest func() (v1.Hash, error)) string {
	d, err := digest()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "blobs", "sha256", d.Hex)
}

// checked looks at a layout, and tells the findings in short.
func checked(t testing.TB, dir string, o verify.CheckOptions) (verify.Result, []string, error) {
	t.Helper()
	checker, err := verify.NewChecker(o)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := imagetree.Open(context.Background(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	result, err := checker.Check(context.Background(), dir, opened)
	list := []string{}
	for _, f := range result.Findings {
		list = append(list, strings.TrimSpace(string(f.Severity)+" "+string(f.Kind)+" "+f.Platform))
		if f.Message == "" || f.Hint == "" {
			t.Errorf("a finding without message or hint: %+v", f)
		}
	}
	return result, list, err
}

func TestCheckIndexes(t *testing.T) {
	other := map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": "sha256:" + strings.Repeat("0", 64)}
	same := imageOf(t, linuxARM64, v1.ConfigFile{}, layerOf(t, data("a", nil)))
	for _, row := range []struct {
		name     string
		children []child
		want     []string
	}{
		{"images for three platforms", []child{{listed: "linux/amd64"}, {listed: "linux/arm64/v8", config: "linux/arm64"}, {listed: "linux/arm/v7"}}, []string{}},
		{"two images for one platform", []child{{listed: "linux/amd64"}, {listed: "linux/amd64", config: "linux/amd64/v1"}}, []string{"error duplicate-platform linux/amd64"}},
		{"one platform spelled in two ways", []child{{listed: "linux/arm64"}, {listed: "linux/arm64/v8"}}, []string{"error duplicate-platform linux/arm64"}},
		{"one image listed twice", []child{{listed: "linux/arm64", image: same}, {listed: "linux/arm64/v8", image: same}}, []string{"warning duplicate-platform linux/arm64"}},
		{"v3 hides the baseline", []child{{listed: "linux/amd64/v3"}, {listed: "linux/amd64"}}, []string{"warning shadowed-platform linux/amd64/v3"}},
		{"the baseline before v3", []child{{listed: "linux/amd64"}, {listed: "linux/amd64/v3"}}, []string{"note shadowed-platform linux/amd64"}},
		{"v7 after v6", []child{{listed: "linux/arm/v6"}, {listed: "linux/arm/v7"}}, []string{"note shadowed-platform linux/arm/v6"}},
		{"v7 before v5 and v6", []child{{listed: "linux/arm/v7"}, {listed: "linux/arm/v5"}, {listed: "linux/arm/v6"}}, []string{"warning shadowed-platform linux/arm/v7"}},
		{"two releases of Windows", []child{{listed: "windows/amd64/:10.0.17763.1"}, {listed: "windows/amd64/:10.0.20348.1"}}, []string{}},
		{"the config is for another platform", []child{{listed: "linux/arm64", config: "linux/amd64"}}, []string{"error platform linux/arm64"}},
		{"the config asks for more", []child{{listed: "linux/arm/v6", config: "linux/arm/v7"}}, []string{"error platform linux/arm/v6"}},
		{"the config names no variant", []child{{listed: "linux/arm/v6", config: "linux/arm"}}, []string{"warning platform linux/arm/v6"}},
		{"the config names no platform", []child{{listed: "linux/arm64", config: "/"}}, []string{"error platform linux/arm64"}},
		{"the index names no platform", []child{{config: "linux/arm64"}}, []string{"warning platform linux/arm64"}},
		{"nobody names a platform", []child{{listed: "linux/amd64"}, {config: "/"}}, []string{"error platform"}},
		{"an attestation of nothing here", []child{{listed: "linux/amd64"}, {listed: "unknown/unknown", annotations: other}}, []string{"warning dangling-attestation"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, got, err := checked(t, written(t, indexWith(t, row.children...)), verify.CheckOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCheckSaysWhoTakesWhat holds the sentences about clients.
func TestCheckSaysWhoTakesWhat(t *testing.T) {
	result, _, err := checked(t, written(t, indexWith(t, child{listed: "linux/amd64/v3"}, child{listed: "linux/amd64"}, child{listed: "linux/arm64"}, child{listed: "linux/arm64/v8"})), verify.CheckOptions{})
	if err != nil || len(result.Findings) != 2 {
		t.Fatalf("%d findings, %v", len(result.Findings), err)
	}
	for i, want := range [][]string{
		{"(crane --platform linux/arm64/v8) the second", "containerd and Docker take the first one"},
		{"(crane, ko, other users of go-containerregistry) take linux/amd64/v3 on every machine", "containerd, Docker and podman take the best one"},
	} {
		for _, part := range want {
			if !strings.Contains(result.Findings[i].Message, part) {
				t.Errorf("%q does not say %q", result.Findings[i].Message, part)
			}
		}
	}
	if want := "assemble the index again with linux/amd64 first"; result.Findings[1].Hint != want {
		t.Errorf("hint %q, want %q", result.Findings[1].Hint, want)
	}
}

func TestCheckBlobs(t *testing.T) {
	statement := static.NewLayer([]byte(`{"predicate":{}}`), "application/vnd.in-toto+json")
	for _, row := range []struct {
		name   string
		damage func(t *testing.T, dir string, img, attestation v1.Image) error
		deep   bool
		want   []string
		fails  string
	}{
		{name: "nothing", damage: func(*testing.T, string, v1.Image, v1.Image) error { return nil }, deep: true, want: []string{}},
		{name: "a missing manifest", damage: func(t *testing.T, dir string, img, _ v1.Image) error {
			return os.Remove(blobFile(t, dir, img.Digest))
		}, want: []string{"error missing linux/arm64"}},
		{name: "a missing config", damage: func(t *testing.T, dir string, img, _ v1.Image) error {
			return os.Remove(blobFile(t, dir, img.ConfigName))
		}, want: []string{"error missing linux/arm64"}},
		{name: "a missing layer", damage: func(t *testing.T, dir string, img, _ v1.Image) error {
			return os.Remove(blobFile(t, dir, firstLayer(t, img).Digest))
		}, want: []string{"error missing linux/arm64"}},
		{name: "a layer of another size", damage: func(t *testing.T, dir string, img, _ v1.Image) error {
			return os.Truncate(blobFile(t, dir, firstLayer(t, img).Digest), 10)
		}, want: []string{"error digest linux/arm64", "error size linux/arm64"}},
		{name: "a layer of other bytes", damage: func(t *testing.T, dir string, img, _ v1.Image) error {
			return flip(blobFile(t, dir, firstLayer(t, img).Digest))
		}, want: []string{"error digest linux/arm64"}},
		{name: "a config of other bytes", damage: func(t *testing.T, dir string, img, _ v1.Image) error {
			return flip(blobFile(t, dir, img.ConfigName))
		}, want: []string{"error digest linux/arm64"}},
		{name: "a statement of other bytes, not read", damage: func(t *testing.T, dir string, _, a v1.Image) error {
			return flip(blobFile(t, dir, firstLayer(t, a).Digest))
		}, want: []string{}},
		{name: "a statement of other bytes, read", damage: func(t *testing.T, dir string, _, a v1.Image) error {
			return flip(blobFile(t, dir, firstLayer(t, a).Digest))
		}, deep: true, want: []string{"error digest"}},
		{name: "a missing statement", damage: func(t *testing.T, dir string, _, a v1.Image) error {
			return os.Remove(blobFile(t, dir, firstLayer(t, a).Digest))
		}, want: []string{"error missing"}},
		{name: "a link out of the layout", damage: func(t *testing.T, dir string, img, _ v1.Image) error {
			file := blobFile(t, dir, firstLayer(t, img).Digest)
			return errors.Join(os.Remove(file), os.Symlink("/etc/passwd", file))
		}, want: []string{}, fails: "escapes"},
	} {
		t.Run(row.name, func(t *testing.T) {
			img := imageOf(t, linuxARM64, v1.ConfigFile{}, layerOf(t, exe("bin/a", arm64)))
			digest, err := img.Digest()
			if err != nil {
				t.Fatal(err)
			}
			attestation := imageOf(t, linuxARM64, v1.ConfigFile{OS: "unknown", Architecture: "unknown"}, statement)
			dir := written(t, indexWith(t, child{listed: "linux/arm64", image: img}, child{listed: "unknown/unknown", image: attestation,
				annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": digest.String()}}))
			if err := row.damage(t, dir, img, attestation); err != nil {
				t.Fatal(err)
			}
			result, got, err := checked(t, dir, verify.CheckOptions{Deep: row.deep})
			for _, f := range result.Findings {
				if strings.Contains(f.Hint, "manifest create") {
					t.Errorf("another index does not mend blobs: %s", f.Hint)
				}
			}
			if row.fails == "" && err != nil || row.fails != "" && (err == nil || !strings.Contains(err.Error(), row.fails)) {
				t.Fatalf("error = %v", err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func firstLayer(t testing.TB, img v1.Image) v1.Layer {
	list, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

// flip changes the last byte of a file, which keeps its size.
func flip(name string) error {
	raw, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	raw[len(raw)-1] ^= 1
	return os.WriteFile(name, raw, 0o600)
}

func TestCheckLayersThatCannotBeUnpacked(t *testing.T) {
	broken := imageOf(t, linuxARM64, v1.ConfigFile{}, static.NewLayer([]byte("\x1f\x8b no gzip"), types.OCILayer))
	if _, got, err := checked(t, written(t, indexWith(t, child{listed: "linux/arm64", image: broken})), verify.CheckOptions{}); err != nil || len(got) != 1 || got[0] != "error invalid linux/arm64" {
		t.Errorf("findings %v, %v", got, err)
	}
	bomb := imageOf(t, linuxARM64, v1.ConfigFile{}, layerOf(t, data("zeros", make([]byte, 64<<20))))
	_, _, err := checked(t, written(t, indexWith(t, child{listed: "linux/arm64", image: bomb})), verify.CheckOptions{MaxBytes: 16 << 20})
	if !errors.As(err, new(*verify.LimitError)) {
		t.Errorf("error = %v, want a *verify.LimitError", err)
	}
}

func TestCheckPassesOverWhatIsNoImage(t *testing.T) {
	artifact := mutate.ConfigMediaType(imageOf(t, linuxARM64, v1.ConfigFile{}), "application/vnd.cncf.helm.config.v1+json")
	result, got, err := checked(t, written(t, indexWith(t, child{listed: "linux/amd64"}, child{listed: "", image: artifact})), verify.CheckOptions{})
	if err != nil || len(got) != 0 || len(result.PassedOver) != 1 || result.PassedOver[0].Type != "application/vnd.cncf.helm.config.v1+json" {
		t.Errorf("findings %v, passed over %+v, %v", got, result.PassedOver, err)
	}
	_, _, err = checked(t, written(t, indexWith(t, child{listed: "", image: artifact})), verify.CheckOptions{})
	if !errors.As(err, new(*verify.EmptyError)) {
		t.Errorf("error = %v, want a *verify.EmptyError", err)
	}
}

func TestCheckOfSomePlatforms(t *testing.T) {
	broken := child{listed: "linux/arm64", config: "linux/amd64"}
	dir := written(t, indexWith(t, child{listed: "linux/amd64"}, broken))
	result, got, err := checked(t, dir, verify.CheckOptions{Platforms: []platform.Platform{platform.MustParse("linux/amd64")}})
	if err != nil || len(got) != 0 || len(result.Images) != 1 {
		t.Errorf("findings %v, %d images, %v", got, len(result.Images), err)
	}
	_, _, err = checked(t, dir, verify.CheckOptions{Platforms: []platform.Platform{platform.MustParse("linux/s390x")}})
	if missing := (*imagetree.NoPlatformError)(nil); !errors.As(err, &missing) || missing.Hint() != "it has linux/amd64, linux/arm64" {
		t.Errorf("error = %v", err)
	}
}

// TestCheckReadsNothingTwice looks at images that share a layer, under several
// names, deeply: every blob is fetched once.
func TestCheckReadsNothingTwice(t *testing.T) {
	server := hubtest.New(t)
	base := layerOf(t, exe("bin/sh", arm64), data("big", make([]byte, 2<<20)))
	one := indexWith(t, child{listed: "linux/arm64", image: imageOf(t, linuxARM64, v1.ConfigFile{}, base, layerOf(t, data("one", nil)))})
	two := indexWith(t, child{listed: "linux/arm64", image: imageOf(t, linuxARM64, v1.ConfigFile{}, base, layerOf(t, data("two", nil)))})
	server.Put(t, server.Addr+"/app:1", one)
	server.Put(t, server.Addr+"/app:latest", one)
	server.Put(t, server.Addr+"/app:2", two)
	before := len(server.Requests())
	checker, err := verify.NewChecker(verify.CheckOptions{Deep: true})
	if err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	for _, name := range []string{server.Addr + "/app:1", server.Addr + "/app:latest", server.Addr + "/app:2"} {
		opened, err := imagetree.Open(t.Context(), name, client)
		if err != nil {
			t.Fatal(err)
		}
		if result, err := checker.Check(t.Context(), name, opened); err != nil || len(result.Findings) != 0 || result.Blobs != 5 {
			t.Errorf("%s: %d blobs, findings %v, %v", name, result.Blobs, result.Findings, err)
		}
	}
	count := map[string]int{}
	for _, request := range server.Requests()[before:] {
		count[request]++
	}
	for request, n := range count {
		if n > 1 && strings.Contains(request, "sha256:") {
			t.Errorf("%d times %s", n, request)
		}
	}
}

// TestCheckAsksWhatIsThereNow: a child that was read before, and removed since, is missing.
func TestCheckAsksWhatIsThereNow(t *testing.T) {
	server := hubtest.New(t)
	name := server.Addr + "/app:1"
	index := hubtest.Index(t, "linux/amd64", "linux/arm64")
	server.Put(t, name, index)
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	client, removed := server.Client(), "/manifests/"+manifest.Manifests[1].Digest.String()
	for _, want := range []int{0, 1} {
		checker, err := verify.NewChecker(verify.CheckOptions{})
		if err != nil {
			t.Fatal(err)
		}
		opened, err := imagetree.Open(t.Context(), name, client)
		if err != nil {
			t.Fatal(err)
		}
		result, err := checker.Check(t.Context(), name, opened)
		if err != nil || len(result.Findings) != want || want > 0 && result.Findings[0].Kind != verify.KindMissing {
			t.Errorf("findings %+v, %v; want %d", result.Findings, err, want)
		}
		server.Fault(func(w http.ResponseWriter, r *http.Request) bool {
			gone := strings.HasSuffix(r.URL.Path, removed)
			if gone {
				http.NotFound(w, r)
			}
			return gone
		})
	}
}
