//go:build linux && amd64

package faults_test

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"golang.org/x/sys/unix"

	"github.com/archbuild/archbuild/e2e/faults"
)

// world is where a verb runs: folders of its own, always at the same place, and a registry that begins anew for each run.
type world struct {
	archbuild string
	dir       string
	hub       string // its host:port
	inside    atomic.Pointer[http.Handler]
}

// The folders of a world.
const (
	work  = "work"  // the user's
	state = "state" // archbuild's
	home  = "home"
)

func newWorld(t testing.TB) *world {
	t.Helper()
	dir := quickFolder(t)
	w := &world{archbuild: program(t), dir: dir}
	w.emptyHub()
	web := httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(web.Close)
	w.hub = web.Listener.Addr().String()
	for _, name := range []string{work, state, home + "/run", home + "/tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if code, said := w.run("engine", "stop"); code != 0 {
			t.Errorf("stopping the engine: %s", said)
		}
	})
	return w
}

// quickFolder is in memory where there is such a place: what is tried is what the program does, and not how long a disk takes.
func quickFolder(t testing.TB) string {
	t.Helper()
	in := "/dev/shm"
	if unix.Access(in, unix.W_OK) != nil {
		in = ""
	}
	dir, err := os.MkdirTemp(in, "archbuild-faults-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// serve hands whole requests to the registry: the one inside takes half of a body, of a client that was killed, for all of it.
func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	(*w.inside.Load()).ServeHTTP(rw, r)
}

func (w *world) emptyHub() {
	inside := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	w.inside.Store(&inside)
}

// requireRunc says that this machine cannot build. Under CI that is a failure.
func requireRunc(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("runc"); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("there is no runc: make fixtures")
	}
	t.Skip("there is no runc: make fixtures")
}

// built is the program, compiled once for all tests.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "archbuild-faults-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "archbuild")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, "github.com/archbuild/archbuild/cmd/archbuild")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(err, errors.New(string(out)), os.RemoveAll(dir))
	}
	return file, nil
})

func program(t testing.TB) string {
	t.Helper()
	file, err := built()
	if err != nil {
		t.Fatalf("go build: %v", err)
	}
	return file
}

// env is the same for every run: nothing of this machine's user has a part in it.
func (w *world) env() []string {
	below := func(name string) string { return filepath.Join(w.dir, name) }
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + below(home), "XDG_CONFIG_HOME=" + below("home/config"), "DOCKER_CONFIG=" + below("home/docker"), "BUILDX_CONFIG=" + below("home/buildx"),
		"XDG_RUNTIME_DIR=" + below("home/run"), "ARCHBUILD_STATE=" + below(state), "TMPDIR=" + below("home/tmp"), "SOURCE_DATE_EPOCH=1700000000", "GOMAXPROCS=1", "GITHUB_RUN_ID=4711"}
}

// traced is a run of the program under the tracer.
func (w *world) traced(args []string, fault faults.Fault, at int) faults.Run {
	return faults.Run{Args: append([]string{w.archbuild}, args...), Dir: filepath.Join(w.dir, work), Env: w.env(), Below: []string{w.dir}, Fault: fault, At: at}
}

// run runs the program as it is.
func (w *world) run(args ...string) (code int, stderr string) {
	cmd := exec.Command(w.archbuild, args...)
	cmd.Dir, cmd.Env = filepath.Join(w.dir, work), w.env()
	out, err := cmd.CombinedOutput()
	if failed := new(exec.ExitError); errors.As(err, &failed) {
		return failed.ExitCode(), string(out)
	} else if err != nil {
		return -1, err.Error()
	}
	return 0, string(out)
}

// must is a run that is to end well.
func (w *world) must(t testing.TB, args ...string) {
	t.Helper()
	if code, said := w.run(args...); code != 0 {
		t.Fatalf("archbuild %v: exit status %d\n%s", args, code, said)
	}
}

// put writes a file of the user's.
func (w *world) put(t testing.TB, name, content string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(w.dir, work, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o600), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

// forget removes a folder of archbuild's.
func (w *world) forget(t testing.TB, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(w.dir, state, name)); err != nil {
		t.Fatal(err)
	}
}

func (w *world) has(name string) bool {
	_, err := os.Stat(filepath.Join(w.dir, work, name))
	return err == nil
}

func (w *world) chmod(t testing.TB, name string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(filepath.Join(w.dir, work, name), mode); err != nil {
		t.Fatal(err)
	}
}
