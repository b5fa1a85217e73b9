//go:build linux && amd64

package faults_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/e2e/faults"
)

// asked makes this test program the small program that the tracer is tried on.
const asked = "FAULTS_SMALL_PROGRAM"

func TestMain(m *testing.M) {
	if folder := os.Getenv(asked); folder != "" {
		os.Exit(small(folder))
	}
	code := m.Run()
	if file, err := built(); err == nil {
		_ = os.RemoveAll(filepath.Dir(file))
	}
	os.Exit(code)
}

// small writes a file in place, twice, tells what came of each step, and goes on.
func small(folder string) int {
	failed := 0
	step := func(err error) {
		fmt.Println(err)
		if err != nil {
			failed = 1
		}
	}
	f, err := os.Create(filepath.Join(folder, "file"))
	step(err)
	for _, text := range []string{"0123456789", "abcdefghij"} {
		_, err := f.WriteString(text)
		step(err)
	}
	step(f.Sync())
	step(os.Rename(filepath.Join(folder, "file"), filepath.Join(folder, "other")))
	step(os.Mkdir(filepath.Join(folder, "folder"), 0o755))
	step(syscall.Rmdir(filepath.Join(folder, "folder")))
	return failed
}

// TestTheTracerInterferes tries every fault at every call of a small program, and compares what came of it with what the kernel would give.
func TestTheTracerInterferes(t *testing.T) {
	const none = "<nil>"
	cases := []struct {
		says   string
		fault  faults.Fault
		at     int
		calls  string // of those that were counted
		prints []string
		leaves map[string]string
		killed bool
	}{
		{"without a fault nothing is changed", "", 0, "openat write write fsync renameat mkdirat unlinkat",
			[]string{none, none, none, none, none, none, none}, map[string]string{"other": "0123456789abcdefghij"}, false},
		{"an I/O error is that of one call", faults.IOError, 2, "openat write write fsync renameat mkdirat unlinkat",
			[]string{none, "write file: input/output error", none, none, none, none, none}, map[string]string{"other": "abcdefghij"}, false},
		{"a disk stays full, and files can be removed", faults.NoSpace, 3, "openat write write",
			[]string{none, none, "write file: no space left on device", "sync file: no space left on device", "rename: no space left on device", "mkdir folder: no space left on device", "no such file or directory"},
			map[string]string{"file": "0123456789"}, false},
		{"the kernel writes half, then the disk is full", faults.ShortWrite, 2, "write write",
			[]string{none, none, "write file: no space left on device", "sync file: no space left on device", "rename: no space left on device", "mkdir folder: no space left on device", "no such file or directory"},
			map[string]string{"file": "0123456789abcde"}, false},
		{"killed before the rename, the file has its old name", faults.KillBefore, 5, "openat write write fsync renameat",
			[]string{none, none, none, none}, map[string]string{"file": "0123456789abcdefghij"}, true},
		{"killed after the rename, it has the new one", faults.KillAfter, 5, "openat write write fsync renameat",
			[]string{none, none, none, none}, map[string]string{"other": "0123456789abcdefghij"}, true},
	}
	for _, c := range cases {
		t.Run(c.says, func(t *testing.T) {
			folder := t.TempDir()
			run := faults.Run{Args: []string{os.Args[0]}, Dir: folder, Env: append(os.Environ(), asked+"="+folder), Below: []string{folder}, Fault: c.fault, At: c.at}
			ended, err := run.Do()
			if err != nil {
				t.Fatal(err)
			}
			if ended.Hit != (c.fault != "") || ended.Killed != c.killed {
				t.Errorf("hit: %t, killed: %t", ended.Hit, ended.Killed)
			}
			var calls []string
			for _, call := range ended.Calls {
				calls = append(calls, call.Name)
			}
			if got := strings.Join(calls, " "); got != c.calls {
				t.Errorf("counted %s, want %s", got, c.calls)
			}
			// Names of the folder are left out of what it printed.
			said := strings.ReplaceAll(ended.Stdout, folder+"/", "")
			said = strings.ReplaceAll(said, "rename file other", "rename")
			if diff := cmp.Diff(c.prints, strings.Split(strings.TrimSpace(said), "\n")); diff != "" {
				t.Errorf("it printed (-want +got):\n%s%s", diff, ended.Stderr)
			}
			left := map[string]string{}
			for name, f := range readTree(t, folder) {
				left[name] = f.content
			}
			if diff := cmp.Diff(c.leaves, left); diff != "" {
				t.Errorf("it left (-want +got):\n%s", diff)
			}
		})
	}
}

// TestACallBeyondTheEndIsNotReached keeps a fault that never happened from counting as one that was survived.
func TestACallBeyondTheEndIsNotReached(t *testing.T) {
	folder := t.TempDir()
	ended, err := faults.Run{Args: []string{os.Args[0]}, Dir: folder, Env: append(os.Environ(), asked+"="+folder), Below: []string{folder}, Fault: faults.IOError, At: 8}.Do()
	if err != nil || ended.Hit || ended.Code != 0 || len(ended.Calls) != 7 {
		t.Errorf("hit: %t, exit status %d, %d calls: %v", ended.Hit, ended.Code, len(ended.Calls), err)
	}
}
