package builder_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/archbuild/archbuild/builder"
	"github.com/google/go-cmp/cmp"
)

// entry of an archive; the letter of Typeflag decides what To is.
type entry struct {
	name, to, content string
	kind              byte
}

func archive(t *testing.T, entries []entry) (*builder.Archive, error) {
	t.Helper()
	folder := t.TempDir()
	a, err := builder.OpenArchive(t.Context(), bytes.NewReader(tarOf(t, entries)), folder)
	if left, _ := os.ReadDir(folder); len(left) > 0 {
		t.Errorf("%s has a name", left[0].Name())
	}
	if a != nil {
		t.Cleanup(a.Close)
	}
	return a, err
}

func tarOf(t *testing.T, entries []entry) []byte {
	t.Helper()
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.to, Size: int64(len(e.content)), Mode: 0o644}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

func TestTheFilesOfAnArchiveAreThoseThatTarWouldUnpack(t *testing.T) {
	file, link, symlink := byte(tar.TypeReg), byte(tar.TypeLink), byte(tar.TypeSymlink)
	for _, row := range []struct {
		name    string
		entries []entry
		want    map[string]string // what is not there is missing
	}{
		{"names may begin with ./ or /", []entry{{"./a/b", "", "1", file}, {"/c", "", "2", file}}, map[string]string{"a/b": "1", "c": "2"}},
		{"no name leads out", []entry{{"../../a", "", "1", file}}, map[string]string{"a": "1"}},
		{"the last of a name counts", []entry{{"a", "", "1", file}, {"a", "", "2", file}}, map[string]string{"a": "2"}},
		{"a file in the place of a folder takes its files away", []entry{{"a/b", "", "1", file}, {"a", "", "2", file}}, map[string]string{"a": "2"}},
		{"a folder in the place of a link is one", []entry{{"a", "/etc", "", symlink}, {"a/b", "", "1", file}}, map[string]string{"a/b": "1"}},
		{"a hard link is the file", []entry{{"a", "", "1", file}, {"b", "./a", "", link}}, map[string]string{"a": "1", "b": "1"}},
		{"a hard link to a symbolic one is that once more", []entry{{"d/a", "", "1", file}, {"d/l", "a", "", symlink}, {"d/m", "d/l", "", link}}, map[string]string{"d/l": "1", "d/m": "1"}},
		{"links are followed inside", []entry{{"d/a", "", "1", file}, {"b", "/d/a", "", symlink}, {"c", "../../d", "", symlink}}, map[string]string{"d/a": "1", "b": "1", "c/a": "1"}},
	} {
		a, err := archive(t, row.entries)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		got := map[string]string{}
		for name := range row.want {
			content, err := fs.ReadFile(a.Files(), name)
			if err != nil {
				t.Errorf("%s: %v", row.name, err)
			}
			got[name] = string(content)
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
}

func TestWhatIsNotInAnArchiveIsNotThere(t *testing.T) {
	a, err := archive(t, []entry{{"a", "", "1", tar.TypeReg}, {"out", "../../etc/passwd", "", tar.TypeSymlink}, {"round", "round", "", tar.TypeSymlink}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b", "a/b", "out", "etc/passwd"} {
		if _, err := fs.ReadFile(a.Files(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := fs.ReadFile(a.Files(), "round"); err == nil {
		t.Error("a link to itself can be read")
	}
	if info, err := fs.Lstat(a.Files(), "round"); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("a link is not told as one: %v, %v", info, err)
	}
}

func TestABrokenArchiveIsToldSo(t *testing.T) {
	for _, row := range []struct {
		name    string
		entries []entry
	}{
		{"an archive without files", nil},
		{"a link to nothing", []entry{{"a", "b", "", tar.TypeLink}}},
	} {
		if _, err := archive(t, row.entries); !errors.As(err, new(*builder.ArchiveError)) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

// Whatever is read as an archive is a file system: what is listed can be read, to the
// length that is told.
func TestADamagedArchiveIsReadOrRefused(t *testing.T) {
	whole := tarOf(t, []entry{
		{"a", "", "12", tar.TypeReg}, {"d/../../b", "", "3", tar.TypeReg}, {"l", "/d/x", "", tar.TypeSymlink}, {"h", "a", "", tar.TypeLink}, {"a/in", "", "4", tar.TypeReg},
	})
	random := rand.New(rand.NewPCG(1, 2))
	read, folder := 0, t.TempDir()
	for range 2000 {
		data := bytes.Clone(whole[:len(whole)-random.IntN(3)*512])
		for range random.IntN(4) {
			header := data[random.IntN(len(data)/512)*512:][:512]
			header[random.IntN(512)] = byte(random.IntN(256))
			sum(header)
		}
		a, err := builder.OpenArchive(t.Context(), bytes.NewReader(data), folder)
		if err != nil {
			continue
		}
		read++
		err = fs.WalkDir(a.Files(), ".", func(name string, entry fs.DirEntry, err error) error {
			if !fs.ValidPath(name) { // a name that fs.FS does not know
				return nil
			}
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			content, err := fs.ReadFile(a.Files(), name)
			if err == nil && int64(len(content)) != info.Size() {
				t.Errorf("%s has %d bytes and not %d", name, len(content), info.Size())
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		a.Close()
	}
	if read < 100 {
		t.Errorf("%d of the archives were read", read)
	}
}

// sum mends the checksum of a header.
func sum(header []byte) {
	copy(header[148:156], "        ")
	total := 0
	for _, b := range header {
		total += int(b)
	}
	copy(header[148:156], fmt.Sprintf("%06o\x00 ", total))
}

func TestANameThatAKilledRunHasLeftIsTakenAway(t *testing.T) {
	folder := t.TempDir()
	old, young, other := filepath.Join(folder, "context-1"), filepath.Join(folder, "context-2"), filepath.Join(folder, "other")
	for _, file := range []string{old, young, other} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hourAgo := time.Now().Add(-time.Hour)
	for _, file := range []string{old, other} {
		if err := os.Chtimes(file, hourAgo, hourAgo); err != nil {
			t.Fatal(err)
		}
	}
	a, err := builder.OpenArchive(t.Context(), bytes.NewReader(tarOf(t, []entry{{name: "file", kind: tar.TypeReg}})), folder)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	left, _ := filepath.Glob(folder + "/*")
	if diff := cmp.Diff([]string{young, other}, left); diff != "" {
		t.Errorf("left are (-want +got) %s", diff)
	}
}
