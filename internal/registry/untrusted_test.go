package registry_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/registry/hubtest"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
)

const (
	index = "application/vnd.oci.image.index.v1+json"
	image = "application/vnd.oci.image.manifest.v1+json"
	child = `{"mediaType":"` + image + `","size":9,"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","platform":{"os":"linux","architecture":"amd64"}}`
	conf  = `{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}`
)

func TestAnswersThatAreNotBelieved(t *testing.T) {
	for _, c := range []struct{ why, mediaType, body, want string }{
		{"an index that is an image as well (CVE-2021-41190)", index, `{"schemaVersion":2,"mediaType":"` + index + `","manifests":[` + child + `],"config":` + conf + `,"layers":[]}`, "both an index and an image"},
		{"an index by its own word, an image by its fields", index, `{"schemaVersion":2,"mediaType":"` + index + `","config":` + conf + `,"layers":[]}`, "neither an image nor an index"},
		{"an image by its own word, an index by its fields", image, `{"schemaVersion":2,"mediaType":"` + image + `","manifests":[]}`, "neither an image nor an index"},
		{"a child whose digest is a path", index, `{"schemaVersion":2,"mediaType":"` + index + `","manifests":[{"mediaType":"` + image + `","size":1,"digest":"sha256:../../etc/passwd"}]}`, "without a proper digest"},
		{"more children than anyone needs", index, `{"schemaVersion":2,"mediaType":"` + index + `","manifests":[` + strings.Repeat(child+",", 1000) + child + `]}`, "more than 1000"},
		{"more bytes than anyone needs", index, `{"schemaVersion":2,"manifests":[]` + strings.Repeat(" ", 5<<20) + `}`, "larger than 4 MiB"},
		{"schema 1", "application/vnd.docker.distribution.manifest.v1+json", `{"schemaVersion":1,"fsLayers":[]}`, "old schema 1"},
		{"no JSON", index, `<html>`, "reading the manifest"},
		{"a config of another kind", image, `{"schemaVersion":2,"mediaType":"` + image + `","config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"layers":[]}`, "is no image: its config is of type"},
		{"a config that says it is huge", image, `{"schemaVersion":2,"mediaType":"` + image + `","config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":99999999999,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"layers":[]}`, "larger than 4 MiB"},
		{"a config without platform", image, `{"schemaVersion":2,"mediaType":"` + image + `","config":` + conf + `,"layers":[]}`, "names no platform"},
		{"nesting without end", index, `{"schemaVersion":2,"mediaType":"` + index + `","manifests":[{"mediaType":"` + index + `","size":1,"digest":"NEXT"}]}`, "nests deeper than 3"},
	} {
		t.Run(c.why, func(t *testing.T) {
			s := hubtest.New(t)
			s.Fault(func(w http.ResponseWriter, r *http.Request) bool {
				body := c.body
				switch {
				case strings.Contains(r.URL.Path, "/blobs/"):
					body = "{}"
				case strings.Contains(body, "NEXT"):
					body = nested(body, r.URL.Path)
				case !strings.Contains(r.URL.Path, "/manifests/"):
					return false
				}
				w.Header().Set("Content-Type", c.mediaType)
				w.Header().Set("Docker-Content-Digest", digest.FromString(body).String())
				fmt.Fprint(w, body)
				return true
			})
			_, err := s.Client().Image(t.Context(), "registry.example/x:1")
			var typed *registry.Error
			if !errors.As(err, &typed) || typed.Kind != registry.Invalid || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// nested makes a chain of ten indexes; a path that ends in one's digest gives that one.
func nested(body, path string) string {
	next := child[strings.Index(child, "sha256:"):][:71]
	var text string
	for range 10 {
		text = strings.ReplaceAll(body, "NEXT", next)
		next = digest.FromString(text).String()
		if strings.HasSuffix(path, next) {
			return text
		}
	}
	return text
}

func TestADigestIsCheckedWhereverItComesFrom(t *testing.T) {
	s := hubtest.New(t)
	s.Push(t, "registry.example/x:1", "linux/amd64")
	s.Fault(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/manifests/sha256:") {
			return false
		}
		w.Header().Set("Content-Type", image)
		fmt.Fprint(w, `{"schemaVersion":2,"config":`+conf+`}`)
		return true
	})
	if _, err := s.Client().Image(t.Context(), "registry.example/x:1"); err == nil || !strings.Contains(err.Error(), "does not match") {
		t.Error(err)
	}
	s.Fault(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			fmt.Fprint(w, `{"os":"linux","architecture":"s390x"}`)
			return true
		}
		return false
	})
	if got, err := s.Client().Image(t.Context(), "registry.example/x:1"); err == nil {
		t.Errorf("a config with another digest is believed: %v", got)
	}
}

