package inspect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/internal/registry/hubtest"
	"github.com/archbuild/archbuild/manifest/inspect"
	"github.com/archbuild/archbuild/platform"
)

// memory is a source of documents.
type memory map[digest.Digest][]byte

func (m memory) Document(_ context.Context, desc ocispec.Descriptor) ([]byte, error) {
	raw, ok := m[desc.Digest]
	if !ok {
		return nil, &imagetree.Problem{Kind: imagetree.Missing, Digest: desc.Digest, Message: "it is not there"}
	}
	return raw, nil
}

func (m memory) Size(_ context.Context, desc ocispec.Descriptor) (int64, error) {
	return int64(len(m[desc.Digest])), nil
}

func (m memory) Blob(_ context.Context, desc ocispec.Descriptor, _ int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(m[desc.Digest])), nil
}

type fields = map[string]any

func (m memory) put(mediaType string, value any) ocispec.Descriptor {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	d := digest.FromBytes(raw)
	m[d] = raw
	return ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(raw))}
}

func (m memory) manifest(config fields, more fields, layers ...ocispec.Descriptor) ocispec.Descriptor {
	all := fields{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageManifest, "config": m.put(ocispec.MediaTypeImageConfig, config), "layers": layers}
	for k, v := range more {
		all[k] = v
	}
	return m.put(ocispec.MediaTypeImageManifest, all)
}

func (m memory) index(children ...ocispec.Descriptor) ocispec.Descriptor {
	return m.put(ocispec.MediaTypeImageIndex, fields{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageIndex, "manifests": children})
}

// provenance is an attestation with one statement about an image.
func (m memory) provenance(about digest.Digest, kind string, predicate fields) ocispec.Descriptor {
	statement := m.put("application/vnd.in-toto+json", fields{"predicate": predicate})
	statement.Annotations = map[string]string{imagetree.PredicateType: kind}
	desc := m.manifest(fields{"os": "unknown", "architecture": "unknown"}, nil, statement)
	desc.Annotations = map[string]string{imagetree.ReferenceType: "attestation-manifest", imagetree.ReferenceDigest: about.String()}
	desc.Platform = &ocispec.Platform{OS: "unknown", Architecture: "unknown"}
	return desc
}

func read(t *testing.T, m memory, root ocispec.Descriptor, only ...platform.Platform) (inspect.Document, error) {
	t.Helper()
	return inspect.Read(t.Context(), "app", &imagetree.Opened{Source: m, Root: root}, only)
}

func TestBase(t *testing.T) {
	const v02, v1 = "https://slsa.dev/provenance/v0.2", "https://slsa.dev/provenance/v1"
	of := func(uris ...string) []fields {
		var list []fields
		for _, uri := range uris {
			list = append(list, fields{"uri": uri, "digest": fields{"sha256": "abc"}})
		}
		return list
	}
	later := func(uris ...string) fields {
		return fields{"buildDefinition": fields{"resolvedDependencies": of(uris...)}}
	}
	notes := func(name, digest string) fields {
		return fields{"annotations": fields{ocispec.AnnotationBaseImageName: name, ocispec.AnnotationBaseImageDigest: digest}}
	}
	debian := &inspect.Base{Name: "debian:12", Digest: "sha256:abc", From: "provenance"}
	for _, row := range []struct {
		name      string
		manifest  fields
		labels    fields
		kind      string
		predicate fields
		want      *inspect.Base
		materials int
	}{
		{name: "nothing tells"},
		{name: "an annotation", manifest: notes("debian:12", "sha256:1"), want: &inspect.Base{Name: "debian:12", Digest: "sha256:1", From: "annotation"}},
		{name: "an annotation comes before a label and provenance", manifest: notes("debian:12", ""), labels: fields{ocispec.AnnotationBaseImageName: "alpine"},
			kind: v1, predicate: later("pkg:docker/busybox@1"), want: &inspect.Base{Name: "debian:12", From: "annotation"}},
		{name: "a label", labels: fields{ocispec.AnnotationBaseImageName: "alpine"}, want: &inspect.Base{Name: "alpine", From: "label"}},
		{name: "provenance of version 0.2", kind: v02, predicate: fields{"materials": of("pkg:docker/debian@12?platform=linux%2Famd64")}, want: debian},
		{name: "provenance of version 1", kind: v1, predicate: later("pkg:docker/debian@12?digest=sha256:abc&platform=linux%2Famd64"), want: debian},
		{name: "what built it is no base", kind: v1, predicate: later("pkg:docker/docker/dockerfile@1", "pkg:docker/debian@12", "pkg:docker/docker/buildkit-syft-scanner@stable-1", "https://example.com/x.git"), want: debian},
		{name: "a name with a port", kind: v1, predicate: later("pkg:docker/host%3A5000/debian@12"), want: &inspect.Base{Name: "host:5000/debian:12", Digest: "sha256:abc", From: "provenance"}},
		{name: "the same image twice", kind: v1, predicate: later("pkg:docker/debian@12", "pkg:docker/debian@12?platform=linux%2Famd64"), want: debian},
		{name: "several leave it open", kind: v1, predicate: later("pkg:docker/golang@1.26", "pkg:docker/debian@12"), materials: 2},
		{name: "another kind of statement", kind: "https://spdx.dev/Document", predicate: fields{"materials": of("pkg:docker/debian@12")}},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := memory{}
			image := m.manifest(fields{"os": "linux", "architecture": "amd64", "config": fields{"Labels": row.labels}}, row.manifest)
			children := []ocispec.Descriptor{image}
			if row.kind != "" {
				children = append(children, m.provenance(image.Digest, row.kind, row.predicate))
			}
			d, err := read(t, m, m.index(children...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, d.Images[0].Base); diff != "" || len(d.Images[0].Materials) != row.materials {
				t.Errorf("%d materials, base (-want +got):\n%s", len(d.Images[0].Materials), diff)
			}
		})
	}
}

