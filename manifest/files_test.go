package manifest_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/manifest"
)

func text(name, content string) tar.Header {
	return tar.Header{Name: name, Linkname: content, Mode: 0o644}
}
func dir(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeDir} }
func symlink(name, to string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to}
}
func hardlink(name, to string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: to}
}

// TestLayersAreAppliedInOrder: what the layers of an image make, as files and
// as a tar. Modes are left out where they do not matter.
func TestLayersAreAppliedInOrder(t *testing.T) {
	for name, test := range map[string]struct {
		layers [][]tar.Header
		want   map[string]string
	}{
		"a file": {
			[][]tar.Header{{dir("d/"), text("d/f", "1")}},
			map[string]string{"d": "/", "d/f": "1"},
		},
		"names with a dot or slash before": {
			[][]tar.Header{{dir("./"), dir("./d"), text("/d/f", "1")}},
			map[string]string{"d": "/", "d/f": "1"},
		},
		"an upper layer replaces": {
			[][]tar.Header{{text("f", "1"), text("g", "1")}, {text("f", "2")}},
			map[string]string{"f": "2", "g": "1"},
		},
		"within a layer the last wins": {
			[][]tar.Header{{text("f", "1"), text("f", "2")}},
			map[string]string{"f": "2"},
		},
		"a whiteout hides a file and a folder": {
			[][]tar.Header{{text("f", "1"), dir("d"), text("d/f", "1"), text("g", "1")}, {text(".wh.f", ""), text(".wh.d", "")}},
			map[string]string{"g": "1"},
		},
		"a whiteout hides lower layers only": {
			[][]tar.Header{{text("d/old", "1")}, {text("d/new", "2"), text(".wh.d", "")}},
			map[string]string{"d": "/", "d/new": "2"},
		},
		"an opaque folder hides what was in it": {
			[][]tar.Header{{text("d/old", "1"), text("d/e/old", "1")}, {dir("d"), text("d/new", "2"), text("d/.wh..wh..opq", "")}},
			map[string]string{"d": "/", "d/new": "2"},
		},
		"what comes back after a whiteout": {
			[][]tar.Header{{text("f", "1")}, {text(".wh.f", "")}, {text("f", "3")}},
			map[string]string{"f": "3"},
		},
		"a folder becomes a file and back": {
			[][]tar.Header{{text("a/x", "1"), text("b", "1")}, {text("a", "2"), dir("b"), text("b/y", "2")}},
			map[string]string{"a": "2", "b": "/", "b/y": "2"},
		},
		"a folder named again keeps its files": {
			[][]tar.Header{{text("d/f", "1")}, {dir("d")}},
			map[string]string{"d": "/", "d/f": "1"},
		},
		"a hard link keeps the content of its layer": {
			[][]tar.Header{{text("a", "1"), hardlink("b", "a")}, {text("a", "2")}},
			map[string]string{"a": "2", "b": "1"},
		},
		"a hard link survives its name": {
			[][]tar.Header{{text("z", "1"), hardlink("a", "/z"), hardlink("m", "./z")}, {text(".wh.z", "")}},
			map[string]string{"a": "1", "m": "1"},
		},
		"an entry goes through a linked folder": {
			[][]tar.Header{{dir("usr/lib"), symlink("lib", "usr/lib")}, {text("lib/x", "2")}},
			map[string]string{"usr": "/", "usr/lib": "/", "lib": "-> usr/lib", "usr/lib/x": "2"},
		},
		"an absolute link leads from the image's root": {
			[][]tar.Header{{dir("usr/lib"), symlink("lib", "/usr/lib")}, {text("lib/x", "2")}},
			map[string]string{"usr": "/", "usr/lib": "/", "lib": "-> /usr/lib", "usr/lib/x": "2"},
		},
		"a link that leads out stays a link, entries stay inside": {
			[][]tar.Header{{symlink("out", "../../../../tmp")}, {text("out/x", "2")}},
			map[string]string{"out": "-> ../../../../tmp", "tmp": "/", "tmp/x": "2"},
		},
		"names that lead out stay inside": {
			[][]tar.Header{{text("../../x", "1")}},
			map[string]string{"x": "1"},
		},
		"a link to a file of the machine": {
			[][]tar.Header{{symlink("passwd", "/etc/passwd")}},
			map[string]string{"passwd": "-> /etc/passwd"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			var layers []ocispec.Descriptor
			for _, entries := range test.layers {
				layers = append(layers, s.layer(entries...))
			}
			x := s.assemble(nil, s.result(amd64, s.image(amd64, layers...)))
			out := filepath.Join(t.TempDir(), "out")
			if skipped, err := x.WriteLocal(t.Context(), out, nil); err != nil || len(skipped) > 0 {
				t.Fatal(skipped, err)
			}
			got := map[string]string{}
			for name, value := range tree(t, out) {
				switch {
				case strings.HasPrefix(value, "d"):
					value = "/"
				case !strings.HasPrefix(value, "-> "):
					_, value, _ = strings.Cut(value, " ")
				}
				got[name] = value
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("files: %s", diff)
			}
			if diff := cmp.Diff(test.want, untar(t, x)); diff != "" {
				t.Errorf("tar: %s", diff)
			}
		})
	}
}

