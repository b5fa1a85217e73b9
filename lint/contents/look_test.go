package contents_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/lint/contents"
	"github.com/archbuild/archbuild/platform"
)

// elf is a program for a platform: a header that says so, and nothing behind it.
func elf(p string) []byte {
	n := platform.MustParse(p).Names()
	b := make([]byte, 128)
	copy(b, "\x7fELF")
	var order binary.ByteOrder = binary.LittleEndian
	b[4], b[5], b[6] = byte(n.Bits/32), 1, 1
	if n.BigEndian {
		order, b[5] = binary.BigEndian, 2
	}
	order.PutUint16(b[16:], 2)
	order.PutUint16(b[18:], n.Machine)
	order.PutUint32(b[20:], 1)
	return b
}

var amd64 = elf("linux/amd64")

// programs makes one in which every file is a program, but for "LINK -> TARGET".
func programs(names ...string) fstest.MapFS {
	tree := fstest.MapFS{}
	for _, name := range names {
		if link, target, ok := strings.Cut(name, " -> "); ok {
			tree[link] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
			continue
		}
		tree[name] = &fstest.MapFile{Data: amd64, Mode: 0o755}
	}
	return tree
}

// shown are the programs and links of a look: "PATH!INSIDE IMAGE", links with their target.
func shown(f contents.Found) []string {
	list := []string{}
	for _, p := range f.Programs {
		list = append(list, strings.TrimSuffix(p.Path+"!"+p.Inside, "!")+" "+p.Image)
	}
	for _, l := range f.Links {
		list = append(list, strings.TrimSuffix(l.Path+"!"+l.Inside, "!")+" "+l.Image+" -> "+l.Target)
	}
	return list
}

