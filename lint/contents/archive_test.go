package contents_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/lint/contents"
)

// of looks at one file that a COPY, or an ADD, takes in: what is in it, and the note.
func of(t testing.TB, body []byte, unpack bool) (inside []string, note string) {
	t.Helper()
	tree := fstest.MapFS{"file": &fstest.MapFile{Data: body}}
	found, err := contents.Look(context.Background(), tree, nil, []contents.Copy{{Sources: []string{"file"}, Dest: "/x/", Unpack: unpack}})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range found.Notes {
		note += n.Why
	}
	for _, line := range shown(found) {
		inside = append(inside, strings.TrimPrefix(strings.TrimPrefix(line, "file"), "!"))
	}
	return inside, note
}

func TestProgramsInArchives(t *testing.T) {
	tool := part{name: "usr/bin/tool", body: amd64}
	plain := tarOf(t, part{name: "./etc/conf", body: []byte("a=b")}, tool)
	for _, row := range []struct {
		name string
		body []byte
		want string
	}{
		{"a program itself", amd64, " /x/file"},
		{"a script", []byte("#!/bin/sh\n"), ""},
		{"an empty file", nil, ""},
		{"tar", plain, "usr/bin/tool /x/file"},
		{"tar of before 1988", oldTar(t, plain), "usr/bin/tool /x/file"},
		{"tar in gzip", gzipOf(t, plain), "usr/bin/tool /x/file"},
		{"tar in zstd", zstdOf(t, plain), "usr/bin/tool /x/file"},
		{"tar in bzip2", decoded(t, tarBzip2), "usr/bin/tool /x/file"},
		{"tar in xz", decoded(t, tarXz), "usr/bin/tool /x/file"},
		{"tar in xz with a filter", decoded(t, tarFilter), "usr/bin/tool /x/file"},
		{"one program in gzip", gzipOf(t, amd64), "file /x/file"},
		{"one text in gzip", gzipOf(t, []byte("text")), ""},
		{"zip", zipped(t, zip.Deflate, tool), "usr/bin/tool /x/file"},
		{"zip without compression", zipped(t, zip.Store, tool), "usr/bin/tool /x/file"},
		{"an application for telephones", zipped(t, zip.Deflate, tool, part{name: "AndroidManifest.xml"}), ""},
		{"a wheel", zipped(t, zip.Deflate, part{name: "fast/_sum.so", body: amd64}, part{name: "fast-1.dist-info/WHEEL", body: []byte("Tag: cp312")}), "fast/_sum.so /x/file"},
		{"deb", arOf(part{name: "debian-binary", body: []byte("2.0\n")}, part{name: "control.tar.gz", body: gzipOf(t, tarOf(t, part{name: "./postinst", body: amd64}))}, part{name: "data.tar.gz", body: gzipOf(t, plain)}), "usr/bin/tool /x/file"},
		{"deb with zstd", arOf(part{name: "debian-binary", body: []byte("2.0\n")}, part{name: "control.tar", body: []byte("odd")}, part{name: "data.tar.zst", body: zstdOf(t, plain)}), "usr/bin/tool /x/file"},
		{"deb with xz", arOf(part{name: "debian-binary", body: []byte("2.0\n")}, part{name: "data.tar.xz", body: decoded(t, tarXz)}), "usr/bin/tool /x/file"},
		{"deb without compression", arOf(part{name: "debian-binary", body: []byte("2.0\n")}, part{name: "data.tar", body: plain}), "usr/bin/tool /x/file"},
		{"a static library", arOf(part{name: "a.o/", body: amd64}), ""},
		{"rpm", rpmOf(gzipOf(t, cpioOf(part{name: "./usr/bin/link", target: "tool"}, part{name: "./usr/share/doc", body: []byte("doc")}, part{name: "./usr/bin/tool", body: amd64}))), "usr/bin/tool /x/file"},
		{"rpm with zstd", rpmOf(zstdOf(t, cpioOf(tool))), "usr/bin/tool /x/file"},
		{"rpm without compression", rpmOf(cpioOf(tool)), "usr/bin/tool /x/file"},
		{"apk", gzipOf(t, cut(tarOf(t, part{name: ".SIGN.RSA.key", body: []byte("signature")})), cut(tarOf(t, part{name: ".PKGINFO", body: []byte("pkgname = tool")})), plain), "usr/bin/tool /x/file"},
		{"a jar in a tar", tarOf(t, part{name: "lib/x.jar", body: zipped(t, zip.Deflate, tool)}), "lib/x.jar!usr/bin/tool /x/file"},
		{"a jar in a jar", zipped(t, zip.Store, part{name: "lib/x.jar", body: zipped(t, zip.Deflate, tool)}), "lib/x.jar!usr/bin/tool /x/file"},
		{"a jar in a compressed jar", zipped(t, zip.Deflate, part{name: "lib/x.jar", body: zipped(t, zip.Deflate, tool)}), "lib/x.jar!usr/bin/tool /x/file"},
		{"a tar in a deb", arOf(part{name: "debian-binary", body: []byte("2.0\n")}, part{name: "data.tar", body: tarOf(t, part{name: "a.tgz", body: gzipOf(t, plain)})}), "a.tgz!usr/bin/tool /x/file"},
		{"names that lead out", tarOf(t, part{name: "../../bin/a", body: amd64}, part{name: "/bin/b", body: amd64}), "bin/a /x/file\nbin/b /x/file"},
		{"a zip's names that lead out", zipped(t, zip.Store, part{name: "../../bin/a", body: amd64}), "bin/a /x/file"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, note := of(t, row.body, false)
			if diff := cmp.Diff(row.want, strings.Join(got, "\n")); diff != "" || note != "" {
				t.Error(diff, note)
			}
		})
	}
}