// untar reads what WriteTar writes, hard links as the content they have.
func untar(t *testing.T, x manifest.Index) map[string]string {
	t.Helper()
	var out bytes.Buffer
	if err := x.WriteTar(t.Context(), &out, nil); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for r := tar.NewReader(&out); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, again := got[h.Name]; again {
			t.Errorf("%s is in the tar twice", h.Name)
		}
		switch h.Typeflag {
		case tar.TypeDir:
			got[strings.TrimSuffix(h.Name, "/")] = "/"
		case tar.TypeLink:
			content, ok := got[h.Linkname]
			if !ok {
				t.Errorf("%s is a link of %s, which comes later", h.Name, h.Linkname)
			}
			got[h.Name] = content
		case tar.TypeSymlink:
			got[h.Name] = "-> " + h.Linkname
		default:
			body, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			got[h.Name] = string(body)
		}
	}
}

func TestSeveralPlatformsGoIntoFolders(t *testing.T) {
	s := newStore(t)
	x := s.assemble(nil, s.result(arm64, s.simple(arm64, "f")), s.result(armV7, s.simple(armV7, "f")))
	out := t.TempDir()
	if _, err := x.WriteLocal(t.Context(), out, nil); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"linux_arm64": "drwxr-xr-x", "linux_arm64/f": "-rwxr-xr-x content of f",
		"linux_arm_v7": "drwxr-xr-x", "linux_arm_v7/f": "-rwxr-xr-x content of f",
	}
	if diff := cmp.Diff(want, tree(t, out)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{
		"linux_arm64": "/", "linux_arm64/f": "content of f", "linux_arm_v7": "/", "linux_arm_v7/f": "content of f",
	}, untar(t, x)); diff != "" {
		t.Error(diff)
	}
	no := false
	if _, err := x.WriteLocal(t.Context(), t.TempDir(), &no); err == nil {
		t.Error("two platforms wrote the same file")
	}
	yes := true
	single := s.assemble(nil, x.Results[0])
	if _, err := single.WriteLocal(t.Context(), out, &yes); err != nil {
		t.Error(err)
	}
}

func TestModesTimesAndOwnersOfLocalFiles(t *testing.T) {
	s := newStore(t)
	then := time.Unix(1234567890, 0)
	uid, gid := os.Getuid(), os.Getgid()
	x := s.assemble(nil, s.result(amd64, s.image(amd64, s.layer(
		tar.Header{Name: "closed", Typeflag: tar.TypeDir, Mode: 0o555, ModTime: then},
		tar.Header{Name: "closed/f", Linkname: "x", Mode: 0o400, ModTime: then, Uid: uid + 1, Gid: gid + 1},
		tar.Header{Name: "closed/mine", Linkname: "x", Mode: 0o6755, ModTime: then, Uid: uid, Gid: gid},
		tar.Header{Name: "closed/theirs", Linkname: "x", Mode: 0o6755, ModTime: then, Uid: uid + 1, Gid: gid + 1},
		tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "nowhere", ModTime: then},
		tar.Header{Name: "pipe", Typeflag: tar.TypeFifo, Mode: 0o640, ModTime: then},
		tar.Header{Name: "sticky", Typeflag: tar.TypeDir, Mode: 0o1777, ModTime: then},
	))))
	out := t.TempDir()
	t.Cleanup(func() { os.Chmod(filepath.Join(out, "closed"), 0o755) })
	for range 2 { // the second time over the first
		if _, err := x.WriteLocal(t.Context(), out, nil); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]string{
		"closed": "dr-xr-xr-x", "closed/f": "-r--------", "closed/mine": "ugrwxr-xr-x", "closed/theirs": "-rwxr-xr-x",
		"link": "", "pipe": "prw-r-----", "sticky": "dtrwxrwxrwx",
	} {
		fi, err := os.Lstat(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		if !fi.ModTime().Equal(then) {
			t.Errorf("%s has time %s", name, fi.ModTime())
		}
		if mode != "" && fi.Mode().String() != mode {
			t.Errorf("%s has mode %s, want %s", name, fi.Mode(), mode)
		}
		if st, ok := fi.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != uid {
			t.Errorf("%s belongs to %d", name, st.Uid)
		}
	}
}

