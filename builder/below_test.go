package builder_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/builder"
)

func TestAFolderOfARepositoryHasAnAddress(t *testing.T) {
	for _, tt := range []struct{ address, folder, commit, want string }{
		{"https://h/r.git", "a", "", "https://h/r.git#:a"},
		{"https://h/r.git#main", "a/b", "", "https://h/r.git#main:a/b"},
		{"https://h/r.git#main:sub", "a", "", "https://h/r.git#main:sub/a"},
		{"https://h/r.git#main", ".", "", "https://h/r.git#main"},
		{"https://h/r.git", ".", "", "https://h/r.git"},
		{"https://h/r.git#main:sub", "a", "0123", "https://h/r.git#0123:sub/a"},
		{"git@h:r.git", "", "0123", "git@h:r.git#0123"},
		{"https://h/r.git?ref=main&subdir=sub", "a", "", "https://h/r.git?ref=main&subdir=sub%2Fa"},
		{"https://h/r.git?tag=v1&submodules=false", "a", "0123", "https://h/r.git?ref=0123&subdir=a&submodules=false"},
	} {
		if got := (builder.Remote{Address: tt.address}).Below(tt.folder, tt.commit); got != tt.want {
			t.Errorf("%s of %s at %q: %s, and not %s", tt.folder, tt.address, tt.commit, got, tt.want)
		}
	}
}

func TestAFolderOfAnArchiveIsAContext(t *testing.T) {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for name, text := range map[string]string{"a/x": "ax", "a/b/y": "aby", "ab/z": "abz", "top": "top"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.WriteHeader(&tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := builder.OpenArchive(t.Context(), &packed, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	for folder, want := range map[string]string{"a": "b b/y x", "link": "b b/y x", "a/b": "y", ".": "a a/b a/b/y a/x ab ab/z link top"} {
		sub, err := whole.Sub(folder)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		if err := fs.WalkDir(sub.Files(), ".", func(name string, _ fs.DirEntry, err error) error {
			names = append(names, name)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(names[1:], " "); got != want {
			t.Errorf("%s holds %q, and not %q", folder, got, want)
		}
		sub.Close()
		if (builder.Context{Archive: sub}).Source() == (builder.Context{Archive: whole}).Source() && folder != "." {
			t.Errorf("%s is taken for the whole", folder)
		}
	}
	for _, folder := range []string{"none", "top", "a/x", "../a"} {
		if _, err := whole.Sub(folder); err == nil || folder == "none" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", folder, err)
		}
	}
}
