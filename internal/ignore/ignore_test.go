package ignore_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/archbuild/archbuild/internal/ignore"
)

// What cannot be understood would leave nothing out: it is an error, and not an empty list.
func TestAnIgnoreFileIsUnderstoodOrRefused(t *testing.T) {
	write := func(text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	link := func(to string) func(string) error {
		return func(path string) error { return os.Symlink(to, path) }
	}
	for _, row := range []struct {
		is   string
		make func(path string) error
		says string // empty: it is understood
		want []string
	}{
		{"not there", func(string) error { return nil }, "", nil},
		{"empty", write(""), "", nil},
		{"text", write("# keys\n.env\n!keep\n"), "", []string{".env", "!keep"}},
		{"text after a byte order mark", write("\ufeff.env\n"), "", []string{".env"}},
		{"a link to a file of the context", link("more"), "", []string{"secret"}},
		{"UTF-16, little end first", write("\xff\xfe.\x00e\x00n\x00v\x00\n\x00"), "no text in UTF-8", nil},
		{"UTF-16, big end first", write("\xfe\xff\x00.\x00e\x00n\x00v\x00\n"), "no text in UTF-8", nil},
		{"UTF-16 without a mark", write(".\x00e\x00n\x00v\x00\n\x00"), "no text in UTF-8", nil},
		{"Latin-1", write("gr\xfcn\n"), "no text in UTF-8", nil},
		{"a pattern that is none", write("a[\n"), "syntax error in pattern", nil},
		{"an exception from nothing", write("!\n"), "illegal exclusion pattern", nil},
		{"a line without end", write(strings.Repeat("a", 1<<17)), "token too long", nil},
		{"too long", write(strings.Repeat("a\n", ignore.Most)), "longer than", nil},
		{"a folder", func(path string) error { return os.Mkdir(path, 0o755) }, "a folder", nil},
		{"a pipe", func(path string) error { return syscall.Mkfifo(path, 0o644) }, "a named pipe", nil},
		{"a link to itself", link(ignore.File), "leads back to itself", nil},
		{"a link to what is not there", link("missing"), "what is not there", nil},
	} {
		dir := t.TempDir()
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "more"), []byte("secret\n"), 0o600), row.make(filepath.Join(dir, ignore.File))); err != nil {
			t.Fatal(err)
		}
		for way, read := range map[string]func() ([]byte, error){
			"Folder": func() ([]byte, error) { return ignore.Folder(dir) },
			"Tree":   func() ([]byte, error) { return ignore.Tree(os.DirFS(dir)) },
			"Path":   func() ([]byte, error) { return ignore.Path(filepath.Join(dir, ignore.File)) },
		} {
			text, err := read()
			switch wrong := new(ignore.Error); {
			case row.says == "" && err != nil:
				t.Errorf("%s: %s: %v", row.is, way, err)
			case row.says == "":
				if got, err := ignore.Patterns("x", text); err != nil || !slices.Equal(got, row.want) {
					t.Errorf("%s: %s: %q and %v, and not %q", row.is, way, got, err, row.want)
				}
			case !errors.As(err, &wrong) || !strings.Contains(err.Error(), row.says) || wrong.Hint() == "" || text != nil:
				t.Errorf("%s: %s: %q and %v, and not an error with %q", row.is, way, text, err, row.says)
			}
		}
	}
}

// Out of a context nothing is read, be it a file or a device; beside a Dockerfile, a file is.
func TestLinksOutOfAContext(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "context")
	err := errors.Join(os.Mkdir(at, 0o755), os.WriteFile(filepath.Join(dir, "list"), []byte("secret\n"), 0o600), os.Symlink("../list", filepath.Join(at, ignore.File)))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := ignore.Folder(at); err == nil || !strings.Contains(err.Error(), "out of the context") {
		t.Errorf("a link out of the context: %q, %v", text, err)
	}
	if text, err := ignore.Path(filepath.Join(at, ignore.File)); err != nil || string(text) != "secret\n" {
		t.Errorf("a link beside a Dockerfile: %q, %v", text, err)
	}
	if err := errors.Join(os.Remove(filepath.Join(at, ignore.File)), os.Symlink("/dev/zero", filepath.Join(at, ignore.File))); err != nil {
		t.Fatal(err)
	}
	for _, read := range []func() ([]byte, error){
		func() ([]byte, error) { return ignore.Folder(at) },
		func() ([]byte, error) { return ignore.Path(filepath.Join(at, ignore.File)) },
	} {
		if text, err := read(); !errors.As(err, new(*ignore.Error)) {
			t.Errorf("a link to a device: %q, %v", text, err)
		}
	}
}

func TestNoneIsNil(t *testing.T) {
	if text, err := ignore.Tree(fstest.MapFS{}); text != nil || err != nil {
		t.Errorf("none: %q, %v", text, err)
	}
	if text, err := ignore.Tree(fstest.MapFS{ignore.File: {}}); text == nil || err != nil {
		t.Errorf("an empty one: %v, %v", text, err)
	}
}
