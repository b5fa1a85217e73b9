package plainfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/archbuild/archbuild/internal/plainfile"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	err := errors.Join(
		os.WriteFile(at("short"), []byte("text"), 0o644), os.WriteFile(at("long"), []byte("longer text"), 0o644), os.WriteFile(at("huge"), nil, 0o644),
		os.Truncate(at("huge"), 1<<40), os.Mkdir(at("folder"), 0o755), syscall.Mkfifo(at("pipe"), 0o644),
		os.Symlink("short", at("link")), os.Symlink("pipe", at("to-pipe")), os.Symlink("/dev/zero", at("to-device")), os.Symlink("/etc/passwd", at("out")),
	)
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, want := range map[string]string{
		"short": "", "link": "", "long": "it is longer than 4 bytes", "huge": "it is longer than 4 bytes", "folder": "it is a folder",
		"pipe": "it is a named pipe", "to-pipe": "it is a named pipe", "to-device": "it is a device", "none": "no such file",
	} {
		data, err := plainfile.Read(at(name), 4)
		inside, errInside := plainfile.ReadIn(root, name, 4)
		if name == "to-device" { // which lies outside
			errInside = err
		}
		for _, err := range []error{err, errInside, plainfile.Check(at(name), 4)} {
			switch {
			case want == "" && (err != nil || string(data) != "text" || string(inside) != "text"):
				t.Errorf("%s: %q, %q, %v", name, data, inside, err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("%s: %v, and not %q", name, err, want)
			}
		}
	}
	if _, err := plainfile.ReadIn(root, "out", 1<<20); err == nil {
		t.Error("a link out of the root was followed")
	}
	if _, err := plainfile.Open(at("none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
