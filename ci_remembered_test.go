package archbuild

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/ci"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/registrytest"
	"github.com/archbuild/archbuild/platform"
)

// TestRecordsBesideAnIndexSpeakOfItsImages: who may push to a repository may say of an index that it was made of another image.
func TestRecordsBesideAnIndexSpeakOfItsImages(t *testing.T) {
	r := registrytest.Start(t, registrytest.Memory)
	repo, reg, on := r.Addr+"/app", registry.New(registry.Options{}), platform.MustParse("linux/arm64")
	push := func(seed uint64) ocispec.Descriptor {
		image := registrytest.Image(registrytest.Options{Platforms: []string{on.String()}, Layers: []int{10}, Seed: seed})
		image.Push(t, r.Addr, "app", "image")
		spec := on.OCI()
		return ocispec.Descriptor{MediaType: image.Root.MediaType, Digest: digest.Digest(image.Root.Digest), Size: image.Root.Size, Platform: &spec}
	}
	ours, other := push(1), push(2)
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{ours}}
	body, err := json.Marshal(index)
	if err != nil {
		t.Fatal(err)
	}
	pushed, err := reg.PutManifest(t.Context(), repo+":1", body, index.MediaType)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name  string
		image ocispec.Descriptor
		found int
	}{
		{"of another image", other, 0},
		{"of the image that it lists", ours, 1},
	} {
		record, err := ci.Record{
			Name: "app", Platform: on, Run: "42", Recipe: digest.FromString("recipe"), Repositories: []string{repo}, Image: row.image,
			Inputs: ci.NewInputs(map[string]digest.Digest{ci.PartContext: digest.FromString("context")}),
			Node:   ci.Node{Name: "engine", Platform: on},
		}.Sealed()
		if err != nil {
			t.Fatal(err)
		}
		if err := remember(context.Background(), reg, repo, pushed, ci.Summary{Run: "42", Records: []ci.Record{record}}); err != nil {
			t.Fatal(err)
		}
		if got, err := remembered(t.Context(), reg, repo, pushed.Digest, "42"); err != nil || len(got) != row.found {
			t.Errorf("%s: %d records are believed, %v; want %d", row.name, len(got), err, row.found)
		}
	}
}
