//go:build linux

package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/archbuild/archbuild/builder/engine"
	"golang.org/x/sys/unix"
)

// must stops a test that could not be prepared.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// chmod is os.Chmod with the sticky bit where C has it.
func chmod(path string, mode uint32) error { return unix.Chmod(path, mode) }

// What lies in a state folder is believed, so nobody else may be able to put it there.
func TestFoldersThatOthersCouldExchange(t *testing.T) {
	for name, tt := range map[string]struct {
		// prepare gets an empty folder of this user's and gives the state folder.
		prepare func(t *testing.T, dir string) string
		refused bool
	}{
		"a folder below one that is closed to others": {func(t *testing.T, dir string) string { return filepath.Join(dir, "state") }, false},
		"a folder below a sticky one, as in /tmp": {func(t *testing.T, dir string) string {
			must(t, chmod(dir, 0o1777))
			return filepath.Join(dir, "state")
		}, false},
		"a folder of this user's own group": {func(t *testing.T, dir string) string {
			must(t, chmod(dir, 0o775))
			return filepath.Join(dir, "state")
		}, false},
		"this user's own link to an own folder": {func(t *testing.T, dir string) string {
			must(t, os.Mkdir(filepath.Join(dir, "real"), 0o700), os.Symlink("real", filepath.Join(dir, "state")))
			return filepath.Join(dir, "state")
		}, false},
		"another user's folder": {func(t *testing.T, dir string) string {
			must(t, os.Chown(dir, stranger, stranger))
			return dir
		}, true},
		"a folder below another user's": {func(t *testing.T, dir string) string {
			must(t, os.Mkdir(filepath.Join(dir, "state"), 0o700), os.Chown(dir, stranger, stranger))
			return filepath.Join(dir, "state")
		}, true},
		"another user's folder below a sticky one": {func(t *testing.T, dir string) string {
			must(t, chmod(dir, 0o1777), os.Mkdir(filepath.Join(dir, "state"), 0o777), os.Chown(filepath.Join(dir, "state"), stranger, stranger))
			return filepath.Join(dir, "state")
		}, true},
		"a folder that everybody may write to": {func(t *testing.T, dir string) string {
			must(t, chmod(dir, 0o777))
			return dir
		}, true},
		"a folder that everybody may write to, and sticky": {func(t *testing.T, dir string) string {
			must(t, chmod(dir, 0o1777))
			return dir
		}, true},
		"a folder below one that everybody may write to": {func(t *testing.T, dir string) string {
			must(t, chmod(dir, 0o777))
			return filepath.Join(dir, "state")
		}, true},
		"a folder that another group may write to": {func(t *testing.T, dir string) string {
			must(t, os.Chown(dir, -1, stranger), chmod(dir, 0o775))
			return dir
		}, true},
		"a link to another user's folder": {func(t *testing.T, dir string) string {
			must(t, os.Mkdir(filepath.Join(dir, "theirs"), 0o755), os.Chown(filepath.Join(dir, "theirs"), stranger, stranger),
				os.Symlink("theirs", filepath.Join(dir, "state")))
			return filepath.Join(dir, "state")
		}, true},
		"a folder of run that is a link": {func(t *testing.T, dir string) string {
			must(t, os.Mkdir(filepath.Join(dir, "elsewhere"), 0o755), os.Mkdir(filepath.Join(dir, "state"), 0o700),
				os.Symlink("../elsewhere", filepath.Join(dir, "state/run")))
			return filepath.Join(dir, "state")
		}, true},
		"a lock that is a link": {func(t *testing.T, dir string) string {
			must(t, os.MkdirAll(filepath.Join(dir, "state/run"), 0o700), os.Symlink(filepath.Join(dir, "made"), filepath.Join(dir, "state/run/gate.lock")))
			return filepath.Join(dir, "state")
		}, true},
		"a log that is a link": {func(t *testing.T, dir string) string {
			must(t, os.MkdirAll(filepath.Join(dir, "state/run"), 0o700), os.Symlink(filepath.Join(dir, "made"), filepath.Join(dir, "state/run/engine.log")))
			return filepath.Join(dir, "state")
		}, true},
		"data that is a link": {func(t *testing.T, dir string) string {
			must(t, os.MkdirAll(filepath.Join(dir, "state"), 0o700), os.Mkdir(filepath.Join(dir, "elsewhere"), 0o755),
				os.Symlink("../elsewhere", filepath.Join(dir, "state/buildkit-v0.33")))
			return filepath.Join(dir, "state")
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := optionsIn(t, filepath.Join(t.TempDir(), "unused"))
			o.State = tt.prepare(t, dir)
			h, err := engine.Ensure(t.Context(), o)
			if err == nil {
				h.Close()
				stop(t, o)
			}
			var hinted interface{ Hint() string }
			if refused := err != nil; refused != tt.refused || refused && (!errors.As(err, &hinted) || hinted.Hint() == "") {
				t.Errorf("refused: %v, %v; want %v and a hint", refused, err, tt.refused)
			}
			if _, err := os.Lstat(filepath.Join(dir, "made")); err == nil {
				t.Error("a file was made through a link")
			}
			if entries, _ := os.ReadDir(filepath.Join(dir, "elsewhere")); len(entries) > 0 {
				t.Errorf("files were made through a link: %v", entries)
			}
		})
	}
}

