package verify_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/verify"
)

// indexOf joins images under one index and adds an attestation.
func indexOf(t *testing.T, labels ...string) v1.ImageIndex {
	idx := v1.ImageIndex(empty.Index)
	add := func(os, arch, variant string, img v1.Image) {
		idx = mutate.AppendManifests(idx, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: os, Architecture: arch, Variant: variant}}})
	}
	for _, label := range labels {
		p := platform.MustParse(label)
		add(p.OS, p.Arch, p.Variant, imageOf(t, p, entrypoint("/app"), layerOf(t, exe("app", amd64))))
	}
	add("unknown", "unknown", "", imageOf(t, linuxARM64, v1.ConfigFile{}, layerOf(t, data("attestation", nil))))
	return idx
}

// verdicts verifies all that Load lists.
func verdicts(t *testing.T, arg string, remote verify.Remote) map[string][]string {
	t.Helper()
	list, closer, err := verify.Load(context.Background(), arg, remote)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	got := map[string][]string{}
	for _, l := range list {
		got[l.Platform.String()] = found(look(t, l.Image, verify.Options{Platform: l.Platform}))
	}
	return got
}

func TestLoad(t *testing.T) {
	idx := indexOf(t, "linux/amd64", "linux/arm64", "linux/arm/v7")
	want := map[string][]string{"linux/amd64": {}, "linux/arm64": {"error /app"}, "linux/arm/v7": {"error /app"}}
	dir := filepath.Join(t.TempDir(), "layout")
	if _, err := layout.Write(dir, idx); err != nil {
		t.Fatal(err)
	}
	nobody := func(context.Context, string) (v1.Image, v1.ImageIndex, error) {
		t.Error("a registry was asked")
		return nil, nil, errors.New("no registry")
	}
	t.Run("a layout", func(t *testing.T) {
		if diff := cmp.Diff(want, verdicts(t, dir, nobody)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a reference to an index", func(t *testing.T) {
		got := verdicts(t, "example.org/app:1", func(_ context.Context, ref string) (v1.Image, v1.ImageIndex, error) {
			if ref != "example.org/app:1" {
				t.Errorf("ref = %q", ref)
			}
			return nil, idx, nil
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a reference to one image", func(t *testing.T) {
		got := verdicts(t, "example.org/app:1", func(context.Context, string) (v1.Image, v1.ImageIndex, error) {
			return imageOf(t, linuxARM64, entrypoint("/app"), layerOf(t, exe("app", amd64))), nil, nil
		})
		if diff := cmp.Diff(map[string][]string{"linux/arm64": {"error /app"}}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("nothing but an attestation", func(t *testing.T) {
		_, _, err := verify.Load(context.Background(), "example.org/app:1", func(context.Context, string) (v1.Image, v1.ImageIndex, error) {
			return nil, indexOf(t), nil
		})
		var none *verify.EmptyError
		if !errors.As(err, &none) {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("a path that does not exist", func(t *testing.T) {
		if _, _, err := verify.Load(context.Background(), "./nothing.tar", nobody); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("error = %v", err)
		}
	})
}
