package treesum_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/moby/patternmatcher"
	"golang.org/x/sys/unix"

	"github.com/archbuild/archbuild/internal/treesum"
)

// tree makes a folder with a bit of everything in it.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"file": "content", "run.sh": "#!/bin/sh\n", "src/a/b.go": "package a", "src/c.go": "package c", "logs/today": "much", "logs/keep/this": "kept", "empty/x": "",
	} {
		put(t, filepath.Join(dir, name), content)
	}
	try(t, os.Chmod(filepath.Join(dir, "run.sh"), 0o755))
	try(t, os.Symlink("file", filepath.Join(dir, "link")))
	try(t, os.Link(filepath.Join(dir, "file"), filepath.Join(dir, "same")))
	return dir
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, path, content string) {
	t.Helper()
	try(t, os.MkdirAll(filepath.Dir(path), 0o755))
	try(t, os.WriteFile(path, []byte(content), 0o644))
}

// list adds up a folder without what lies in logs, but for logs/keep.
func list(t *testing.T, dir, memory string) treesum.Listing {
	t.Helper()
	ignore, err := patternmatcher.New([]string{"logs", "!logs/keep", "**/*.tmp"})
	try(t, err)
	found, err := treesum.Tree{Folder: dir, Ignore: ignore, Memory: memory, LeftOut: func(name string, info fs.FileInfo) bool {
		return name == "out" && info.IsDir()
	}}.List(t.Context())
	try(t, err)
	return found
}

func TestATreeIsWhatABuildSeesOfIt(t *testing.T) {
	in := func(name string) func(*testing.T, string, func(string) error) {
		return func(t *testing.T, dir string, do func(string) error) {
			t.Helper()
			try(t, do(filepath.Join(dir, name)))
		}
	}
	write := func(content string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(content), 0o644) }
	}
	long := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		what string
		do   func(*testing.T, string)
		same bool
	}{
		{"nothing", func(*testing.T, string) {}, true},
		{"a byte of a file", func(t *testing.T, dir string) { in("file")(t, dir, write("c0ntent")) }, false},
		{"the length of a file", func(t *testing.T, dir string) { in("empty/x")(t, dir, write("x")) }, false},
		{"a byte of a file far below", func(t *testing.T, dir string) { in("src/a/b.go")(t, dir, write("package b")) }, false},
		{"its permissions", func(t *testing.T, dir string) { try(t, os.Chmod(filepath.Join(dir, "file"), 0o755)) }, false},
		{"a set-user-id bit", func(t *testing.T, dir string) { try(t, os.Chmod(filepath.Join(dir, "run.sh"), 0o755|fs.ModeSetuid)) }, false},
		{"permissions of a folder", func(t *testing.T, dir string) { try(t, os.Chmod(filepath.Join(dir, "src"), 0o700)) }, false},
		{"a new file", func(t *testing.T, dir string) { in("src/new")(t, dir, write("")) }, false},
		{"a new folder", func(t *testing.T, dir string) { try(t, os.Mkdir(filepath.Join(dir, "new"), 0o755)) }, false},
		{"a file less", func(t *testing.T, dir string) { in("src/c.go")(t, dir, os.Remove) }, false},
		{"another name", func(t *testing.T, dir string) {
			try(t, os.Rename(filepath.Join(dir, "src/c.go"), filepath.Join(dir, "src/d.go")))
		}, false},
		{"a file in another folder", func(t *testing.T, dir string) {
			try(t, os.Rename(filepath.Join(dir, "src/a/b.go"), filepath.Join(dir, "src/b.go")))
		}, false},
		{"where a link leads to", func(t *testing.T, dir string) {
			in("link")(t, dir, os.Remove)
			try(t, os.Symlink("run.sh", filepath.Join(dir, "link")))
		}, false},
		{"a file in place of a link to the same", func(t *testing.T, dir string) {
			in("link")(t, dir, os.Remove)
			in("link")(t, dir, write("content"))
		}, false},
		{"two files in place of two names", func(t *testing.T, dir string) {
			in("same")(t, dir, os.Remove)
			in("same")(t, dir, write("content"))
		}, false},
		{"a pipe in place of a file", func(t *testing.T, dir string) {
			in("empty/x")(t, dir, os.Remove)
			try(t, unix.Mkfifo(filepath.Join(dir, "empty/x"), 0o644))
		}, false},
		{"an extended attribute", func(t *testing.T, dir string) {
			if err := unix.Setxattr(filepath.Join(dir, "file"), "user.mark", []byte("x"), 0); errors.Is(err, unix.ENOTSUP) {
				put(t, filepath.Join(dir, "new"), "this file system has none")
			} else {
				try(t, err)
			}
		}, false},
		{"the time of a file", func(t *testing.T, dir string) { try(t, os.Chtimes(filepath.Join(dir, "file"), long, long)) }, true},
		{"the time of a folder", func(t *testing.T, dir string) { try(t, os.Chtimes(filepath.Join(dir, "src"), long, long)) }, true},
		{"the same written again", func(t *testing.T, dir string) { in("src/c.go")(t, dir, write("package c")) }, true},
		{"the same in another file of the name", func(t *testing.T, dir string) {
			in("src/c.go")(t, dir, os.Remove)
			in("src/c.go")(t, dir, write("package c"))
		}, true},
		{"a file that is ignored", func(t *testing.T, dir string) { in("logs/today")(t, dir, write("more")) }, true},
		{"a new one that is ignored", func(t *testing.T, dir string) { in("src/a/x.tmp")(t, dir, write("")) }, true},
		{"an exception among the ignored", func(t *testing.T, dir string) { in("logs/keep/this")(t, dir, write("other")) }, false},
		{"a folder that is left out", func(t *testing.T, dir string) { put(t, filepath.Join(dir, "out/x"), "") }, true},
		{"a file of the name of one that is left out", func(t *testing.T, dir string) { put(t, filepath.Join(dir, "out"), "") }, false},
	} {
		for _, memory := range []string{"", filepath.Join(t.TempDir(), "memory")} {
			t.Run(fmt.Sprintf("%s, remembered %t", row.what, memory != ""), func(t *testing.T) {
				t.Parallel()
				dir := tree(t)
				time.Sleep(110 * time.Millisecond) // else nothing would be remembered
				before := list(t, dir, memory)
				row.do(t, dir)
				after := list(t, dir, memory)
				if same := before.Digest == after.Digest; same != row.same {
					t.Errorf("the digest is the same: %t", same)
				}
				if fresh := list(t, dir, ""); fresh.Digest != after.Digest {
					t.Error("what is remembered makes another digest")
				}
			})
		}
	}
}