func TestNestedIndexesAndStrangeChildren(t *testing.T) {
	s := hubtest.New(t)
	inner := hubtest.Index(t, "linux/arm64", "linux/s390x")
	helm := mutate.ConfigMediaType(mutate.MediaType(hubtest.Image(t, "linux/amd64"), types.OCIManifestSchema1), "application/vnd.cncf.helm.config.v1+json")
	outer := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		mutate.IndexAddendum{Add: hubtest.Image(t, "linux/amd64")},
		mutate.IndexAddendum{Add: inner},
		mutate.IndexAddendum{Add: hubtest.Image(t, "linux/amd64"), Descriptor: attestation("linux/amd64")},
		mutate.IndexAddendum{Add: helm, Descriptor: v1.Descriptor{ArtifactType: "application/vnd.cncf.helm.config.v1+json"}},
	)
	s.Put(t, "registry.example/x:1", outer)
	got, err := s.Client().Image(t.Context(), "registry.example/x:1")
	if err != nil || offers(got) != "linux/amd64 linux/arm64 linux/s390x" {
		t.Errorf("offers %q, %v", offers(got), err)
	}
}

func attestation(p string) v1.Descriptor {
	os, arch, _ := strings.Cut(p, "/")
	return v1.Descriptor{
		Platform:    &v1.Platform{OS: os, Architecture: arch},
		Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest"},
	}
}

func TestWhatIsPushedIsThereAtOnce(t *testing.T) {
	s := hubtest.New(t)
	c := s.Client()
	ctx := t.Context()
	repo := "registry.example/team/app"
	if _, err := c.Image(ctx, repo+":1"); err == nil {
		t.Fatal("not empty")
	}
	one, two := hubtest.Index(t, "linux/amd64", "linux/arm64"), hubtest.Index(t, "linux/s390x", "linux/riscv64")
	for _, what := range []v1.ImageIndex{one, two} {
		if err := c.Push(ctx, repo+":1", what); err != nil {
			t.Fatal(err)
		}
		want, _ := what.Digest()
		if got, err := c.Image(ctx, repo+":1"); err != nil || got.Digest != want.String() {
			t.Errorf("got %s, want %s: %v", got.Digest, want, err)
		}
	}
	data, _ := one.RawManifest()
	first, _ := one.Digest()
	desc, err := c.PutManifest(ctx, repo+":2", data, index)
	if err != nil || desc.Digest.String() != first.String() || desc.Size != int64(len(data)) {
		t.Errorf("%+v, %v", desc, err)
	}
	if err := c.Tag(ctx, repo+"@"+first.String(), "3"); err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{":2", ":3", "@" + first.String()} {
		head, err := c.Head(ctx, repo+tag)
		if err != nil || head.Digest != desc.Digest || head.MediaType != index {
			t.Errorf("%s: %+v, %v", tag, head, err)
		}
	}
	got, bytesOf, err := c.Get(ctx, repo+":3")
	if err != nil || got.Digest != desc.Digest || !bytes.Equal(bytesOf, data) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := c.PutManifest(ctx, repo+"@sha256:"+strings.Repeat("0", 64), data, index); err == nil || !strings.Contains(err.Error(), "is not that of the manifest") {
		t.Error(err)
	}
	if _, err := c.Head(ctx, repo+":none"); err == nil || err.Error() != repo+":none does not exist in registry.example" {
		t.Error(err)
	}
}

func TestAnUploadSurvivesALostConnection(t *testing.T) {
	s := hubtest.New(t)
	lost := map[string]bool{}
	var mu sync.Mutex
	s.Fault(func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodGet || r.Method == http.MethodHead || lost[r.Method] {
			return false
		}
		lost[r.Method] = true
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			conn.Close()
		}
		return true
	})
	if err := s.Client().Push(t.Context(), "registry.example/x:1", hubtest.Image(t, "linux/amd64")); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, method := range []string{http.MethodPost, http.MethodPatch, http.MethodPut} {
		if !lost[method] {
			t.Errorf("no %s was lost", method)
		}
	}
}

func TestBadReferences(t *testing.T) {
	c := registry.New(registry.Options{})
	for _, ref := range []string{"", "Debian", "a b", "x:", "x@sha256:12", "x@sha256:../../x", "http://x/y", "x:y:z", "-x", "\x1b[31m"} {
		_, err := c.Image(t.Context(), ref)
		var typed *registry.Error
		if !errors.As(err, &typed) || typed.Kind != registry.Invalid {
			t.Errorf("%q: %v", ref, err)
		}
	}
}
