package inputs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// world is what the program has around it: everything that it could touch.
//
//	ROOT/
//	├── home/       HOME, with Docker's and the user's own configuration in it
//	├── tmp/        TMPDIR
//	├── outside/    a file and a folder that no input is allowed to reach
//	├── state/      the state folder: what is remembered there does not count
//	└── deep/in/    the input, and the working directory
type world struct{ root, in string }

func newWorld(t *testing.T) world {
	t.Helper()
	w := world{root: t.TempDir()}
	w.in = filepath.Join(w.root, "deep", "in")
	for _, make := range []maker{
		folder("home/.docker"), folder("home/.config/archbuild"), folder("tmp"), folder("run"), folder("outside/folder"), folder("deep/in"),
		file("outside/secret", "nobody may read this\n"), file("outside/folder/kept", "nor write here\n"), file("home/.docker/config.json", "{}\n"),
	} {
		if err := make(w.root); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// environ is all that the program is told of its surroundings. No registry but one on this machine is reached.
func (w world) environ() []string {
	at := func(name string) string { return filepath.Join(w.root, name) }
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + at("home"), "TMPDIR=" + at("tmp"), "XDG_RUNTIME_DIR=" + at("run"), "ARCHBUILD_STATE=" + at("state"),
		"HTTP_PROXY=http://127.0.0.1:1", "HTTPS_PROXY=http://127.0.0.1:1", "LANG=C.UTF-8",
	}
}

// look describes every file but those of the state folder, and gives the input a name of its own.
func (w world) look(t *testing.T) (list []string, input string) {
	t.Helper()
	names := sha256.New()
	err := filepath.WalkDir(w.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(w.root, path)
		if name == "." { // the state folder is made in it
			return nil
		}
		if name == "state" {
			return fs.SkipDir
		}
		text, content, err := describe(path)
		list = append(list, name+" "+text+content)
		fmt.Fprintln(names, name, text[:strings.Index(text, " inode")], content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list, fmt.Sprintf("%x ", names.Sum(nil))
}

// describe says all of a file that changes when somebody touches it; content is that without times.
func describe(path string) (text, content string, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", "", err
	}
	stat := info.Sys().(*syscall.Stat_t)
	text = fmt.Sprintf("%v %d inode %d owner %d changed %d.%09d ", info.Mode(), info.Size(), stat.Ino, stat.Uid, stat.Ctim.Sec, stat.Ctim.Nsec)
	switch {
	case info.Mode().Type() == fs.ModeSymlink:
		content, err = os.Readlink(path)
	case info.Mode().IsRegular():
		content, err = sum(path)
	}
	return text, content, err
}

// sum is a digest of a file's first megabyte, which is all of most of them.
func sum(path string) (string, error) {
	open, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return "unreadable", nil
	}
	if err != nil {
		return "", err
	}
	defer open.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, io.LimitReader(open, 1<<20)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", digest.Sum(nil)), nil
}

// difference tells the lines that only one of two lists has.
func difference(before, after []string) string {
	var text []string
	for _, line := range before {
		if !slices.Contains(after, line) {
			text = append(text, "- "+line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			text = append(text, "+ "+line)
		}
	}
	return strings.Join(text, "\n")
}

// residue looks at the state folder: no engine was started, and nothing for a moment was left.
func (w world) residue(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(w.root, "state"), func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(filepath.Join(w.root, "state"), path)
		if name == "run/engine.sock" || name == "run/engine.json" || strings.HasPrefix(name, "tmp/") || strings.Contains(filepath.Base(name), ".tmp") {
			t.Errorf("left behind in the state folder: %s", name)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// unprivileged are words before a program that is to have no more rights than the owner of its files.
func unprivileged(t *testing.T) []string {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("setpriv is missing: make fixtures")
		}
		t.Skip("setpriv is missing: make fixtures")
	}
	return []string{setpriv, "--bounding-set", "-dac_override,-dac_read_search"}
}