func TestAFolderAndItsFilesAreOneTree(t *testing.T) {
	dir := tree(t)
	try(t, os.Remove(filepath.Join(dir, "same"))) // what is one file, an fs.FS can tell too
	folder, err := treesum.Tree{Folder: dir}.List(t.Context())
	try(t, err)
	files, err := treesum.Tree{FS: os.DirFS(dir)}.List(t.Context())
	try(t, err)
	if folder.Digest != files.Digest {
		t.Errorf("%d entries and %d make two digests", len(folder.Entries), len(files.Entries))
	}
	var names []string
	for _, e := range folder.Entries {
		names = append(names, e.Name)
	}
	var want []string
	try(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, _ fs.DirEntry, err error) error {
		if name != "." {
			want = append(want, name)
		}
		return err
	}))
	if strings.Join(names, " ") != strings.Join(want, " ") {
		t.Errorf("the order is %v, want %v", names, want)
	}
}

// TestNoChangeIsMissed writes a file again and again as fast as it goes, always as long as
// before, with the time of before: the clock's ticks are longer than that.
func TestNoChangeIsMissed(t *testing.T) {
	dir, memory := t.TempDir(), filepath.Join(t.TempDir(), "memory")
	file := filepath.Join(dir, "file")
	at := time.Now()
	seen := map[treesum.Sum]int{}
	for i := range 300 {
		put(t, file, fmt.Sprintf("%06d", i))
		try(t, os.Chtimes(file, at, at))
		sum := list(t, dir, memory).Digest
		if earlier, ok := seen[sum]; ok {
			t.Fatalf("the change %d has the digest of the change %d", i, earlier)
		}
		seen[sum] = i
		if i%50 == 49 { // so long that the file is remembered
			time.Sleep(110 * time.Millisecond)
			list(t, dir, memory)
		}
	}
}

func TestADamagedMemoryCountsForNothing(t *testing.T) {
	dir, memory := tree(t), filepath.Join(t.TempDir(), "memory")
	time.Sleep(110 * time.Millisecond)
	want := list(t, dir, memory).Digest
	good, err := os.ReadFile(memory)
	try(t, err)
	if len(good) < 300 {
		t.Fatalf("%d bytes are remembered", len(good))
	}
	for at := range good {
		bad := append([]byte{}, good...)
		bad[at] ^= 1
		try(t, os.WriteFile(memory, bad, 0o600))
		if got := list(t, dir, memory).Digest; got != want {
			t.Fatalf("with byte %d changed the digest is another one", at)
		}
	}
	for _, cut := range []int{0, 1, 18, 40, len(good) - 1} {
		try(t, os.WriteFile(memory, good[:cut], 0o600))
		if got := list(t, dir, memory).Digest; got != want {
			t.Fatalf("with %d bytes left the digest is another one", cut)
		}
	}
	if now, err := os.ReadFile(memory); err != nil || string(now) != string(good) {
		t.Error("it is not mended")
	}
}

func TestAStampTellsOfEveryWrite(t *testing.T) {
	dir := tree(t)
	before := list(t, dir, "")
	time.Sleep(20 * time.Millisecond)
	put(t, filepath.Join(dir, "logs/today"), "ignored")
	if list(t, dir, "").Stamp != before.Stamp {
		t.Error("a file that is ignored changes the stamp")
	}
	put(t, filepath.Join(dir, "src/c.go"), "package c")
	if after := list(t, dir, ""); after.Stamp == before.Stamp || after.Digest != before.Digest {
		t.Error("writing the same again is to change the stamp alone")
	}
}

func TestAListingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (treesum.Tree{Folder: tree(t)}).List(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

// locked are files of which some may not be read.
type locked struct{ fstest.MapFS }

func (l locked) Open(name string) (fs.File, error) {
	if strings.Contains(name, "secret") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return l.MapFS.Open(name)
}

func (l locked) ReadDir(name string) ([]fs.DirEntry, error) {
	if strings.Contains(name, "secret") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return l.MapFS.ReadDir(name)
}

func TestWhatMayNotBeReadCountsByItsName(t *testing.T) {
	files := fstest.MapFS{"a": {Data: []byte("a")}, "secret.key": {Data: []byte("key")}, "secrets/b": {Data: []byte("b")}}
	closed, err := treesum.Tree{FS: locked{files}}.List(t.Context())
	try(t, err)
	open, err := treesum.Tree{FS: files}.List(t.Context())
	try(t, err)
	if len(closed.Entries) != 3 || len(open.Entries) != 4 || closed.Digest == open.Digest {
		t.Errorf("%d entries are seen of %d, and the digest is the same: %t", len(closed.Entries), len(open.Entries), closed.Digest == open.Digest)
	}
}

func TestAMissingFolderIsAnError(t *testing.T) {
	if _, err := (treesum.Tree{Folder: filepath.Join(t.TempDir(), "no")}).List(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}
