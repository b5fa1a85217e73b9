// Package dist shows that `make dist` gives the same bytes wherever it is done.
package dist

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestSameBytes makes the archive for this machine's architecture in two folders, in different ways of setting up a shell, and
// compares. `make dist-check` does so for all of them.
func TestSameBytes(t *testing.T) {
	files := tracked(t)
	target := "linux_" + runtime.GOARCH
	if runtime.GOARCH == "arm" {
		target = "linux_armv7"
	}
	var archives [][]byte
	for _, shell := range []string{"umask 022; export TZ=UTC LC_ALL=C", "umask 077; export TZ=Asia/Tokyo LC_ALL=C.UTF-8"} {
		folder := t.TempDir()
		for _, name := range files {
			copyFile(t, filepath.Join("../..", name), filepath.Join(folder, name))
		}
		cmd := exec.Command("sh", "-c", shell+`; exec make --no-print-directory dist-archives DIST_TARGETS="$1" VERSION=v1.2.3 SOURCE_DATE_EPOCH=1700000000`, "sh", target)
		cmd.Dir = folder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("make dist-archives: %v\n%s", err, out)
		}
		archive, err := os.ReadFile(filepath.Join(folder, "dist", "archbuild_1.2.3_"+target+".tar.gz"))
		if err != nil {
			t.Fatal(err)
		}
		archives = append(archives, archive)
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Errorf("two archives of the same files differ: %d and %d bytes", len(archives[0]), len(archives[1]))
	}
}

// tracked are the files of the project: what git knows, and what it would.
func tracked(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	return strings.Split(strings.Trim(string(out), "\x00"), "\x00")
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	source, err := os.Open(from)
	if os.IsNotExist(err) { // removed, and not committed
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if !info.Mode().IsRegular() {
		return
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(target, source); err != nil {
		t.Fatal(err)
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
}
