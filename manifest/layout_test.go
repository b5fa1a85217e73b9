package manifest_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/ocistore"
	"github.com/archbuild/archbuild/internal/whole"
	"github.com/archbuild/archbuild/manifest"
)

// skopeo runs the real one.
func skopeo(t *testing.T, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("skopeo"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("skopeo is not installed")
	}
	out, err := exec.Command("skopeo", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("skopeo %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func TestSkopeoReadsLayoutAndArchive(t *testing.T) {
	s := newStore(t)
	x := s.assemble(nil, s.result(amd64, s.attested(amd64, "a")), s.result(arm64, s.attested(arm64, "b")))
	for name, tags := range map[string][]string{
		"without a name":    nil,
		"with a tag":        {"registry.example:5000/app:1.2"},
		"with a short name": {"app"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, file := filepath.Join(t.TempDir(), "layout"), filepath.Join(t.TempDir(), "a.tar")
			if err := x.WriteLayout(t.Context(), dir, tags); err != nil {
				t.Fatal(err)
			}
			if _, err := x.Write(t.Context(), manifest.Output{Type: manifest.TypeOCI, Dest: file}, tags, nil); err != nil {
				t.Fatal(err)
			}
			for _, ref := range []string{"oci:" + dir, "oci-archive:" + file} {
				if got := skopeo(t, "inspect", "--raw", ref); !bytes.Equal(bytes.TrimSpace(got), x.Bytes) {
					t.Errorf("skopeo reads from %s\n%s", ref, got)
				}
				skopeo(t, "copy", "--all", ref, "oci:"+t.TempDir()+":copy")
			}
		})
	}
}

func TestSkopeoFindsEachOfSeveralTags(t *testing.T) {
	x := newStore(t).two()
	dir := filepath.Join(t.TempDir(), "layout")
	if err := x.WriteLayout(t.Context(), dir, []string{"app:1", "app:2", "app:1"}); err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"1", "2"} {
		if got := skopeo(t, "inspect", "--raw", "oci:"+dir+":"+tag); !bytes.Equal(bytes.TrimSpace(got), x.Bytes) {
			t.Errorf("tag %s is\n%s", tag, got)
		}
	}
	var index ocispec.Index
	readJSON(t, filepath.Join(dir, "index.json"), &index)
	if len(index.Manifests) != 2 || index.Manifests[0].Annotations["io.containerd.image.name"] != "docker.io/library/app:1" {
		t.Errorf("index.json lists %+v", index.Manifests)
	}
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, v); err != nil {
		t.Fatal(err)
	}
}

func TestALayoutIsReplaced(t *testing.T) {
	s := newStore(t)
	dir := filepath.Join(t.TempDir(), "new", "layout")
	old := s.assemble(nil, s.result(amd64, s.simple(amd64, "old")), s.result(arm64, s.simple(arm64, "b")))
	if err := old.WriteLayout(t.Context(), dir, []string{"app:old"}); err != nil {
		t.Fatal(err)
	}
	x := s.two()
	if err := x.WriteLayout(t.Context(), dir, nil); err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(t.TempDir(), "fresh")
	if err := x.WriteLayout(t.Context(), fresh, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tree(t, fresh), tree(t, dir)); diff != "" {
		t.Errorf("a layout written over another differs from a fresh one: %s", diff)
	}
	for name := range tree(t, dir) {
		if whole.IsTemporary(filepath.Base(name)) {
			t.Errorf("%s was left behind", name)
		}
	}
}

func TestBlobsAreLinkedWhereTheyCanBe(t *testing.T) {
	s := newStore(t)
	x := s.two()
	dir := filepath.Join(filepath.Dir(s.Dir), "layout")
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := x.WriteLayout(t.Context(), dir, nil); err != nil {
		t.Fatal(err)
	}
	d := x.Results[0].Descriptor.Digest
	from, err := s.Path(d)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := os.Stat(from)
	b, errB := os.Stat(filepath.Join(dir, "blobs", "sha256", d.Encoded()))
	if errA != nil || errB != nil || !os.SameFile(a, b) {
		t.Error("the blob was copied on one file system", errA, errB)
	}
	shm, err := os.MkdirTemp("/dev/shm", "archbuild-test-")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("no second file system: ", err)
	}
	t.Cleanup(func() { os.RemoveAll(shm) })
	if err := x.WriteLayout(t.Context(), filepath.Join(shm, "layout"), nil); err != nil {
		t.Fatal(err)
	}
	if len(tree(t, filepath.Join(shm, "layout"))) != len(tree(t, dir)) {
		t.Error("the layout on another file system differs")
	}
}

