package parity_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// epoch is SOURCE_DATE_EPOCH of every build.
const epoch = 1700000000

// world is a hub, archbuild's private engine, a builder of buildx on the very same engine, and a web site.
type world struct {
	t                 *testing.T
	archbuild, buildx string
	hub               *fixtures.Hub
	// root has a folder for each case, and site is the URL under which it is served.
	root, site string
	env        []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	requireMachine(t)
	dir := t.TempDir()
	w := &world{t: t, archbuild: filepath.Join(dir, "archbuild"), root: filepath.Join(dir, "cases"), hub: fixtures.ForTest(t)}
	buildx, err := filepath.Abs("../../bin/buildx")
	if err == nil {
		_, err = os.Stat(buildx)
	}
	if err != nil {
		t.Fatalf("buildx is missing (make bin/buildx): %v", err)
	}
	w.buildx = buildx
	// No account and no builder of this machine has a part in it.
	w.env = append(os.Environ(), "XDG_CONFIG_HOME="+w.hub.ConfigHome, "ARCHBUILD_STATE="+filepath.Join(dir, "state"),
		"BUILDX_CONFIG="+filepath.Join(dir, "buildx"), "DOCKER_CONFIG="+filepath.Join(dir, "docker"), "BUILDX_BUILDER=", "BUILDKIT_HOST=",
		fmt.Sprintf("SOURCE_DATE_EPOCH=%d", epoch))
	w.must(t, "", "go", "build", "-o", w.archbuild, "github.com/archbuild/archbuild/cmd/archbuild")
	pushAliases(t, w.hub)
	w.serve(t)
	w.startEngine(t)
	return w
}

// requireMachine says what this machine lacks. Under CI that is a failure.
func requireMachine(t *testing.T) {
	t.Helper()
	var lacks []string
	if os.Geteuid() != 0 {
		lacks = append(lacks, "root")
	}
	for _, program := range []string{"runc", "git"} {
		if _, err := exec.LookPath(program); err != nil {
			lacks = append(lacks, program)
		}
	}
	if err := fixtures.RegisterEmulators(); err != nil {
		lacks = append(lacks, err.Error())
	}
	switch {
	case len(lacks) == 0:
	case os.Getenv("CI") != "":
		t.Fatalf("cannot run here, it lacks %s: make fixtures", strings.Join(lacks, ", "))
	default:
		t.Skipf("cannot run here, it lacks %s: make fixtures", strings.Join(lacks, ", "))
	}
}

// serve makes a web site of the cases' folders; repositories in them are served to git.
func (w *world) serve(t *testing.T) {
	t.Helper()
	if err := os.MkdirAll(w.root, 0o755); err != nil {
		t.Fatal(err)
	}
	programs := strings.TrimSpace(w.must(t, "", "git", "--exec-path"))
	git := &cgi.Handler{Path: filepath.Join(programs, "git-http-backend"), Env: []string{"GIT_PROJECT_ROOT=" + w.root, "GIT_HTTP_EXPORT_ALL=1"}}
	files := http.FileServer(http.Dir(w.root))
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, ".git/") {
			git.ServeHTTP(rw, r)
			return
		}
		files.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	w.site = server.URL
}

// startEngine builds something small, and tells buildx of the engine's socket.
func (w *world) startEngine(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY Dockerfile /\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if out, err := w.run(context.Background(), "", w.archbuild, "engine", "stop"); err != nil {
			t.Errorf("stopping the engine: %v\n%s", err, out)
		}
	})
	w.must(t, dir, w.archbuild, "build", ".", "-o", "out", "--progress", "quiet", "--engine-idle", "30m")
	var engine struct{ Socket string }
	status := w.must(t, "", w.archbuild, "engine", "status", "--json")
	if err := json.Unmarshal([]byte(status), &engine); err != nil || engine.Socket == "" {
		t.Fatalf("reading the engine's status: %v\n%s", err, status)
	}
	w.must(t, "", w.buildx, "create", "--name", "parity", "--driver", "remote", "unix://"+engine.Socket)
}

// pull makes an OCI layout of an image in the hub.
func (w *world) pull(dir, image string) error {
	ref, err := name.ParseReference(w.hub.Addr+"/"+image, name.Insecure)
	if err != nil {
		return err
	}
	idx, err := remote.Index(ref)
	if err != nil {
		return err
	}
	to, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	return to.AppendIndex(idx, layout.WithAnnotations(map[string]string{ocispecs.AnnotationRefName: ref.Identifier()}))
}

// listen is an ssh agent that has nothing to say.
func (w *world) listen(socket string) error {
	l, err := net.Listen("unix", socket)
	if err == nil {
		w.t.Cleanup(func() { l.Close() })
	}
	return err
}

// run starts a program in dir and returns all that it said.
func (w *world) run(ctx context.Context, dir, program string, args ...string) (string, error) {
	return w.runIn(ctx, dir, nil, nil, program, args...)
}

// runIn is run with more variables in the environment, and something to read.
func (w *world) runIn(ctx context.Context, dir string, env []string, stdin io.Reader, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = dir, append(w.env[:len(w.env):len(w.env)], env...)
	cmd.Stdin, cmd.WaitDelay = stdin, time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (w *world) must(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	out, err := w.run(t.Context(), dir, program, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
	return out
}
