package manifest_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/internal/registrytest"
	"github.com/archbuild/archbuild/manifest"
)

// TestDamageIsSaidOfTheSource: the registry that is pushed to has nothing to do with it.
func TestDamageIsSaidOfTheSource(t *testing.T) {
	r, dir := registrytest.Start(t, registrytest.Memory), t.TempDir()
	image := registrytest.Image(registrytest.Options{Platforms: []string{"linux/arm64"}, Layers: []int{200_000}, Seed: 1})
	image.Layout(t, dir, "")
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, blob := range blobs {
		if info, err := os.Stat(blob); err != nil || info.Size() < 200_000 {
			continue
		}
		body, err := os.ReadFile(blob)
		if err != nil {
			t.Fatal(err)
		}
		body[1000]++
		if err := os.WriteFile(blob, body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	done, err := gather(t, manifest.Request{Sources: from(dir)}).Push(t.Context(), client(), []string{r.Addr + "/app:1"}, manifest.PushOptions{})
	if err == nil || !strings.Contains(err.Error(), "reading "+dir+": ") || !errors.As(err, new(*imagetree.Problem)) {
		t.Errorf("error %v", err)
	}
	if done.Blobs > 1 {
		t.Errorf("%d blobs are said to be sent, of which one cannot be", done.Blobs)
	}
}
