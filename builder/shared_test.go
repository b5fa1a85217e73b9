//go:build linux

package builder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/testing/protocmp"
)

// found is what a walk tells of one file.
type found struct {
	Name string
	Stat *fstypes.Stat
}

// kinds is a folder with files of every kind.
func kinds(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	var failed error
	try := func(err error) {
		if failed == nil {
			failed = err
		}
	}
	for _, name := range []string{"a", "a/b", "a-b", "deep/er/still", "empty", "z"} {
		try(os.MkdirAll(at(name), 0o750))
	}
	for i, name := range []string{"a/b/1", "a/b/2", "a.b", "a-b/x", "a0", "deep/er/still/é", "deep/er/still/ ", "Z", "z/last", "a/name\\", ".dockerignore"} {
		try(os.WriteFile(at(name), []byte(strings.Repeat("x", i*1000+1)), 0o640))
		try(os.Chtimes(at(name), time.Unix(1, 0), time.Unix(int64(i), 123456789)))
	}
	try(os.Link(at("a/b/1"), at("a/b/3")))
	try(os.Link(at("a/b/1"), at("a/a link")))
	try(os.Link(at("a/b/1"), at("z/link")))
	try(os.Symlink("b/1", at("a/to")))
	try(os.Symlink("/nowhere", at("dangling")))
	try(os.Symlink("a", at("folder")))
	try(os.Link(at("a/to"), at("z/to")))
	try(unix.Mkfifo(at("pipe"), 0o600))
	try(os.Chmod(at("a0"), 0o4755|fs.ModeSetuid))
	try(os.Chmod(at("z"), 0o1777|fs.ModeSticky))
	try(unix.Setxattr(at("a.b"), "user.of", []byte("a file"), 0))
	try(unix.Setxattr(at("empty"), "user.of", []byte("a folder"), 0))
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	try(err)
	try(unix.Bind(socket, &unix.SockaddrUnix{Name: at("z/socket")}))
	try(unix.Close(socket))
	if os.Geteuid() == 0 {
		try(unix.Mknod(at("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
		try(os.Lchown(at("a/b/2"), 1000, 1001))
	}
	if failed != nil {
		t.Fatal(failed)
	}
	return dir
}

// walked is what a walk finds; of folders that skip names it sees no more than that they are there.
func walked(t *testing.T, from fsutil.FS, target string, skip ...string) []found {
	t.Helper()
	var list []found
	err := from.Walk(t.Context(), target, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		stat := info.Sys().(*fstypes.Stat)
		if entry.Name() != info.Name() || entry.IsDir() != info.IsDir() || stat.Path != name {
			t.Errorf("%s: %s %v and %s %v are the same file", name, entry.Name(), entry.IsDir(), stat.Path, info.IsDir())
		}
		stat.Uid, stat.Gid = 0, 0
		list = append(list, found{name, stat})
		if slices.Contains(skip, name) {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		list = append(list, found{Name: err.Error()})
	}
	return list
}

func shared(t *testing.T, s *Shared, dir string) fsutil.FS {
	t.Helper()
	offered, err := Sources{Context: Context{Folder: dir}, Shared: s}.offer(dir)
	if err != nil {
		t.Fatal(err)
	}
	return offered
}

func TestASharedFolderIsWalkedAsFsutilWalksIt(t *testing.T) {
	dir := kinds(t)
	plain, err := fsutil.NewFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	var s Shared
	for name, row := range map[string]struct {
		target string
		skip   []string
		filter fsutil.FilterOpt
	}{
		"all of it":                             {target: "/"},
		"a folder":                              {target: "deep/er"},
		"a file":                                {target: "a/b/1"},
		"a link":                                {target: "folder"},
		"what a link leads to":                  {target: "folder/b"},
		"what is not there":                     {target: "a/c/d"},
		"what is below a file":                  {target: "Z/d"},
		"without a folder":                      {target: "/", skip: []string{"a"}},
		"without the rest of a folder":          {target: "/", skip: []string{"a/b/1"}},
		"without what comes after a file":       {target: "/", skip: []string{"a.b"}},
		"what an ignore file leaves":            {target: "/", filter: fsutil.FilterOpt{ExcludePatterns: []string{"a", "**/er", "!a/b"}}},
		"what an ignore file with * leaves":     {target: "/", filter: fsutil.FilterOpt{ExcludePatterns: []string{"*", "!a/*/1", "!z"}}},
		"what COPY names":                       {target: "/", filter: fsutil.FilterOpt{FollowPaths: []string{"a/to", "z", "none"}}},
		"what COPY names with * and over links": {target: "/", filter: fsutil.FilterOpt{FollowPaths: []string{"folder/b/*", "d*"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var lists [3][]found
			for i, from := range []fsutil.FS{plain, shared(t, &s, dir), shared(t, new(Shared), dir)} {
				filtered, err := fsutil.NewFilterFS(from, &row.filter)
				if err != nil {
					t.Fatal(err)
				}
				lists[i] = walked(t, filtered, row.target, row.skip...)
			}
			for i, who := range []string{"one that is known", "one that is new"} {
				if diff := cmp.Diff(lists[0], lists[i+1], protocmp.Transform()); diff != "" {
					t.Errorf("%s differs (-fsutil +ours):\n%s", who, diff)
				}
			}
		})
	}
}

func TestSessionsSeeOneStateOfAFolder(t *testing.T) {
	dir := kinds(t)
	var s Shared
	first := walked(t, shared(t, &s, dir), "/", "a")
	for _, change := range []error{
		os.WriteFile(filepath.Join(dir, "z/new"), nil, 0o600), os.Remove(filepath.Join(dir, "Z")),
		os.Chmod(filepath.Join(dir, "a0"), 0o600), os.WriteFile(filepath.Join(dir, "a/new"), nil, 0o600),
	} {
		if change != nil {
			t.Fatal(change)
		}
	}
	if diff := cmp.Diff(first, walked(t, shared(t, &s, dir), "/", "a"), protocmp.Transform()); diff != "" {
		t.Errorf("the second walk differs (-first +second):\n%s", diff)
	}
	if !slices.ContainsFunc(walked(t, shared(t, &s, dir), "/"), func(f found) bool { return f.Name == "a/new" }) {
		t.Error("a folder was read that the first walk left out")
	}
	if slices.ContainsFunc(walked(t, shared(t, new(Shared), dir), "/"), func(f found) bool { return f.Name == "Z" }) {
		t.Error("another run sees a file that is gone")
	}
}

func TestAFileThatVanishesTakesNoOtherAlong(t *testing.T) {
	dir := kinds(t)
	var list []string
	err := shared(t, new(Shared), dir).Walk(t.Context(), "/", func(name string, entry fs.DirEntry, err error) error {
		if name == "a/b/1" {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := entry.Info(); err != nil {
			return err
		}
		list = append(list, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(list, "a/b/1") || !slices.Contains(list, "a/b/2") || !slices.Contains(list, "a/b/3") {
		t.Errorf("found %q", list)
	}
}

func TestNoWalkWaitsForAnother(t *testing.T) {
	dir := kinds(t)
	var s Shared
	want := walked(t, shared(t, new(Shared), dir), "/")
	begun, leave := make(chan struct{}), make(chan struct{})
	var slow sync.WaitGroup
	slow.Go(func() {
		shared(t, &s, dir).Walk(t.Context(), "/", func(name string, entry fs.DirEntry, _ error) error {
			if name == "a" {
				close(begun)
				<-leave
			}
			return nil
		})
	})
	<-begun
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if diff := cmp.Diff(want, walked(t, shared(t, &s, dir), "/"), protocmp.Transform()); diff != "" {
				t.Errorf("walks at the same time differ (-want +got):\n%s", diff)
			}
		})
	}
	wg.Wait()
	close(leave)
	slow.Wait()
}

func TestAWalkEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := shared(t, new(Shared), kinds(t)).Walk(ctx, "/", func(string, fs.DirEntry, error) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

func TestWhatIsNotOffered(t *testing.T) {
	dir := kinds(t)
	from := Sources{Context: Context{Folder: dir}, Results: filepath.Join(dir, "a"), Rewrites: []string{"Z", "z"}}
	offered, err := from.offer(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range walked(t, offered, "/") {
		if f.Name == "a" || strings.HasPrefix(f.Name, "a/") || f.Name == "Z" {
			t.Errorf("%s is offered", f.Name)
		}
	}
	if _, err := from.offer(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that is not there is offered")
	}
}

func BenchmarkWalk(b *testing.B) {
	dir := b.TempDir()
	for i := range 20000 {
		name := filepath.Join(dir, fmt.Sprint(i%200), fmt.Sprint(i))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	all := func(from fsutil.FS) {
		if err := from.Walk(b.Context(), "/", func(_ string, entry fs.DirEntry, _ error) error { _, err := entry.Info(); return err }); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("fsutil", func(b *testing.B) {
		for b.Loop() {
			from, _ := fsutil.NewFS(dir)
			all(from)
		}
	})
	var s Shared
	for name, of := range map[string]func() *Shared{"first": func() *Shared { return new(Shared) }, "again": func() *Shared { return &s }} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				from, _ := Sources{Shared: of()}.offer(dir)
				all(from)
			}
		})
	}
}
