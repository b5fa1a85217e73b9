package manifest_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/platform"
)

func TestAssembleKeepsOrderAndPutsAttestationsLast(t *testing.T) {
	s := newStore(t)
	x := s.assemble(nil,
		s.result(armV7, s.attested(armV7, "c")),
		s.result(amd64, s.simple(amd64, "a")),
		s.result(arm64, s.attested(arm64, "b")))
	var index ocispec.Index
	if err := json.Unmarshal(x.Bytes, &index); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range index.Manifests {
		p := m.Platform.OS + "/" + m.Platform.Architecture
		if m.Platform.Variant != "" {
			p += "/" + m.Platform.Variant
		}
		got = append(got, p)
	}
	want := []string{"linux/arm/v7", "linux/amd64", "linux/arm64", "unknown/unknown", "unknown/unknown"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if about := index.Manifests[3].Annotations["vnd.docker.reference.digest"]; about != index.Manifests[0].Digest.String() {
		t.Errorf("the first attestation speaks of %s", about)
	}
}

func TestAssembleWritesTheseBytes(t *testing.T) {
	s := newStore(t)
	texts := []string{"index:org.example.a=1", "index-descriptor:b=2", "manifest-descriptor:c=3", "manifest-descriptor[linux/arm64/v8]:c=4", "d=5"}
	make := func() manifest.Index {
		return s.assemble(texts, s.result(amd64, s.simple(amd64, "a")), s.result(arm64, s.simple(arm64, "b")))
	}
	x := make()
	a, b := s.simple(amd64, "a"), s.simple(arm64, "b")
	want := `{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.index.v1+json",
  "manifests": [
    {
      "mediaType": "application/vnd.oci.image.manifest.v1+json",
      "digest": "` + a.Digest.String() + `",
      "size": 401,
      "annotations": {
        "c": "3"
      },
      "platform": {
        "architecture": "amd64",
        "os": "linux"
      }
    },
    {
      "mediaType": "application/vnd.oci.image.manifest.v1+json",
      "digest": "` + b.Digest.String() + `",
      "size": 401,
      "annotations": {
        "c": "4"
      },
      "platform": {
        "architecture": "arm64",
        "os": "linux"
      }
    }
  ],
  "annotations": {
    "org.example.a": "1"
  }
}`
	if diff := cmp.Diff(want, string(x.Bytes)); diff != "" {
		t.Error(diff)
	}
	if x.Descriptor.Size != int64(len(want)) || x.Descriptor.Annotations["b"] != "2" {
		t.Errorf("descriptor is %+v", x.Descriptor)
	}
	if again := make(); again.Descriptor.Digest != x.Descriptor.Digest {
		t.Error("a second time gives other bytes")
	}
}

func TestAssembleRefuses(t *testing.T) {
	s := newStore(t)
	one := s.result(arm64, s.simple(arm64, "a"))
	same := s.result(platform.MustParse("linux/arm64/v8"), s.simple(arm64, "b"))
	_, err := manifest.Assemble(t.Context(), s.Store, []manifest.Result{one, same}, nil, "")
	var duplicate *manifest.DuplicateError
	if !errors.As(err, &duplicate) || duplicate.Platform != arm64 {
		t.Errorf("two arm64 images: %v", err)
	} else {
		hintOf(t, duplicate)
	}
	if _, err := manifest.Assemble(t.Context(), s.Store, nil, nil, ""); err == nil {
		t.Error("an index of nothing was made")
	}
}

func TestParseAnnotations(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want manifest.Annotations // nil: refused
	}{
		"plain ones are for every manifest": {"k=v", manifest.Annotations{{Level: "manifest", Key: "k", Value: "v"}}},
		"a value may hold anything":         {"k=a=b:c,d ", manifest.Annotations{{Level: "manifest", Key: "k", Value: "a=b:c,d "}}},
		"an empty value":                    {"k=", manifest.Annotations{{Level: "manifest", Key: "k"}}},
		"of the index":                      {"index:k=v", manifest.Annotations{{Level: "index", Key: "k", Value: "v"}}},
		"several levels at once": {"index,manifest-descriptor:k=v", manifest.Annotations{
			{Level: "index", Key: "k", Value: "v"}, {Level: "manifest-descriptor", Key: "k", Value: "v"},
		}},
		"of one platform":           {"manifest[linux/arm/v7]:k=v", manifest.Annotations{{Level: "manifest", Platform: armV7, Key: "k", Value: "v"}}},
		"nothing":                   {"", manifest.Annotations{}},
		"no value":                  {"k", nil},
		"no key":                    {"=v", nil},
		"no key behind a level":     {"index:=v", nil},
		"a space in the key":        {"a b=v", nil},
		"an unknown level":          {"image:k=v", nil},
		"an unknown platform":       {"manifest[linux/pdp11]:k=v", nil},
		"a platform of the index":   {"index[linux/amd64]:k=v", nil},
		"an unclosed platform":      {"manifest[linux/amd64:k=v", nil},
		"a level that is no word":   {"In dex:k=v", nil},
		"a level that is not there": {":k=v", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := manifest.ParseAnnotations([]string{test.text})
			if test.want == nil {
				var e *manifest.AnnotationError
				if !errors.As(err, &e) {
					t.Fatalf("read as %v, error %v", got, err)
				}
				hintOf(t, e)
				return
			}
			if len(got) != len(test.want) || err != nil {
				t.Fatalf("read as %v, error %v", got, err)
			}
			for i := range got {
				if diff := cmp.Diff(test.want[i], got[i]); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestAnnotationsOfAPlatformWinOverThoseOfAll(t *testing.T) {
	list, err := manifest.ParseAnnotations([]string{"manifest[linux/arm64]:k=arm", "k=all", "other=1", "other=2", "index:k=index"})
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[platform.Platform]map[string]string{
		arm64: {"annotation-manifest.k": "arm", "annotation-manifest.other": "2"},
		amd64: {"annotation-manifest.k": "all", "annotation-manifest.other": "2"},
	} {
		if diff := cmp.Diff(want, list.Exporter(p)); diff != "" {
			t.Errorf("%s: %s", p, diff)
		}
	}
	if err := list.Check([]platform.Platform{amd64, arm64}); err != nil {
		t.Error(err)
	}
	var e *manifest.AnnotationError
	if err := list.Check([]platform.Platform{amd64}); !errors.As(err, &e) {
		t.Errorf("an annotation of a platform that is not built: %v", err)
	}
}