func TestAFolderOfSomebodyElseIsLeftAlone(t *testing.T) {
	x := newStore(t).two()
	for name, files := range map[string]map[string]string{
		"some files":             {"notes.txt": "mine"},
		"another tool's layout":  {"index.json": `{"schemaVersion":2,"manifests":[]}`, "oci-layout": `{"imageLayoutVersion":"1.0.0"}`},
		"an index.json, no JSON": {"index.json": "hello"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, body := range files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(body), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			before := tree(t, dir)
			err := x.WriteLayout(t.Context(), dir, nil)
			var foreign *manifest.NotLayoutError
			if !errors.As(err, &foreign) {
				t.Fatalf("error is %v", err)
			}
			hintOf(t, foreign)
			if err := manifest.CheckLayout(dir); !errors.As(err, &foreign) {
				t.Errorf("before a build the error is %v", err)
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAFailureLeavesTheLayoutAsItWas(t *testing.T) {
	s := newStore(t)
	good := s.two()
	broken := s.assemble(nil, s.result(amd64, s.simple(amd64, "new")), s.result(arm64, s.simple(arm64, "gone")))
	path, err := s.Path(s.layer(tar.Header{Name: "gone", Linkname: "content of gone"}).Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	var missing *ocistore.MissingError
	if err := broken.WriteLayout(t.Context(), dir, nil); !errors.As(err, &missing) {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Stat(filepath.Dir(dir)); err == nil {
		t.Error("the folder of a failed layout was left behind")
	}
	if err := good.WriteLayout(t.Context(), dir, nil); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	if err := broken.WriteLayout(t.Context(), dir, nil); err == nil {
		t.Error("no error")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.assemble([]string{"index:k=v"}, good.Results...).WriteLayout(cancelled, dir, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
	file := filepath.Join(t.TempDir(), "a.tar")
	if _, err := broken.Write(t.Context(), manifest.Output{Type: manifest.TypeOCI, Dest: file}, nil, nil); err == nil {
		t.Error("no error")
	}
	if left := tree(t, filepath.Dir(file)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWritersOfOneLayoutTakeTurns(t *testing.T) {
	s := newStore(t)
	dir := filepath.Join(t.TempDir(), "layout")
	var group sync.WaitGroup
	for _, name := range []string{"1", "2", "3", "4"} {
		x := s.assemble(nil, s.result(amd64, s.simple(amd64, name)))
		group.Go(func() {
			if err := x.WriteLayout(t.Context(), dir, []string{"app:" + name}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	skopeo(t, "copy", "--all", "oci:"+dir, "oci:"+t.TempDir()+":copy")
}

func TestAnArchiveIsTheSameTwice(t *testing.T) {
	s := newStore(t)
	write := func() []byte {
		var out bytes.Buffer
		x := s.assemble([]string{"index:b=1", "index:a=2"}, s.result(amd64, s.attested(amd64, "a")))
		if err := x.WriteArchive(t.Context(), &out, []string{"app:1", "other/app:2"}); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	first := write()
	if !bytes.Equal(first, write()) {
		t.Error("two archives of one image differ")
	}
	var names []string
	for r := tar.NewReader(bytes.NewReader(first)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.ModTime.Unix() != 0 || h.Uid != 0 || h.Uname != "" {
			t.Errorf("%s has time %s, owner %d %s", h.Name, h.ModTime, h.Uid, h.Uname)
		}
		if n := len(names); n > 0 && names[n-1] >= h.Name {
			t.Errorf("%s comes after %s", h.Name, names[n-1])
		}
		names = append(names, h.Name)
	}
	if n := len(names); names[0] != "blobs/" || names[n-1] != "oci-layout" || names[n-2] != "index.json" {
		t.Errorf("entries are %v", names)
	}
}

func TestNamesAreChecked(t *testing.T) {
	x := newStore(t).two()
	for _, name := range []string{"App", "a b", "app@sha256:" + strings.Repeat("0", 64), ""} {
		err := x.WriteArchive(t.Context(), io.Discard, []string{name})
		var e *manifest.NameError
		if !errors.As(err, &e) {
			t.Errorf("%q: error is %v", name, err)
			continue
		}
		hintOf(t, e)
	}
}

func TestMetadata(t *testing.T) {
	s := newStore(t)
	one := s.assemble(nil, s.result(amd64, s.simple(amd64, "a")))
	got, err := one.Metadata([]string{"app", "reg.example/app:1"})
	if err != nil {
		t.Fatal(err)
	}
	digest := one.Descriptor.Digest.String()
	want := `{
  "containerimage.config.digest": "` + one.Results[0].Config.String() + `",
  "containerimage.descriptor": {
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "digest": "` + digest + `",
    "size": ` + strconv.Itoa(len(one.Bytes)) + `
  },
  "containerimage.digest": "` + digest + `",
  "image.name": "docker.io/library/app:latest,reg.example/app:1"
}
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	if one.ImageID() != digest {
		t.Errorf("image id is %s", one.ImageID())
	}
	several, err := s.two().Metadata(nil)
	if err != nil || strings.Contains(string(several), "config.digest") || strings.Contains(string(several), "image.name") {
		t.Errorf("several platforms: %v %s", err, several)
	}
}