// outside is a folder with a file, which no sweep may touch.
func outside(t *testing.T) (dir string, intact func() bool) {
	t.Helper()
	dir = t.TempDir()
	keep := filepath.Join(dir, "executor/victim/keep")
	hosts := filepath.Join(dir, "executor/hosts")
	must(t, os.MkdirAll(filepath.Dir(keep), 0o700), os.WriteFile(keep, []byte("keep"), 0o600), os.WriteFile(hosts, []byte("keep"), 0o600))
	return dir, func() bool {
		data, err := os.ReadFile(keep)
		other, otherErr := os.ReadFile(hosts)
		return err == nil && otherErr == nil && string(data)+string(other) == "keepkeep"
	}
}

func TestTheSweepStaysBelowItsRoot(t *testing.T) {
	for name, plant := range map[string]func(t *testing.T, root, outside string) []string{
		"a link in place of a container": func(t *testing.T, root, outside string) []string {
			must(t, os.Symlink(outside, filepath.Join(root, "runc-overlayfs/executor/0123")))
			return nil
		},
		"a link in a container": func(t *testing.T, root, outside string) []string {
			box := filepath.Join(root, "runc-overlayfs/executor/0123")
			must(t, os.MkdirAll(box, 0o700), os.Symlink(outside, filepath.Join(box, "rootfs")))
			return []string{box}
		},
		"a link in place of the containers' folder": func(t *testing.T, root, outside string) []string {
			must(t, os.RemoveAll(filepath.Join(root, "runc-overlayfs/executor")),
				os.Symlink(filepath.Join(outside, "executor"), filepath.Join(root, "runc-overlayfs/executor")))
			return nil
		},
		"a link in place of a worker's folder": func(t *testing.T, root, outside string) []string {
			must(t, os.Symlink(outside, filepath.Join(root, "runc-native")))
			return nil
		},
		"links that go up": func(t *testing.T, root, outside string) []string {
			box := filepath.Join(root, "runc-overlayfs/executor/0123")
			must(t, os.MkdirAll(box, 0o700), os.Symlink("../../../../..", filepath.Join(box, "a")), os.Symlink("/", filepath.Join(box, "b")))
			return []string{box}
		},
		"a bind mount in a container": func(t *testing.T, root, outside string) []string {
			box := filepath.Join(root, "runc-overlayfs/executor/0123")
			must(t, os.MkdirAll(filepath.Join(box, "rootfs"), 0o700), unix.Mount(outside, filepath.Join(box, "rootfs"), "", unix.MS_BIND, ""))
			return []string{box}
		},
		"a mount on a file, over a mount": func(t *testing.T, root, outside string) []string {
			box := filepath.Join(root, "runc-overlayfs/executor/0123")
			file := filepath.Join(box, "rootfs/executor/victim/keep")
			must(t, os.MkdirAll(filepath.Join(box, "rootfs"), 0o700), unix.Mount(outside, filepath.Join(box, "rootfs"), "", unix.MS_BIND, ""),
				unix.Mount("/dev/null", file, "", unix.MS_BIND, ""))
			return []string{box}
		},
		"a mount where temporary files are": func(t *testing.T, root, outside string) []string {
			tmp := filepath.Join(root, "../run/tmp/x")
			must(t, os.MkdirAll(tmp, 0o700), unix.Mount(outside, tmp, "", unix.MS_BIND, ""))
			return []string{filepath.Dir(tmp)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			root := ensure(t, o).State.Root
			stop(t, o)
			must(t, os.MkdirAll(filepath.Join(root, "runc-overlayfs/executor"), 0o700))
			dir, intact := outside(t)
			gone := plant(t, root, dir)
			stop(t, o)
			if !intact() {
				t.Error("the sweep went outside")
			}
			for _, path := range gone {
				if _, err := os.Lstat(path); !os.IsNotExist(err) {
					t.Errorf("%s is still there: %v", path, err)
				}
			}
			if left := remains(t, o.State, o.State, nil); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// Somebody exchanges folders for links while they are swept.
func TestTheSweepIsNotLedAstrayMeanwhile(t *testing.T) {
	o := options(t)
	root := ensure(t, o).State.Root
	stop(t, o)
	dir, intact := outside(t)
	tmp := filepath.Join(o.State, "run/tmp")
	executor := filepath.Join(root, "runc-overlayfs/executor")
	must(t, os.MkdirAll(executor, 0o700))
	end := make(chan struct{})
	var workers sync.WaitGroup
	for _, at := range []string{filepath.Join(executor, "0123"), filepath.Join(tmp, "x"), tmp} {
		workers.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
				}
				// The folder has the names of the one outside.
				_ = os.MkdirAll(filepath.Join(at, "executor/victim/keep"), 0o700)
				_ = os.Rename(at, at+"-moved")
				_ = os.Symlink(dir, at)
				_ = os.Remove(at)
				_ = os.Rename(at+"-moved", at)
			}
		})
	}
	rounds := 0
	began := time.Now()
	for ; (time.Since(began) < 1500*time.Millisecond || rounds < 10 && time.Since(began) < time.Minute) && intact(); rounds++ {
		_ = engine.Stop(t.Context(), o) // what comes back all the time may be in its way
	}
	close(end)
	workers.Wait()
	if !intact() {
		t.Errorf("the sweep went outside in round %d", rounds)
	}
	if rounds < 10 {
		t.Errorf("%d rounds: the test proves too little", rounds)
	}
	must(t, os.RemoveAll(executor))
	t.Logf("%d sweeps", rounds)
}