func TestLocalFilesStayInTheirFolder(t *testing.T) {
	s := newStore(t)
	base := t.TempDir()
	outside, out := filepath.Join(base, "outside"), filepath.Join(base, "out")
	for _, dir := range []string{outside, out} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, body := range map[string]string{outside + "/f": "safe", out + "/stays": "mine", out + "/file": "old"} {
		if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"d": outside, "f": outside + "/f"} {
		if err := os.Symlink(to, filepath.Join(out, name)); err != nil {
			t.Fatal(err)
		}
	}
	x := s.assemble(nil, s.result(amd64, s.image(amd64, s.layer(
		dir("d"), text("d/f", "new"), text("f", "new"), text("file", "new"),
		symlink("up", "../outside"), text("up/f", "new"),
	))))
	if _, err := x.WriteLocal(t.Context(), out, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"f": "-rw-r--r-- safe"}, tree(t, outside)); diff != "" {
		t.Errorf("outside: %s", diff)
	}
	want := map[string]string{
		"d": "drwxr-xr-x", "d/f": "-rw-r--r-- new", "f": "-rw-r--r-- new", "file": "-rw-r--r-- new",
		"stays": "-rw-r--r-- mine", "up": "-> ../outside", "outside": "drwxr-xr-x", "outside/f": "-rw-r--r-- new",
	}
	if diff := cmp.Diff(want, tree(t, out)); diff != "" {
		t.Errorf("inside: %s", diff)
	}
	var e *manifest.OutputError
	if _, err := x.WriteLocal(t.Context(), "/", nil); !errors.As(err, &e) {
		t.Errorf("writing over the machine's root: %v", err)
	}
}

func TestTarKeepsOwnersAndAttributes(t *testing.T) {
	s := newStore(t)
	x := s.assemble(nil, s.result(amd64, s.image(amd64, s.layer(tar.Header{
		Name: "f", Linkname: "x", Mode: 0o4755, Uid: 7, Gid: 8, Uname: "somebody", ModTime: time.Unix(5, 0),
		PAXRecords: map[string]string{"SCHILY.xattr.user.k": "v", "VENDOR.other": "dropped"},
	}))))
	var first, second bytes.Buffer
	for _, w := range []io.Writer{&first, &second} {
		if err := x.WriteTar(t.Context(), w, nil); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two tars of one image differ")
	}
	h, err := tar.NewReader(&first).Next()
	if err != nil {
		t.Fatal(err)
	}
	if h.Uid != 7 || h.Gid != 8 || h.Uname != "" || h.Mode != 0o4755 || h.ModTime.Unix() != 5 {
		t.Errorf("header is %+v", h)
	}
	if h.PAXRecords["SCHILY.xattr.user.k"] != "v" || h.PAXRecords["VENDOR.other"] != "" {
		t.Errorf("records are %v", h.PAXRecords)
	}
}

func TestLayersOfAnyCompression(t *testing.T) {
	s := newStore(t)
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	if err := w.WriteHeader(&tar.Header{Name: "f", Typeflag: tar.TypeReg, Size: 1, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, layer := range map[string]ocispec.Descriptor{
		"none": s.blob(ocispec.MediaTypeImageLayer, plain.Bytes()),
		"zstd": s.blob(ocispec.MediaTypeImageLayerZstd, encoder.EncodeAll(plain.Bytes(), nil)),
		"gzip": s.layer(tar.Header{Name: "f", Linkname: "x", Mode: 0o644}),
	} {
		if diff := cmp.Diff(map[string]string{"f": "x"}, untar(t, s.assemble(nil, s.result(amd64, s.image(amd64, layer))))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestBrokenLayersAreErrors(t *testing.T) {
	s := newStore(t)
	good := s.layer(text("f", "x"))
	tampered := s.layer(text("g", "y"))
	path, err := s.Path(tampered.Digest)
	if err != nil {
		t.Fatal(err)
	}
	goodPath, err := s.Path(good.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(path), os.Link(goodPath, path)); err != nil {
		t.Fatal(err)
	}
	for name, layer := range map[string]ocispec.Descriptor{
		"no archive":                s.blob(ocispec.MediaTypeImageLayer, []byte(strings.Repeat("no tar ", 100))),
		"another content":           tampered,
		"a hard link to nothing":    s.layer(hardlink("a", "b")),
		"a circle of links":         s.layer(symlink("a", "b"), symlink("b", "a"), text("a/f", "x")),
		"an unfinished gzip stream": s.blob(ocispec.MediaTypeImageLayerGzip, []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0}),
	} {
		t.Run(name, func(t *testing.T) {
			x := s.assemble(nil, s.result(amd64, s.image(amd64, layer)))
			out := filepath.Join(t.TempDir(), "out")
			if _, err := x.WriteLocal(t.Context(), out, nil); err == nil {
				t.Error("no error")
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("files were written before the layers were read")
			}
		})
	}
}

func TestDevicesAreMadeOrNamed(t *testing.T) {
	s := newStore(t)
	x := s.assemble(nil, s.result(amd64, s.image(amd64, s.layer(
		dir("dev"), tar.Header{Name: "dev/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3, Mode: 0o666}, text("f", "x"),
	))))
	out := t.TempDir()
	skipped, err := x.WriteLocal(t.Context(), out, nil)
	if err != nil {
		t.Fatal(err)
	}
	found := tree(t, out)
	_, made := found["dev/null"]
	if named := len(skipped) == 1 && skipped[0] == "dev/null"; made == named || found["f"] == "" {
		t.Errorf("found %v, skipped %v", found, skipped)
	}
}
