package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// archive is an OCI archive of one image with a program and a jar.
func archive(t *testing.T, built time.Time, program, class string, cmd ...string) string {
	t.Helper()
	var jar, files bytes.Buffer
	z, w := zip.NewWriter(&jar), tar.NewWriter(&files)
	f, err := z.CreateHeader(&zip.FileHeader{Name: "Main.class", Modified: built})
	check(t, err)
	_, err = io.WriteString(f, class)
	check(t, err)
	check(t, z.Close())
	for name, content := range map[string]string{"app/program": program, "app/app.jar": jar.String()} {
		check(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(content)), ModTime: built}))
		_, err := io.WriteString(w, content)
		check(t, err)
	}
	check(t, w.Close())
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files.Bytes())), nil })
	check(t, err)
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "arm64", Config: v1.Config{Cmd: cmd}})
	check(t, err)
	img, err = mutate.AppendLayers(img, layer)
	check(t, err)
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "image.tar")
	_, err = layout.Write(dir, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
		Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}},
	}))
	check(t, err)
	out, err := os.Create(file)
	check(t, err)
	packed := tar.NewWriter(out)
	check(t, packed.AddFS(os.DirFS(dir)))
	check(t, packed.Close())
	check(t, out.Close())
	return file
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestImagesAreComparedByWhatRuns(t *testing.T) {
	monday := time.Date(2026, time.January, 5, 0, 0, 0, 0, time.UTC)
	first, err := contents(archive(t, monday, "program", "class", "run"), "linux/arm64")
	check(t, err)
	tests := map[string]struct {
		archive string
		want    []string
	}{
		"times make no difference":          {archive(t, monday.AddDate(0, 0, 1), "program", "class", "run"), nil},
		"a changed program does":            {archive(t, monday, "Program", "class", "run"), []string{"/app/program"}},
		"so does a class in a jar":          {archive(t, monday, "program", "Class", "run"), []string{"/app/app.jar"}},
		"and so does what the image starts": {archive(t, monday, "program", "class", "stop"), []string{"config"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			second, err := contents(test.archive, "linux/arm64")
			check(t, err)
			var got []string
			for name := range first {
				if len(differences(map[string]string{name: first[name]}, map[string]string{name: second[name]})) > 0 {
					got = append(got, name)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
		})
	}
}
