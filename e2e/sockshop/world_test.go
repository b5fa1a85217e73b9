package sockshop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/fixtures"
)

var platforms = []string{"linux/amd64", "linux/arm64"}

// world is a copy of the shop, the program and a state folder that is empty.
type world struct {
	hub             *fixtures.Hub
	program, shop   string
	results, record string
	env             []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("starting images takes root")
		}
		t.Skip("starting images takes root")
	}
	if err := fixtures.RegisterEmulators(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w := &world{
		hub: fixtures.ForTest(t), program: filepath.Join(dir, "archbuild"), shop: filepath.Join(dir, "sockshop"),
		results: filepath.Join(dir, "archbuild-out"), record: filepath.Join(dir, "metadata.json"),
	}
	w.env = append(os.Environ(), "XDG_CONFIG_HOME="+w.hub.ConfigHome, "ARCHBUILD_STATE="+filepath.Join(dir, "state"), "GITHUB_ACTIONS=")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", w.program, "github.com/archbuild/archbuild/cmd/archbuild")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if err := os.CopyFS(w.shop, os.DirFS("../../examples/sockshop")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop := exec.Command(w.program, "engine", "stop")
		stop.Env = w.env
		if out, err := stop.CombinedOutput(); err != nil {
			t.Errorf("stopping the engine: %v\n%s", err, out)
		}
	})
	return w
}

// result is what a run says in --metadata-file, by the image's name.
type result struct {
	images map[string]image
	took   time.Duration
}

type image struct {
	Digest    string     `json:"containerimage.digest"`
	Platforms []platform `json:"archbuild.platforms"`
}

type platform struct {
	Platform, State string
	Began, Ended    time.Time
}

// build is what README.md says: all of the shop, for both platforms.
func (w *world) build(t *testing.T) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.program, filepath.Join(w.shop, "compose.yaml"), "--platform", strings.Join(platforms, ","), "--metadata-file", w.record, "--progress", "quiet")
	cmd.Env, cmd.Dir = w.env, filepath.Dir(w.results)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	began := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, &said)
	}
	run := result{took: time.Since(began)}
	body, err := os.ReadFile(w.record)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &run.images); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return run
}

// expect says that an image was made for every platform, and how.
func (r result) expect(t *testing.T, name, state string) {
	t.Helper()
	if r.images[name].Digest == "" {
		t.Errorf("there is no image of %s", name)
	}
	for _, p := range platforms {
		if got := r.platform(t, name, p); got.State != state {
			t.Errorf("%s for %s is %s, not %s", name, p, got.State, state)
		}
	}
}

// platform is what became of an image for a platform.
func (r result) platform(t *testing.T, name, wanted string) platform {
	t.Helper()
	for _, p := range r.images[name].Platforms {
		if p.Platform == wanted {
			return p
		}
	}
	t.Errorf("nothing is said of %s for %s", name, wanted)
	return platform{}
}

// serve starts the arm64 image of a service until the test ends, and gives its address.
func (w *world) serve(t *testing.T, name string, env ...string) string {
	t.Helper()
	address := free(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- fixtures.ServeImage(ctx, filepath.Join(w.results, name), "linux/arm64", append(env, "PORT="+port)...)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	return address
}

// free is an address on which nobody listens.
func free(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return "127.0.0.1:" + strconv.Itoa(port)
}

// dial waits ten seconds for somebody who takes the connection, and a minute for what is said.
func dial(address string) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(time.Minute))
}
