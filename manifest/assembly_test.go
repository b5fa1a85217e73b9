package manifest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/registrytest"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/platform"
)

// gather puts an index together and closes it when the test ends.
func gather(t testing.TB, r manifest.Request) *manifest.Assembly {
	t.Helper()
	a, err := manifest.Gather(t.Context(), client(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func from(texts ...string) []manifest.Source {
	var list []manifest.Source
	for _, text := range texts {
		list = append(list, manifest.Source{Text: text})
	}
	return list
}

// suite runs a test against each make of registry.
func suite(t *testing.T, test func(t *testing.T, host string)) {
	for _, kind := range registrytest.Kinds {
		t.Run(string(kind), func(t *testing.T) { test(t, registrytest.Start(t, kind).Addr) })
	}
}

// pushed is an image in the registry, under each of the names.
func (s stored) pushed(host string, p platform.Platform, content string, names ...string) string {
	s.t.Helper()
	x := s.assemble(nil, s.result(p, s.attested(p, content)))
	for i, name := range names {
		names[i] = host + "/" + name
	}
	if _, err := x.Push(s.t.Context(), client(), names, manifest.PushOptions{}); err != nil {
		s.t.Fatal(err)
	}
	return names[0]
}

// listed are the platforms of an index, attestations as "attestation".
func listed(t testing.TB, body []byte) string {
	t.Helper()
	var x ocispec.Index
	if err := json.Unmarshal(body, &x); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range x.Manifests {
		name := "attestation"
		if m.Platform.OS != "unknown" {
			name = platform.FromOCI(*m.Platform).String()
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

func TestSourcesAreTakenFromEverywhere(t *testing.T) { suite(t, sourcesAreTakenFromEverywhere) }

func sourcesAreTakenFromEverywhere(t *testing.T, host string) {
	s, other := newStore(t), registrytest.Start(t, registrytest.Memory).Addr
	a := s.pushed(host, amd64, "a", "parts/amd64:1")
	b := s.pushed(other, arm64, "b", "parts:arm64")
	layout := filepath.Join(t.TempDir(), "layout")
	if err := s.assemble(nil, s.result(armV7, s.simple(armV7, "c"))).WriteLayout(t.Context(), layout, nil); err != nil {
		t.Fatal(err)
	}
	x := gather(t, manifest.Request{Sources: from(a, b, layout)})
	if diff := cmp.Diff("linux/amd64 linux/arm64 linux/arm/v7 attestation attestation", listed(t, x.Bytes)); diff != "" {
		t.Error(diff)
	}
	names := []string{host + "/app:1", host + "/app:latest"}
	got, err := x.Push(t.Context(), client(), names, manifest.PushOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// Of arm64 config, layer, and the attestation's two; of arm/v7 two. One of them,
	// the attestation's config, is that of amd64 as well, and may be mounted before it is sent.
	if got.Blobs < 5 || got.Blobs > 6 || got.Manifests != 5 {
		t.Errorf("told %+v", got)
	}
	_, body, err := client().Get(t.Context(), names[1])
	if err != nil || !bytes.Equal(body, x.Bytes) {
		t.Errorf("the tag names %s (%v)", body, err)
	}
	again, err := gather(t, manifest.Request{Sources: from(a, b, layout)}).Push(t.Context(), client(), names, manifest.PushOptions{})
	if err != nil || again.Sent != 0 || again.Manifests != 0 || again.Tags[0].State != manifest.TagUnchanged {
		t.Errorf("repeated: %+v, %v", again, err)
	}
}

func TestASingleIndexKeepsItsDigest(t *testing.T) { suite(t, aSingleIndexKeepsItsDigest) }

func aSingleIndexKeepsItsDigest(t *testing.T, host string) {
	s := newStore(t)
	source := s.pushed(host, amd64, "a", "app:rc")
	x := gather(t, manifest.Request{Sources: from(source)})
	before, err := client().Head(t.Context(), source)
	if err != nil || x.Descriptor.Digest != before.Digest {
		t.Fatalf("%s became %s (%v)", before.Digest, x.Descriptor.Digest, err)
	}
	got, err := x.Push(t.Context(), client(), []string{host + "/app:1"}, manifest.PushOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Manifests != 0 || got.Blobs != 0 || got.Mounted != 0 {
		t.Errorf("promoting within a repository wrote %+v", got)
	}
	if _, err := x.Push(t.Context(), client(), []string{host + "/elsewhere:1"}, manifest.PushOptions{}); err != nil {
		t.Error(err)
	}
}

func TestWhatAnIndexIsMadeOf(t *testing.T) { suite(t, whatAnIndexIsMadeOf) }

func whatAnIndexIsMadeOf(t *testing.T, host string) {
	s := newStore(t)
	a, b := s.pushed(host, amd64, "a", "app:amd64"), s.pushed(host, arm64, "b", "app:arm64")
	b2 := s.pushed(host, arm64, "b2", "app:arm64-new")
	both := gather(t, manifest.Request{Sources: from(a, b)})
	if _, err := both.Push(t.Context(), client(), []string{host + "/app:both"}, manifest.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	annotations := func(texts ...string) manifest.Annotations {
		list, err := manifest.ParseAnnotations(texts)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	for name, row := range map[string]struct {
		manifest.Request
		want string
	}{
		"in the order of the sources":         {manifest.Request{Sources: from(b, a)}, "linux/arm64 linux/amd64 attestation attestation"},
		"the same image twice counts once":    {manifest.Request{Sources: from(a, b, host+"/app:both")}, "linux/amd64 linux/arm64 attestation attestation"},
		"one platform of an index":            {manifest.Request{Sources: from(host + "/app:both"), Platforms: []platform.Platform{arm64}}, "linux/arm64 attestation"},
		"added to what is there":              {manifest.Request{Append: a, Sources: from(b)}, "linux/amd64 linux/arm64 attestation attestation"},
		"added to what is not there":          {manifest.Request{Append: host + "/app:new", Sources: from(b)}, "linux/arm64 attestation"},
		"in place of the same platform":       {manifest.Request{Append: host + "/app:both", Sources: from(b2)}, "linux/amd64 linux/arm64 attestation attestation"},
		"a platform that was told":            {manifest.Request{Sources: []manifest.Source{{Text: a, Platform: ocispec.Platform{Variant: "v2"}}}}, "linux/amd64/v2 attestation"},
		"without attestations":                {manifest.Request{Sources: from(a, b), Attestations: manifest.NoAttestations}, "linux/amd64 linux/arm64"},
		"with attestations elsewhere":         {manifest.Request{Sources: from(a, b), Attestations: manifest.AsReferrers}, "linux/amd64 linux/arm64"},
		"with attestations in another index":  {manifest.Request{Sources: from(a, b), Attestations: manifest.Split}, "linux/amd64 linux/arm64"},
		"a new manifest loses attestations":   {manifest.Request{Sources: from(a, b), Annotations: annotations("manifest[linux/arm64]:k=v")}, "linux/amd64 linux/arm64 attestation"},
		"annotations of index and descriptor": {manifest.Request{Sources: from(a), Annotations: annotations("index:k=v", "manifest-descriptor:k=w")}, "linux/amd64 attestation"},
	} {
		t.Run(name, func(t *testing.T) {
			x := gather(t, row.Request)
			if diff := cmp.Diff(row.want, listed(t, x.Bytes)); diff != "" {
				t.Error(diff)
			}
			got, err := x.Push(t.Context(), client(), []string{host + "/result:1"}, manifest.PushOptions{})
			if err != nil {
				t.Errorf("pushing: %v, told %+v", err, got)
			}
		})
	}
}

func TestAttestationProfilesKeepTheImages(t *testing.T) { suite(t, attestationProfilesKeepTheImages) }

func attestationProfilesKeepTheImages(t *testing.T, host string) {
	s := newStore(t)
	a, b := s.pushed(host, amd64, "a", "parts:amd64"), s.pushed(host, arm64, "b", "parts:arm64")
	var images string
	for _, profile := range []manifest.Profile{manifest.InIndex, manifest.AsReferrers, manifest.NoAttestations, manifest.Split} {
		x := gather(t, manifest.Request{Sources: from(a, b), Attestations: profile})
		var digests []string
		for _, m := range x.Images {
			digests = append(digests, m.Digest.String())
		}
		if all := strings.Join(digests, " "); images == "" {
			images = all
		} else if all != images {
			t.Errorf("%s changes the images", profile)
		}
		repo := host + "/" + string(profile)
		if _, err := x.Push(t.Context(), client(), []string{repo + ":1"}, manifest.PushOptions{}); err != nil {
			t.Fatalf("%s: %v", profile, err)
		}
		if profile == manifest.Split {
			if _, body, err := client().Get(t.Context(), repo+"@"+x.Full.String()); err != nil || !strings.HasSuffix(listed(t, body), "attestation attestation") {
				t.Errorf("the index with attestations: %s, %v", body, err)
			}
		}
		if profile == manifest.AsReferrers {
			for _, m := range x.Images {
				if list := referrers(t, repo, m.Digest.String()); len(list) != 1 {
					t.Errorf("referrers of %s: %+v", m.Digest, list)
				}
			}
		}
	}
}

// referrers asks a registry what refers to an image, by the API or, where there
// is none, by the fallback tag of the OCI distribution specification.
func referrers(t testing.TB, repo, digest string) []ocispec.Descriptor {
	t.Helper()
	host, path, _ := strings.Cut(repo, "/")
	for _, last := range []string{"referrers/" + digest, "manifests/" + strings.Replace(digest, ":", "-", 1)} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/v2/"+path+"/"+last, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", ocispec.MediaTypeImageIndex)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var x ocispec.Index
		if resp.StatusCode == http.StatusOK && json.NewDecoder(resp.Body).Decode(&x) == nil {
			return x.Manifests
		}
	}
	return nil
}

func TestOneImageWithoutAttestationsIsPlain(t *testing.T) {
	suite(t, oneImageWithoutAttestationsIsPlain)
}

func oneImageWithoutAttestationsIsPlain(t *testing.T, host string) {
	s := newStore(t)
	a := s.pushed(host, amd64, "a", "parts:amd64")
	x := gather(t, manifest.Request{Sources: from(a), Attestations: manifest.NoAttestations})
	if x.Descriptor.MediaType != ocispec.MediaTypeImageManifest || x.Descriptor.Digest != x.Images[0].Digest {
		t.Errorf("it is a %s", x.Descriptor.MediaType)
	}
	if _, err := x.Push(t.Context(), client(), []string{host + "/lambda:1"}, manifest.PushOptions{}); err != nil {
		t.Error(err)
	}
}

func TestSourcesThatAreNoIndex(t *testing.T) { suite(t, sourcesThatAreNoIndex) }

func sourcesThatAreNoIndex(t *testing.T, host string) {
	s := newStore(t)
	a, a2 := s.pushed(host, amd64, "a", "app:amd64"), s.pushed(host, amd64, "a2", "app:amd64-2")
	unlabelled := s.simple(platform.Platform{}, "nothing")
	layout := t.TempDir()
	for name, body := range map[string]string{"oci-layout": `{"imageLayoutVersion":"1.0.0"}`, "index.json": `{"schemaVersion":2,"manifests":[{"mediaType":"` + unlabelled.MediaType + `","digest":"` + unlabelled.Digest.String() + `","size":` + jsonText(t, unlabelled.Size) + `}]}`} {
		if err := os.WriteFile(filepath.Join(layout, name), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(s.Dir, "blobs"), filepath.Join(layout, "blobs")); err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(t.TempDir(), "inside")
	if err := os.CopyFS(inside, os.DirFS(s.Dir)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"oci-layout", "index.json"} {
		body, err := os.ReadFile(filepath.Join(layout, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(inside, name), body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	told := func(text string, p ocispec.Platform) []manifest.Source {
		return []manifest.Source{{Text: text, Platform: p}}
	}
	for name, row := range map[string]struct {
		manifest.Request
		want string
	}{
		"two images for a platform":            {manifest.Request{Sources: from(a, a2)}, "both have an image for linux/amd64"},
		"a platform that no source has":        {manifest.Request{Sources: from(a), Platforms: []platform.Platform{armV7}}, "no image for linux/arm/v7"},
		"a required platform that is missing":  {manifest.Request{Sources: from(a), Require: []platform.Platform{amd64, arm64}}, "no image for linux/arm64: the sources have linux/amd64"},
		"a label that the config contradicts":  {manifest.Request{Sources: told(a, ocispec.Platform{OS: "linux", Architecture: "arm64"})}, "is to be linux/arm64, but its config says linux/amd64"},
		"an image that names no platform":      {manifest.Request{Sources: from(inside)}, "names no platform"},
		"blobs outside of the layout":          {manifest.Request{Sources: from(layout)}, "blobs"},
		"an annotation for none of the images": {manifest.Request{Sources: from(a), Annotations: manifest.Annotations{{Level: manifest.LevelDescriptor, Platform: armV7, Key: "k"}}}, "linux/arm/v7 is not among the platforms"},
		"a source that does not exist":         {manifest.Request{Sources: from(host + "/app:none")}, "does not exist"},
		"a folder that does not exist":         {manifest.Request{Sources: from("./none")}, "no such file or folder"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := manifest.Gather(t.Context(), client(), row.Request)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("%v, not %q", err, row.want)
			}
		})
	}
	if _, err := manifest.Gather(t.Context(), client(), manifest.Request{Sources: told(a, ocispec.Platform{OS: "linux", Architecture: "arm64"}), Unchecked: true}); err != nil {
		t.Errorf("not checked, but %v", err)
	}
	if _, err := manifest.Gather(t.Context(), client(), manifest.Request{Sources: told(inside, ocispec.Platform{OS: "linux", Architecture: "arm64"})}); err != nil {
		t.Errorf("the platform was told, but %v", err)
	}
	var e *manifest.LabelError
	_, err := manifest.Gather(t.Context(), client(), manifest.Request{Sources: told(a, ocispec.Platform{OS: "linux", Architecture: "arm64"})})
	if !errors.As(err, &e) || e.ExitStatus() != 3 {
		t.Errorf("a wrong label is %v", err)
	}
}

func jsonText(t testing.TB, value any) string {
	t.Helper()
	body, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestAnIndexOfTypeDocker is the form of manifest-tool, as JSON.
func TestAnIndexOfTypeDocker(t *testing.T) { suite(t, anIndexOfTypeDocker) }

func anIndexOfTypeDocker(t *testing.T, host string) {
	s := newStore(t)
	a, b := s.pushed(host, amd64, "a", "app:amd64"), s.pushed(host, armV7, "b", "app:armv7")
	x := gather(t, manifest.Request{Sources: from(b, a), Type: manifest.Docker, Strict: true, Attestations: manifest.NoAttestations})
	entry := func(i int, p string) string {
		size := int64(0)
		if head, err := client().Head(t.Context(), host+"/app@"+x.Images[i].Digest.String()); err == nil {
			size = head.Size
		}
		return `{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":` + jsonText(t, size) + `,"digest":"` + x.Images[i].Digest.String() + `","platform":` + p + `}`
	}
	want := `{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[` +
		entry(0, `{"architecture":"arm","os":"linux","variant":"v7"}`) + "," + entry(1, `{"architecture":"amd64","os":"linux"}`) + "]}"
	var wanted, got any
	if err := errors.Join(json.Unmarshal([]byte(want), &wanted), json.Unmarshal(x.Bytes, &got)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Error(diff)
	}
	if !bytes.HasPrefix(x.Bytes, []byte("{\n  \"schemaVersion\"")) {
		t.Error("not indented by two spaces")
	}
}
