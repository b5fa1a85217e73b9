package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/internal/registrytest"
)

const listType = "application/vnd.docker.distribution.manifest.list.v2+json"

// The spec has all that manifest-tool's have: sources by tag and by digest, platforms whole, in part and left out, an
// index as a source, and more tags.
const spec = `image: HUB/app:1.2.3
tags: ["1.2", "1"]
manifests:
  - image: HUB/parts:arm64
    platform:
      architecture: arm64
      os: linux
      variant: v8
  - image: HUB/parts@WINDOWS
    platform:
      architecture: amd64
      os: windows
      osversion: 10.0.17763.1
      osfeatures: [win32k]
  - image: HUB/parts:index
  - image: HUB/parts:386
    platform:
      architecture: 386
      os: linux
  - image: HUB/parts:armv7
`

func TestASpecGivesTheListOfManifestTool(t *testing.T) {
	for _, kind := range realRegistries {
		t.Run(string(kind), func(t *testing.T) {
			hub, x := registrytest.Start(t, kind), newTools(t)
			part := func(tag, platform string) registrytest.Descriptor {
				image := registrytest.Image(registrytest.Options{Docker: true, Platforms: []string{platform}})
				image.Push(t, hub.Addr, "parts", tag)
				return image.Root
			}
			arm64, windows, i386, armv7 := part("arm64", "linux/arm64"), part("windows", "windows/amd64"), part("386", "linux/386"), part("armv7", "linux/arm/v7")
			index := registrytest.Index(registrytest.Options{Docker: true, Attest: true, Platforms: []string{"linux/amd64", "linux/ppc64le"}})
			index.Push(t, hub.Addr, "parts", "index")
			of := index.Children() // Two images, two attestations.

			file := filepath.Join(x.dir, "spec.yaml")
			text := strings.NewReplacer("HUB", hub.Addr, "WINDOWS", windows.Digest).Replace(spec)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			said := x.run("archbuild", "manifest", "push", "--type", "docker", "from-spec", file)

			want := list(
				entry(arm64, `{"architecture": "arm64", "os": "linux", "variant": "v8"}`),
				entry(windows, `{"architecture": "amd64", "os": "windows", "os.version": "10.0.17763.1", "os.features": ["win32k"]}`),
				entry(of[0], `{"architecture": "amd64", "os": "linux"}`),
				entry(of[1], `{"architecture": "ppc64le", "os": "linux"}`),
				entry(i386, `{"architecture": "386", "os": "linux"}`),
				entry(armv7, `{"architecture": "arm", "os": "linux", "variant": "v7"}`),
				attestation(of[2], of[0]), attestation(of[3], of[1]),
			)
			for _, tag := range []string{"1.2.3", "1.2", "1"} {
				mediaType, body := httpGet(t, "http://"+hub.Addr+"/v2/app/manifests/"+tag)
				if mediaType != listType {
					t.Errorf("%s is served as %s", tag, mediaType)
				}
				if diff := cmp.Diff(decoded(t, want), decoded(t, body)); diff != "" {
					t.Errorf("%s: -want +got\n%s", tag, diff)
				}
				var indented bytes.Buffer
				if err := json.Indent(&indented, body, "", "  "); err != nil || !bytes.Equal(indented.Bytes(), body) {
					t.Errorf("%s is not indented by two spaces: %s", tag, body)
				}
			}
			p := read(t, hub.Addr, "app", "1.2.3")
			if line := fmt.Sprintf("Digest: %s %d\n", p.Digest, p.Size); !strings.Contains(string(said), line) {
				t.Errorf("it prints %q, which lacks %q", said, line)
			}
		})
	}
}

func list(entries ...string) []byte {
	return fmt.Appendf(nil, `{"schemaVersion": 2, "mediaType": %q, "manifests": [%s]}`, listType, strings.Join(entries, ", "))
}

func entry(d registrytest.Descriptor, platform string) string {
	return fmt.Sprintf(`{"mediaType": "application/vnd.docker.distribution.manifest.v2+json", "size": %d, "digest": %q, "platform": %s}`, d.Size, d.Digest, platform)
}

func attestation(d, of registrytest.Descriptor) string {
	return fmt.Sprintf(`{"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": %d, "digest": %q, "platform": {"architecture": "unknown", "os": "unknown"},
		"annotations": {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": %q}}`, d.Size, d.Digest, of.Digest)
}

func decoded(t testing.TB, data []byte) (value any) {
	t.Helper()
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// httpGet asks as old clients do, that know docker's types alone.
func httpGet(t testing.TB, url string) (mediaType string, body []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", listType)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err = io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, response.Status, err)
	}
	return response.Header.Get("Content-Type"), body
}
