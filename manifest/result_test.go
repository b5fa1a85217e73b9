package manifest_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/platform"
)

func TestFromExportReadsAManifestAndAnIndexAlike(t *testing.T) {
	s := newStore(t)
	image := s.simple(arm64, "hello")
	plain := s.result(arm64, ocispec.Descriptor{Digest: image.Digest, Annotations: map[string]string{ocispec.AnnotationCreated: "now"}})
	attested := s.result(arm64, s.attested(arm64, "hello"))

	if diff := cmp.Diff([]ocispec.Descriptor{s.attestation(image.Digest)}, attested.Attestations); diff != "" {
		t.Errorf("attestations: %s", diff)
	}
	attested.Attestations = nil
	if diff := cmp.Diff(plain, attested); diff != "" {
		t.Errorf("the image differs: %s", diff)
	}
	want := image
	want.Platform = &ocispec.Platform{OS: "linux", Architecture: "arm64"}
	if diff := cmp.Diff(want, plain.Descriptor); diff != "" {
		t.Errorf("descriptor: %s", diff)
	}
	if plain.Layers != 1 || plain.Size <= image.Size || plain.Config == "" {
		t.Errorf("described as %d layers, %d bytes, config %q", plain.Layers, plain.Size, plain.Config)
	}
}

func TestFromExportComparesTheConfigWithTheLabel(t *testing.T) {
	for name, test := range map[string]struct {
		label, config string
		fits          bool
	}{
		"the same":                       {"linux/arm64", "linux/arm64", true},
		"another architecture":           {"linux/arm64", "linux/amd64", false},
		"another variant":                {"linux/arm/v7", "linux/arm/v6", false},
		"a variant spelled or left out":  {"linux/arm64", "linux/arm64/v8", true},
		"arm without variant is v7":      {"linux/arm/v7", "linux/arm", true},
		"another system":                 {"linux/amd64", "windows/amd64", false},
		"a baseline under a higher goal": {"linux/amd64/v3", "linux/amd64", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			label := platform.MustParse(test.label)
			r, err := manifest.FromExport(s.Store, label, s.simple(platform.MustParse(test.config), "x"))
			var mismatch *manifest.PlatformError
			if errors.As(err, &mismatch) == test.fits {
				t.Fatalf("error is %v", err)
			}
			if r.Platform != label || r.Descriptor.Platform == nil {
				t.Errorf("the result is not usable: %+v", r)
			}
			if !test.fits {
				hintOf(t, mismatch)
			}
		})
	}
}

func TestWindowsTakesItsVersionFromTheConfig(t *testing.T) {
	s := newStore(t)
	windows := platform.MustParse("windows/amd64")
	withVersion := windows
	withVersion.OSVersion = "10.0.17763.1"
	r := s.result(windows, s.simple(withVersion, "x"))
	if r.Descriptor.Platform.OSVersion != "10.0.17763.1" {
		t.Errorf("platform is %+v", r.Descriptor.Platform)
	}
}

func TestFromExportRefuses(t *testing.T) {
	s := newStore(t)
	image := s.simple(amd64, "x")
	other := s.simple(amd64, "y")
	index := func(children ...ocispec.Descriptor) ocispec.Descriptor {
		return s.json(ocispec.MediaTypeImageIndex, ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: children})
	}
	noBlob := image
	noBlob.Digest = digest.FromString("nowhere")
	wrongSize := image
	wrongSize.Size++
	for name, test := range map[string]struct {
		desc ocispec.Descriptor
		want string
	}{
		"an index of two images":            {index(image, other), "more than one image"},
		"an index of none":                  {index(s.attestation(image.Digest)), "holds no image"},
		"an attestation of something else":  {index(image, s.attestation(other.Digest)), "speaks of"},
		"an image and an index at once":     {s.blob("", []byte(`{"manifests":[],"config":{},"layers":[]}`)), "an image and an index at once"},
		"neither":                           {s.blob("", []byte(`{}`)), "neither an image nor an index"},
		"another media type than described": {ocispec.Descriptor{MediaType: "application/x", Digest: image.Digest}, "its descriptor says"},
		"a blob that is not there":          {noBlob, "is not there"},
		"another size than described":       {wrongSize, "its descriptor says"},
		"a digest that leads elsewhere":     {ocispec.Descriptor{Digest: "sha256:../../../etc/passwd"}, "digest"},
		"a digest of another kind":          {ocispec.Descriptor{Digest: digest.SHA512.FromString("x")}, "digest"},
		"no digest":                         {ocispec.Descriptor{}, "digest"},
		"something that is no JSON":         {s.blob("", []byte("hello")), "invalid character"},
		"a huge document":                   {s.blob("", make([]byte, 5<<20)), "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := manifest.FromExport(s.Store, amd64, test.desc); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestABrokenBlobIsNoticed(t *testing.T) {
	s := newStore(t)
	image := s.simple(amd64, "x")
	path, err := s.Path(image.Digest)
	if err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	body[len(body)-1] = ' '
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, body, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := manifest.FromExport(s.Store, amd64, image); err == nil {
		t.Error("a changed manifest was read")
	}
}