func look(t *testing.T, tree fs.FS, ignored func(string, bool) bool, copies ...contents.Copy) contents.Found {
	t.Helper()
	found, err := contents.Look(context.Background(), tree, ignored, copies)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestWhatACopyTakesIn(t *testing.T) {
	tree := programs("app", "bin/amd64/app", "bin/amd64/lib/x.so", "bin/arm64/app", "docs/readme", "src/a/main", "src/b/main", "src/b/deep/main", "top -> app", "current -> bin/amd64", "out -> ../etc", "loop -> loop", "a[1]/app")
	type C = contents.Copy
	for _, row := range []struct {
		name string
		copy C
		want []string
	}{
		{"one file", C{Sources: []string{"app"}, Dest: "/usr/bin/"}, []string{"app /usr/bin/app"}},
		{"one file under another name", C{Sources: []string{"bin/amd64/app"}, Dest: "/start"}, []string{"bin/amd64/app /start"}},
		{"two files go into a folder", C{Sources: []string{"app", "docs/readme"}, Dest: "/x"}, []string{"app /x/app", "docs/readme /x/readme"}},
		{"a folder is what is in it", C{Sources: []string{"bin/amd64"}, Dest: "/opt"}, []string{"bin/amd64/app /opt/app", "bin/amd64/lib/x.so /opt/lib/x.so"}},
		{"a slash before and dots change nothing", C{Sources: []string{"/./bin/../docs/"}, Dest: "/d"}, []string{"docs/readme /d/readme"}},
		{"nothing is above the context", C{Sources: []string{"../../app"}, Dest: "/x/"}, []string{"app /x/app"}},
		{"a wildcard stays in its part of the path", C{Sources: []string{"bin/*/app"}, Dest: "/x/"}, []string{"bin/amd64/app /x/app", "bin/arm64/app /x/app"}},
		{"a wildcard that fits a folder", C{Sources: []string{"s*"}, Dest: "/x/"}, []string{"src/a/main /x/a/main", "src/b/deep/main /x/b/deep/main", "src/b/main /x/b/main"}},
		{"two stars are one", C{Sources: []string{"src/**/main"}, Dest: "/x/"}, []string{"src/a/main /x/main", "src/b/main /x/main"}},
		{"an escaped bracket", C{Sources: []string{"a[[]1]/app"}, Dest: "/x"}, []string{"a[1]/app /x"}},
		{"a file that is not there", C{Sources: []string{"nothing", "b*n/zero"}, Dest: "/x"}, nil},
		{"a link as a source is followed", C{Sources: []string{"top"}, Dest: "/x/"}, []string{"app /x/top"}},
		{"a link to a folder as a source", C{Sources: []string{"current/app"}, Dest: "/x"}, []string{"bin/amd64/app /x"}},
		{"a link out of the context leads to nothing", C{Sources: []string{"out", "loop"}, Dest: "/x"}, nil},
		{"a wildcard that fits a link", C{Sources: []string{"t*"}, Dest: "/x/"}, []string{"app /x/top"}},
		{"a wildcard does not go through links", C{Sources: []string{"c*/app"}, Dest: "/x/"}, nil},
		{"a destination that is not known", C{Sources: []string{"docs", "app"}}, []string{"app ", "docs/readme "}},
		{"all but a pattern", C{Sources: []string{"src"}, Exclude: []string{"b"}, Dest: "/"}, []string{"src/a/main /a/main"}},
		{"a pattern is seen from the source", C{Sources: []string{"src"}, Exclude: []string{"src/b"}, Dest: "/"}, []string{"src/a/main /a/main", "src/b/deep/main /b/deep/main", "src/b/main /b/main"}},
		{"all but a pattern but one", C{Sources: []string{"src"}, Exclude: []string{"b", "!b/deep/main"}, Dest: "/"}, []string{"src/a/main /a/main", "src/b/deep/main /b/deep/main"}},
		{"a pattern does not leave out the source itself", C{Sources: []string{"docs/readme", "src/a/*"}, Exclude: []string{"readme", "main"}, Dest: "/x/"}, []string{"docs/readme /x/readme", "src/a/main /x/main"}},
		{"with its folders, a pattern sees the whole path", C{Sources: []string{"src/a/main"}, Parents: true, Exclude: []string{"main"}, Dest: "/x"}, []string{"src/a/main /x/src/a/main"}},
		{"with its folders but for a pattern", C{Sources: []string{"src"}, Parents: true, Exclude: []string{"**/main"}, Dest: "/x"}, nil},
		{"with its folders, a link in the way is not followed", C{Sources: []string{"current/app"}, Parents: true, Dest: "/x"}, nil},
		{"with its folders", C{Sources: []string{"src/a/main"}, Parents: true, Dest: "/x"}, []string{"src/a/main /x/src/a/main"}},
		{"with its folders behind a dot", C{Sources: []string{"src/./b/deep"}, Parents: true, Dest: "/x"}, []string{"src/b/deep/main /x/b/deep/main"}},
		{"with its folders and wildcards", C{Sources: []string{"src/**/main"}, Parents: true, Dest: "/x"}, []string{"src/a/main /x/src/a/main", "src/b/deep/main /x/src/b/deep/main", "src/b/main /x/src/b/main"}},
		{"the whole context", C{Sources: []string{"."}, Exclude: []string{"src", "bin", "a*"}, Dest: "/w"}, []string{
			"docs/readme /w/docs/readme", "current /w/current -> bin/amd64", "loop /w/loop -> loop", "out /w/out -> ../etc", "top /w/top -> app"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := shown(look(t, tree, nil, row.copy))
			if diff := cmp.Diff(row.want, got, cmp.Transformer("nil", func(s []string) string { return strings.Join(s, "\n") })); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// counting is a context that tells what is opened and listed of it.
type counting struct {
	fstest.MapFS
	mu             *sync.Mutex
	opened, listed map[string]int
}

func (c counting) Open(name string) (fs.File, error) {
	c.mu.Lock()
	c.opened[name]++
	c.mu.Unlock()
	return c.MapFS.Open(name)
}

func (c counting) ReadDir(name string) ([]fs.DirEntry, error) {
	c.listed[name]++
	return c.MapFS.ReadDir(name)
}

func TestOnlyWhatACopyCanTakeInIsOpened(t *testing.T) {
	tree := counting{programs("a/1", "a/2", "b/1", "b/2", "c/d/1"), &sync.Mutex{}, map[string]int{}, map[string]int{}}
	ignored := func(name string, dir bool) bool {
		return name == "a/2" || dir && name == "b" || strings.HasPrefix(name, "b/")
	}
	copies := []contents.Copy{{Sources: []string{"a/1"}}, {Sources: []string{"b/1"}}, {Sources: []string{"c/d"}}, {Sources: []string{"c"}}, {Sources: []string{"c/*/1"}}, {Sources: []string{"a/2"}}}
	look(t, tree, ignored, copies...)
	got := fmt.Sprint(tree.opened, tree.listed)
	if want := "map[a/1:1 c/d/1:1] map[c:1 c/d:1]"; got != want {
		t.Errorf("opened and listed: %s\nwant: %s", got, want)
	}
}