// oldTar takes the word "ustar" out of a tar's headers.
func oldTar(t *testing.T, archive []byte) []byte {
	t.Helper()
	out := bytes.Clone(archive)
	for at := 0; at+512 <= len(out); at += 512 {
		if h := out[at : at+512]; string(h[257:262]) == "ustar" {
			clear(h[257:512])
			copy(h[148:], "        ")
			sum := 0
			for _, b := range h {
				sum += int(b)
			}
			copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
		}
	}
	return out
}

func TestWhatAddUnpacks(t *testing.T) {
	tool, link := part{name: "bin/tool", body: amd64}, part{name: "lib", target: "usr/lib/x86_64-linux-gnu"}
	for _, row := range []struct {
		name string
		body []byte
		want string
	}{
		{"a tar goes into the folder, links too", gzipOf(t, tarOf(t, tool, link)), "bin/tool /x/bin/tool\nlib /x/lib -> usr/lib/x86_64-linux-gnu"},
		{"an archive in it stays one", tarOf(t, part{name: "a/b.jar", body: zipped(t, zip.Store, tool)}), "a/b.jar!bin/tool /x/a/b.jar"},
		{"a zip is copied", zipped(t, zip.Store, tool), "bin/tool /x/file"},
		{"a package is copied", arOf(part{name: "debian-binary", body: []byte("2.0\n")}, part{name: "data.tar", body: tarOf(t, tool, link)}), "bin/tool /x/file"},
		{"a compressed file is copied", gzipOf(t, amd64), "file /x/file"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, _ := of(t, row.body, true)
			if diff := cmp.Diff(row.want, strings.Join(got, "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHostileArchives(t *testing.T) {
	tool := part{name: "tool", body: amd64}
	zeros := make([]byte, 32<<20)
	many := make([]part, 10_000)
	for i := range many {
		many[i] = part{name: fmt.Sprintf("f%d", i)}
	}
	repeat := func(head []byte, member []byte, n int) []byte { return append(head, bytes.Repeat(member, n)...) }
	const long, damaged = "it is too long to be looked at whole", "it is damaged, or no archive"
	for _, row := range []struct {
		name       string
		body       []byte
		want, note string
	}{
		{"a bomb of gzip: 8 GB of nothing", repeat(gzipOf(t, cut(tarOf(t, tool)), longHeader(t)), gzipOf(t, zeros), 256), "tool /x/file", long},
		{"a bomb of one file", repeat(nil, gzipOf(t, zeros), 256), "", ""},
		{"a million files", repeat(gzipOf(t, cut(tarOf(t, tool))), gzipOf(t, cut(tarOf(t, many...))), 110), "tool /x/file", long},
		{"a zip whose directory is 20 MB", zipped(t, zip.Store, longNames(20_000)...), "", "it has too many files"},
		{"archives in archives in archives", tarOf(t, part{name: "a.tar", body: tarOf(t, part{name: "b.tar", body: tarOf(t, tool)})}, tool), "tool /x/file", "a.tar!b.tar in it: it is an archive in an archive in an archive"},
		{"a tar that ends early", tarOf(t, tool, part{name: "more", body: zeros[:4096]})[:2000], "tool /x/file", damaged},
		{"gzip that ends early", gzipOf(t, noise(t, tool))[:2000], "tool /x/file", damaged},
		{"only the magic of gzip", []byte("\x1f\x8b\x08"), "", damaged},
		{"only the magic of xz", []byte("\xfd7zXZ\x00"), "", damaged},
		{"only the magic of zip", []byte("PK\x03\x04"), "", damaged},
		{"only the magic of zstd", []byte("\x28\xb5\x2f\xfd"), "", damaged},
		{"only the magic of rpm", []byte("\xed\xab\xee\xdb"), "", damaged},
		{"a deb whose member says it is longer", bytes.Replace(arOf(part{name: "debian-binary", body: []byte("2.0\n")}, part{name: "data.tar", body: tarOf(t, tool)}), []byte("2048      `"), []byte("9999999999`"), 1), "tool /x/file", ""},
		{"a deb of negative length", bytes.Replace(arOf(part{name: "debian-binary", body: []byte("2.0\n")}), []byte("4         `"), []byte("-4        `"), 1), "", damaged},
		{"a deb without data", arOf(part{name: "debian-binary", body: []byte("2.0\n")}), "", damaged},
		{"a cpio whose file says it is longer", bytes.Replace(cpioOf(part{name: "tool", body: amd64}), []byte("00000080"), []byte("ffffffff"), 1), "tool /x/file", damaged},
		{"a cpio with a name of 4 GB", bytes.Replace(cpioOf(part{name: "tool", body: amd64}), []byte("00000005"), []byte("fffffff5"), 1), "", damaged},
		{"an rpm whose header says it has 64 GB", append(rpmOf(nil)[:96], []byte("\x8e\xad\xe8\x01\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff")...), "", damaged},
		{"an rpm that is packed as nobody knows", rpmOf([]byte("LZIP and so on")), "", "it is compressed or encrypted in a way that is not known"},
		{"an encrypted zip", encrypted(zipped(t, zip.Store, tool)), "", "tool in it: it is compressed or encrypted in a way that is not known"},
	} {
		t.Run(row.name, func(t *testing.T) {
			begin := time.Now()
			got, note := of(t, row.body, false)
			if diff := cmp.Diff([]string{row.want, row.note}, []string{strings.Join(got, "\n"), note}); diff != "" {
				t.Error(diff)
			}
			if took := time.Since(begin); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// longNames are empty files whose names have a thousand bytes.
func longNames(n int) []part {
	list := make([]part, n)
	for i := range list {
		list[i].name = fmt.Sprintf("%01000d", i)
	}
	return list
}

// longHeader is that of a file of 8 GB, which is not there.
func longHeader(t *testing.T) []byte {
	t.Helper()
	h := tarOf(t, part{name: "zero", body: []byte("x")})[:512]
	copy(h[124:], "77777777777\x00")
	copy(h[148:], "        ")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

// noise is a tar that does not compress well, with a file in front.
func noise(t *testing.T, first part) []byte {
	t.Helper()
	body := make([]byte, 64<<10)
	for i, x := 0, uint32(1); i < len(body); i++ {
		x = x*1664525 + 1013904223
		body[i] = byte(x >> 24)
	}
	return tarOf(t, first, part{name: "noise", body: body})
}

// encrypted marks the files of a zip.
func encrypted(archive []byte) []byte {
	for _, m := range []struct {
		magic string
		at    int
	}{{"PK\x03\x04", 6}, {"PK\x01\x02", 8}} {
		if i := bytes.Index(archive, []byte(m.magic)); i >= 0 {
			archive[i+m.at] |= 1
		}
	}
	return archive
}

func TestAFolderOfBombsEnds(t *testing.T) {
	// Each costs what one may; all together they may cost four times as much.
	bomb := bytes.Repeat(gzipOf(t, make([]byte, 32<<20)), 64)
	body := append(gzipOf(t, longHeader(t)), bomb...)
	tree := fstest.MapFS{}
	for i := range 40 {
		tree[fmt.Sprintf("%02d.tgz", i)] = &fstest.MapFile{Data: body}
	}
	tree["zz"] = &fstest.MapFile{Data: amd64}
	found := look(t, tree, nil, contents.Copy{Sources: []string{"."}, Dest: "/"})
	if len(found.Notes) == 0 || len(found.Programs) > 0 {
		t.Fatalf("%d programs, %d notes", len(found.Programs), len(found.Notes))
	}
	var got []string
	for _, n := range found.Notes {
		got = append(got, n.Why)
	}
	// Whoever is faster: it is the fifth and what follows that was not looked at.
	want := append(slices.Repeat([]string{"it is too long to be looked at whole"}, 4), slices.Repeat([]string{"what came before it was long enough"}, 37)...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestALookEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := contents.Look(ctx, programs("a"), nil, []contents.Copy{{Sources: []string{"a"}}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

// FuzzArchive promises: whatever bytes a file has, a look ends, gives the same each time,
// and names clean paths.
func FuzzArchive(f *testing.F) {
	tool := part{name: "bin/tool", body: amd64}
	plain := tarOf(f, tool, part{name: "l", target: "../x"}, part{name: "x.jar", body: zipped(f, zip.Deflate, tool)})
	for _, seed := range [][]byte{
		amd64, plain, gzipOf(f, plain), zstdOf(f, plain), decoded(f, tarXz), decoded(f, tarFilter), decoded(f, tarBzip2), zipped(f, zip.Deflate, tool), zipped(f, zip.Store, part{name: "a.zip", body: zipped(f, zip.Store, tool)}),
		arOf(part{name: "debian-binary", body: []byte("2.0\n")}, part{name: "data.tar.gz", body: gzipOf(f, plain)}), rpmOf(gzipOf(f, cpioOf(tool))), cpioOf(tool), elf("linux/arm/v7"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		inside, note := of(t, body, true)
		again, noteAgain := of(t, body, true)
		if diff := cmp.Diff(inside, again); diff != "" || note != noteAgain {
			t.Fatal(diff, note, noteAgain)
		}
		for _, line := range inside {
			name, _, _ := strings.Cut(line, " /x")
			if strings.HasPrefix(name, "/") || strings.HasPrefix(name, "../") || strings.Contains(name, "/../") {
				t.Fatalf("not a clean path: %q", name)
			}
		}
	})
}