func TestReadSortsOutAnIndex(t *testing.T) {
	m := memory{}
	amd64 := m.manifest(fields{"os": "linux", "architecture": "amd64"}, nil, m.put(ocispec.MediaTypeImageLayer, "a layer"))
	arm64 := m.manifest(fields{"os": "linux", "architecture": "arm64"}, nil)
	inner := m.index(arm64)
	orphan := m.provenance("sha256:gone", "https://example.com/odd", nil)
	lost := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("lost"), Size: 1, Platform: &ocispec.Platform{OS: "linux", Architecture: "s390x"}}
	chart := m.manifest(nil, fields{"artifactType": "application/vnd.example.chart"})
	root := m.index(amd64, m.provenance(amd64.Digest, "https://cyclonedx.org/bom", nil), inner, orphan, chart, lost)
	d, err := read(t, m, root)
	if problem := (*inspect.ProblemError)(nil); !errors.As(err, &problem) || problem.Hint() != "archbuild verify app tells what to do" {
		t.Errorf("error = %v, want a *inspect.ProblemError", err)
	}
	var got []string
	for _, i := range d.Images {
		text := fmt.Sprintf("%s %d layers", i.Platform, i.Layers)
		for _, a := range i.Attestations {
			text += " " + a.Statements[0].Is
		}
		if i.Index != "" {
			text += " nested"
		}
		got = append(got, text+strings.Repeat(" problem", len(i.Problems)))
	}
	for _, o := range d.Others {
		text := o.Kind + " " + o.Type + o.SpeaksOf
		for _, s := range o.Statements {
			text += " " + s.Is
		}
		got = append(got, text)
	}
	want := []string{
		"linux/amd64 1 layers sbom (CycloneDX)", "linux/arm64 0 layers nested", "linux/s390x 0 layers problem",
		"artifact application/vnd.example.chart", "attestation sha256:gone https://example.com/odd",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
	if len(d.Indexes) != 1 || d.Indexes[0].Digest != inner.Digest.String() {
		t.Errorf("nested indexes %+v", d.Indexes)
	}
	if d, err := read(t, m, root, platform.MustParse("linux/arm64")); err != nil || len(d.Images) != 1 {
		t.Errorf("of one platform: %d images, %v", len(d.Images), err)
	}
	if _, err := read(t, m, root, platform.MustParse("linux/riscv64")); !errors.As(err, new(*imagetree.NoPlatformError)) {
		t.Errorf("of a platform that is not there: %v", err)
	}
}

func TestRaw(t *testing.T) {
	m := memory{}
	image := m.manifest(fields{"os": "linux", "architecture": "arm64", "variant": "v8"}, nil)
	root := m.index(image)
	for _, row := range []struct {
		root     ocispec.Descriptor
		platform platform.Platform
		want     ocispec.Descriptor
	}{{root, platform.Platform{}, root}, {root, platform.MustParse("linux/arm64"), image}, {image, platform.MustParse("linux/arm64"), image}} {
		raw, err := inspect.Raw(t.Context(), "app", &imagetree.Opened{Source: m, Root: row.root}, row.platform)
		if err != nil || digest.FromBytes(raw) != row.want.Digest {
			t.Errorf("%s of %s: %s, %v", row.platform, row.root.Digest, raw, err)
		}
	}
	if _, err := inspect.Raw(t.Context(), "app", &imagetree.Opened{Source: m, Root: image}, platform.MustParse("linux/amd64")); !errors.As(err, new(*imagetree.NoPlatformError)) {
		t.Errorf("error = %v", err)
	}
}

// TestReferrers asks a registry that has no referrers interface: the tag that
// stands in for it tells.
func TestReferrers(t *testing.T) {
	server := hubtest.New(t)
	name := server.Addr + "/app:1"
	image := hubtest.Image(t, "linux/amd64")
	subject := server.Put(t, name, image)
	signature := mutate.Annotations(mutate.Subject(hubtest.Image(t, "linux/amd64"), v1.Descriptor{Digest: subject, MediaType: ocispec.MediaTypeImageManifest, Size: 1}).(v1.Image), nil).(v1.Image)
	server.Put(t, server.Addr+"/app:signature", signature)
	list := mutate.AppendManifests(hubtest.Index(t), mutate.IndexAddendum{Add: signature, Descriptor: v1.Descriptor{ArtifactType: "application/vnd.dev.sigstore.bundle.v0.3+json"}})
	server.Put(t, server.Addr+"/app:sha256-"+subject.Hex, list)
	opened, err := imagetree.Open(t.Context(), name, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	d, err := inspect.Read(t.Context(), name, opened, nil)
	if err != nil || len(d.Referrers) != 1 || d.Referrers[0].Is != "signature (sigstore)" {
		t.Errorf("referrers %+v, %v", d.Referrers, err)
	}
}
