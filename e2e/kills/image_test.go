package kills_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/archbuild/archbuild/internal/registrytest"
)

// pushBase makes the image that every build starts from: a program for each architecture, and nothing else.
func pushBase(t *testing.T, to string, tools map[string]string) {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range architectures {
		layer := static.NewLayer(tarOf(t, tools[arch]), types.OCIUncompressedLayer)
		img, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layer)
		if err != nil {
			t.Fatal(err)
		}
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config = config.DeepCopy()
		config.OS, config.Architecture = "linux", arch
		if img, err = mutate.ConfigFile(img, config); err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	ref, err := name.ParseReference(to, name.Insecure)
	if err == nil {
		err = remote.WriteIndex(ref, index)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// tarOf is a layer with one program, /tool.
func tarOf(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err = w.WriteHeader(&tar.Header{Name: "tool", Mode: 0o755, Size: int64(len(content)), ModTime: time.Unix(1700000000, 0)})
	if err == nil {
		_, err = w.Write(content)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// named is the digest that a tag names now, empty for none.
func (l *lane) named(repo, tag string) string {
	l.Helper()
	digest, err := registrytest.Digest(l.registry.addr, repo, tag)
	if err != nil {
		l.Fatalf("%s:%s: %v", repo, tag, err)
	}
	return digest
}

// wantWhole looks at all that an index refers to, and at what this round has put into it.
func (l *lane) wantWhole(repo, ref string, r round) {
	l.Helper()
	node, wrong := registrytest.Read(l.registry.addr, repo, ref)
	for _, text := range wrong {
		l.Errorf("%s: %s of %s: %s", r, ref, repo, text)
	}
	var want []string
	for _, arch := range architectures {
		want = append(want, "linux/"+arch)
	}
	if got := node.Platforms(); !slices.Equal(got, want) {
		l.Errorf("%s: %s of %s is for %q", r, ref, repo, got)
		return
	}
	for i, child := range node.Children {
		if len(child.Layers) == 0 {
			l.Errorf("%s: %s of %s has no layers", r, ref, repo)
			return
		}
		text, err := l.changed(repo, child.Layers[len(child.Layers)-1].Digest)
		if want := l.tag(r) + " " + architectures[i] + "\n"; err != nil || text != want {
			l.Errorf("%s: %s of %s holds %q for %s (%v), want %q", r, ref, repo, text, architectures[i], err, want)
		}
	}
}

// changed is the file of a layer that every round makes anew.
func (l *lane) changed(repo, digest string) (string, error) {
	answer, err := http.Get("http://" + l.registry.addr + "/v2/" + repo + "/blobs/" + digest)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	plain, err := gzip.NewReader(answer.Body)
	if err != nil {
		return "", err
	}
	for layer := tar.NewReader(plain); ; {
		header, err := layer.Next()
		if err != nil {
			return "", err
		}
		if header.Name == "out/changed" {
			text, err := io.ReadAll(layer)
			return string(text), err
		}
	}
}

// wantOutputs looks at what lies where outputs go: nothing but outputs, and each of them whole, whichever run it is of.
func (l *lane) wantOutputs(r round) {
	l.Helper()
	entries, err := os.ReadDir(l.out)
	if err != nil {
		l.Fatal(err)
	}
	for _, entry := range entries {
		var err error
		switch entry.Name() {
		case "metadata.json", "iid":
		case "archive.tar":
			err = l.checkArchive(filepath.Join(l.out, entry.Name()))
		case "layout":
			err = checkLayout(filepath.Join(l.out, entry.Name()))
		default:
			err = errors.New("this is no output")
		}
		if err != nil {
			l.Errorf("%s: %s: %v", r, entry.Name(), err)
		}
	}
}

// checkBlob compares a blob with its name; other files have none.
func checkBlob(path string, content io.Reader) error {
	sum := sha256.New()
	if _, err := io.Copy(sum, content); err != nil {
		return err
	}
	if before, hex, ok := strings.Cut(filepath.ToSlash(path), "blobs/sha256/"); ok && hex != fmt.Sprintf("%x", sum.Sum(nil)) {
		return fmt.Errorf("%s%s has other bytes", before, hex)
	}
	return nil
}

func (l *lane) checkArchive(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var names []string
	for archive := tar.NewReader(f); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && header.Typeflag == tar.TypeReg {
			err = checkBlob(header.Name, archive)
		}
		if err != nil {
			return err
		}
		names = append(names, header.Name)
	}
	if !slices.Contains(names, "index.json") {
		return fmt.Errorf("it holds %q", names)
	}
	return nil
}

// checkLayout takes files for blobs that have no such name: those that are half made.
func checkLayout(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		below, _ := filepath.Rel(dir, path)
		switch {
		case err != nil || entry.IsDir() || below == "index.json" || below == "oci-layout":
			return err
		case !strings.HasPrefix(below, "blobs/sha256/"):
			return fmt.Errorf("%s is left", below)
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return checkBlob(path, f)
	})
}
