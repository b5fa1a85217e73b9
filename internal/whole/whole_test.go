package whole_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/whole"
)

func TestAFileIsTheOldOneOrTheNewOne(t *testing.T) {
	broken := errors.New("broken")
	cases := []struct {
		says    string
		old     fs.FileMode // 0 is no file
		fails   bool
		content string // empty is no file
		mode    fs.FileMode
	}{
		{"a new file can be read by all", 0, false, "new", 0o644},
		{"an old file keeps its mode", 0o600, false, "new", 0o600},
		{"what cannot be written leaves the old one", 0o640, true, "old", 0o640},
		{"what cannot be written leaves nothing", 0, true, "", 0},
	}
	for _, c := range cases {
		t.Run(c.says, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			if c.old != 0 {
				put(t, path, "old", c.old)
			}
			err := whole.Stream(path, func(w io.Writer) error {
				if _, err := io.WriteString(w, "ne"); err != nil {
					return err
				}
				if now, _ := os.ReadFile(path); string(now) == "ne" {
					t.Error("half of it can be seen")
				}
				if c.fails {
					return &fs.PathError{Op: "write", Path: w.(*os.File).Name(), Err: broken}
				}
				_, err := io.WriteString(w, "w")
				return err
			})
			if errors.Is(err, broken) != c.fails || err != nil && !strings.Contains(err.Error(), path+":") {
				t.Errorf("error %v", err)
			}
			now, _ := os.ReadFile(path)
			if string(now) != c.content {
				t.Errorf("it holds %q, want %q", now, c.content)
			}
			if info, err := os.Stat(path); err == nil && info.Mode() != c.mode {
				t.Errorf("its mode is %v, want %v", info.Mode(), c.mode)
			}
			for _, name := range names(t, dir) {
				if name != "file" {
					t.Errorf("%s is left over", name)
				}
			}
		})
	}
}

func TestWhatIsNoPlainFileIsNotReplaced(t *testing.T) {
	if err := whole.Write(os.DevNull, []byte("text")); err != nil {
		t.Error(err)
	}
	folder := t.TempDir()
	opened, err := os.Create(filepath.Join(t.TempDir(), "out")) // as "archbuild … /dev/stdout > out" has it
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	standing := fmt.Sprintf("/dev/fd/%d", opened.Fd())
	if err := whole.Write(standing, []byte("text")); err != nil {
		t.Error(err)
	}
	if now, err := os.ReadFile(opened.Name()); string(now) != "text" {
		t.Errorf("the open file holds %q, %v", now, err)
	}
	for _, path := range []string{folder, os.DevNull, standing} {
		if err := whole.Stream(path, func(io.Writer) error { return nil }); err == nil {
			t.Errorf("%s was replaced", path)
		}
	}
}

func TestALinkIsReplacedAndNotFollowed(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "far"), "far", 0o600)
	if err := os.Symlink("far", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := whole.Write(filepath.Join(dir, "link"), []byte("new")); err != nil {
		t.Fatal(err)
	}
	if far, _ := os.ReadFile(filepath.Join(dir, "far")); string(far) != "far" {
		t.Errorf("the file behind the link holds %q", far)
	}
}

func TestWhatKilledProgramsLeftIsRemoved(t *testing.T) {
	dir := t.TempDir()
	young, old := whole.Beside(), whole.Beside()
	kept := []string{young, ".archbuild-", ".archbuild-x1", ".archbuild-1.txt", "file.old"}
	for _, name := range append(kept, old, ".archbuild-5") {
		put(t, filepath.Join(dir, name), "half", 0o400)
	}
	for _, name := range append(kept[1:], old) { // who writes the young one has no lock
		at := time.Now().Add(-2 * time.Hour)
		if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := whole.Write(filepath.Join(dir, "file"), nil); err != nil {
		t.Fatal(err)
	}
	want := append(kept, "file")
	slices.Sort(want)
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("left are %q, want %q", got, want)
	}
}

// Many write into one folder, and each looks for what others have left.
func TestNobodyRemovesWhatAnotherOneWrites(t *testing.T) {
	dir := t.TempDir()
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			for range 100 {
				path := filepath.Join(dir, fmt.Sprint(i%4)) // and two write each file
				err := whole.Stream(path, func(w io.Writer) error {
					_, err := io.WriteString(w, "new")
					return errors.Join(err, whole.Write(path+"-too", []byte("new")))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	for _, name := range names(t, dir) {
		if content, _ := os.ReadFile(filepath.Join(dir, name)); whole.IsTemporary(name) || string(content) != "new" {
			t.Errorf("%s holds %q", name, content)
		}
	}
}

func put(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path, []byte(content), mode), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, entry := range entries {
		list = append(list, entry.Name())
	}
	return list
}
