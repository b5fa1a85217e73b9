package manifest_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/manifest"
)

// readTar gives the files of a tar; one that is there twice fails the test.
func readTar(t *testing.T, archive []byte) (names []string, files map[string][]byte) {
	t.Helper()
	files = map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names, files
		}
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(names, h.Name) {
			t.Errorf("%s is there twice", h.Name)
		}
		names = append(names, h.Name)
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnArchiveForDockerIsAnOCIArchiveToo(t *testing.T) {
	s := newStore(t)
	r := s.result(arm64, s.attested(arm64, "a"))
	var archive, again bytes.Buffer
	for _, w := range []io.Writer{&archive, &again} {
		if err := s.assemble(nil, r).WriteDocker(t.Context(), w, []string{"app", "registry.example:5000/app:1.2"}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(archive.Bytes(), again.Bytes()) {
		t.Error("the same image gives another archive")
	}
	names, files := readTar(t, archive.Bytes())
	if len(names) != 2+3+3 {
		t.Errorf("the archive holds %q, not manifest, config, layer and three documents", names)
	}
	var list []struct {
		Config           string
		RepoTags, Layers []string
	}
	if err := json.Unmarshal(files["manifest.json"], &list); err != nil || len(list) != 1 {
		t.Fatalf("%s: %v", files["manifest.json"], err)
	}
	if diff := cmp.Diff([]string{"app:latest", "registry.example:5000/app:1.2"}, list[0].RepoTags); diff != "" {
		t.Error(diff)
	}
	if list[0].Config != "blobs/sha256/"+r.Config.Encoded() {
		t.Errorf("the config is %s, not %s", list[0].Config, r.Config)
	}
	for _, name := range append(list[0].Layers, list[0].Config) {
		if len(files[name]) == 0 {
			t.Errorf("there is no %s", name)
		}
	}
	var index ocispec.Index
	if err := json.Unmarshal(files["index.json"], &index); err != nil || len(index.Manifests) != 2 || index.Manifests[0].Digest != r.Descriptor.Digest {
		t.Errorf("index.json is %s: %v", files["index.json"], err)
	}

	file := filepath.Join(t.TempDir(), "a.tar")
	if err := os.WriteFile(file, archive.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var config struct{ Architecture string }
	if err := json.Unmarshal(skopeo(t, "inspect", "--config", "docker-archive:"+file), &config); err != nil || config.Architecture != "arm64" {
		t.Errorf("skopeo reads an image for %q: %v", config.Architecture, err)
	}
}

func TestAnArchiveForDockerHoldsOnePlatform(t *testing.T) {
	x := newStore(t).two()
	var few *manifest.OnePlatformError
	if err := x.WriteDocker(t.Context(), io.Discard, nil); !errors.As(err, &few) || few.Platforms != 2 {
		t.Errorf("error is %v", err)
	} else {
		hintOf(t, few)
	}
	for i, p := range []string{"amd64", "arm64"} {
		one, err := x.Only(x.Results[i].Platform)
		if err != nil {
			t.Fatal(err)
		}
		if one.Descriptor.Digest != x.Results[i].Descriptor.Digest {
			t.Errorf("%s alone is %s", p, one.Descriptor.Digest)
		}
		if err := one.WriteDocker(t.Context(), io.Discard, nil); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	if _, err := x.Only(armV7); err == nil {
		t.Error("there is an image that nobody built")
	}
}

func TestAnIndexSpeaksTheTypesOfItsImages(t *testing.T) {
	s := newStore(t)
	for name, test := range map[string]struct {
		types []string
		want  string
	}{
		"all of Docker's": {[]string{dockerManifest, dockerManifest}, "application/vnd.docker.distribution.manifest.list.v2+json"},
		"all of OCI's":    {[]string{ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageManifest}, ocispec.MediaTypeImageIndex},
		"some of each":    {[]string{dockerManifest, ocispec.MediaTypeImageManifest}, ocispec.MediaTypeImageIndex},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := s.result(amd64, s.simple(amd64, "a")), s.result(arm64, s.simple(arm64, "b"))
			a.Descriptor.MediaType, b.Descriptor.MediaType = test.types[0], test.types[1]
			if x := s.assemble(nil, a, b); x.Descriptor.MediaType != test.want {
				t.Errorf("the index is a %s", x.Descriptor.MediaType)
			}
		})
	}
}

const dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
