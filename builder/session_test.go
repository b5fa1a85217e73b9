//go:build linux

package builder_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
)

// TestMain makes the test binary a program that can start itself as an engine.
func TestMain(m *testing.M) {
	if engine.IsChild(os.Args) {
		os.Exit(engine.Main(os.Args))
	}
	os.Exit(m.Run())
}

// server is an engine of the test's own, as a node and as a process.
func server(t *testing.T) (*builder.Node, int) {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("the private engine needs root")
		}
		t.Skip("the private engine needs root")
	}
	state := filepath.Join(t.TempDir(), "state")
	o := engine.Options{State: state, RuntimeDir: t.TempDir(), Environ: os.Environ(), Idle: time.Minute, Log: t.Output()}
	o.Runc, _ = engine.FindRunc("") // no RUN is tried here
	t.Cleanup(func() {
		if err := engine.Stop(context.Background(), o); err != nil {
			t.Errorf("stopping the engine: %v", err)
		}
	})
	h, err := engine.Ensure(t.Context(), o)
	if err != nil {
		t.Fatalf("starting an engine: %v", err)
	}
	t.Cleanup(func() { h.Close() })
	node, err := builder.Dial(t.Context(), "unix://"+h.State.Socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Client.Close() })
	return node, h.State.PID
}

// built runs a job of a Dockerfile and gives the digest of what came out.
func built(t *testing.T, s *builder.Session, dockerfile string) string {
	t.Helper()
	result := build(t.Context(), t, s, dockerfile)
	if result.Err != nil {
		t.Fatal(result.Err)
	}
	return result.Descriptor.Digest.String()
}

func build(ctx context.Context, t *testing.T, s *builder.Session, dockerfile string) builder.Result {
	t.Helper()
	display, err := builder.NewDisplay(io.Discard, "quiet", builder.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	job := plan.Job{Platform: platform.MustParse("linux/amd64"), Dockerfile: dockerfile, Args: map[string]string{"SOURCE_DATE_EPOCH": "1"}}
	defer display.Close()
	return s.Solve(ctx, job, builder.Options{Template: "Dockerfile"}, display, "linux/amd64")
}

func start(t *testing.T, node *builder.Node, from builder.Sources) *builder.Session {
	t.Helper()
	if from.Store == "" {
		from.Store = t.TempDir()
	}
	s, err := builder.Start(t.Context(), node, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// folder writes files into one.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDockerfilesCanComeLater(t *testing.T) {
	node, _ := server(t)
	t.Run("in the request", func(t *testing.T) { dockerfilesCanComeLater(t, node, "") })
	t.Run("too long for that", func(t *testing.T) { dockerfilesCanComeLater(t, node, strings.Repeat("#\n", 1<<19)) })
}

func dockerfilesCanComeLater(t *testing.T, node *builder.Node, more string) {
	dir := folder(t, map[string]string{"a": "a", "b": "b"})
	only := func(name string) []byte { return fmt.Appendf(nil, "FROM scratch\nCOPY %s /file\n%s", name, more) }
	all := []byte("FROM scratch\nCOPY . /\n" + more)
	s := start(t, node, builder.Sources{Context: builder.Context{Folder: dir}, Dockerfiles: map[string][]byte{"Dockerfile.amd64": only("a")}})
	a := built(t, s, "Dockerfile.amd64")

	s.Add("Dockerfile.arm64", only("b"))
	b := built(t, s, "Dockerfile.arm64")
	if a == b {
		t.Errorf("two Dockerfiles made one image %s", a)
	}
	if again := built(t, s, "Dockerfile.amd64"); again != a {
		t.Errorf("the first Dockerfile now makes %s", again)
	}
	s.Add("Dockerfile.amd64", only("b"))
	if changed := built(t, s, "Dockerfile.amd64"); changed != b {
		t.Errorf("a Dockerfile with another content makes %s, want %s", changed, b)
	}
	s.Add("Dockerfile.amd64", all)
	whole := built(t, s, "Dockerfile.amd64")
	s.Add("Dockerfile.amd64.dockerignore", []byte("b\n"))
	if less := built(t, s, "Dockerfile.amd64"); less == whole {
		t.Errorf("an ignore file that came later is not heeded: %s", less)
	}
}

func TestANodeIsSentWhatItLacks(t *testing.T) {
	node, _ := server(t)
	dir := folder(t, map[string]string{"a": "1234", "b": "12345", "ignored": "123456", ".dockerignore": "ignored\n"})
	named := folder(t, map[string]string{"c": "123"})
	from := builder.Sources{
		Context: builder.Context{Folder: dir}, Contexts: map[string]string{"more": named}, Shared: new(builder.Shared), Store: t.TempDir(),
		Dockerfiles: map[string][]byte{"Dockerfile": []byte("FROM scratch\nCOPY . /\nCOPY --from=more . /\n")},
	}
	s := start(t, node, from)
	if sent := s.Sent(); sent != (builder.Sent{}) {
		t.Errorf("before anything is built %+v are sent", sent)
	}
	built(t, s, "Dockerfile")
	all := s.Sent()
	const ignoring = len("ignored\n")
	if want := (builder.Sent{Contents: 4 + 5 + 3 + int64(ignoring), Files: 4, Metadata: all.Metadata}); all != want || all.Metadata < 50 || all.Metadata > 1000 {
		t.Errorf("sent at first %+v, want %+v with metadata of each file", all, want)
	}
	again := start(t, node, from)
	built(t, again, "Dockerfile")
	if sent, want := again.Sent(), (builder.Sent{Metadata: all.Metadata}); sent != want {
		t.Errorf("sent again %+v, want %+v", sent, want)
	}
	if err := os.WriteFile(filepath.Join(dir, "b"), []byte("123456"), 0o600); err != nil {
		t.Fatal(err)
	}
	from.Shared = new(builder.Shared)
	changed := start(t, node, from)
	built(t, changed, "Dockerfile")
	if sent := changed.Sent(); sent.Contents != 6 || sent.Files != 1 {
		t.Errorf("of one changed file %+v are sent", sent)
	}
}

func TestANodeThatHangsHoldsNobodyUp(t *testing.T) {
	node, pid := server(t)
	from := builder.Sources{
		Context: builder.Context{Folder: folder(t, map[string]string{"a": "a"})}, Shared: new(builder.Shared),
		Dockerfiles: map[string][]byte{"Dockerfile": []byte("FROM scratch\nCOPY . /\n")},
	}
	before := start(t, node, from)
	built(t, before, "Dockerfile")
	freeze(t, pid)
	at := time.Now()
	took := func(what string, most time.Duration) {
		t.Helper()
		if d := time.Since(at); d > most {
			t.Errorf("%s took %s", what, d)
		}
		at = time.Now()
	}
	after := start(t, node, from)
	took("starting", 10*time.Second)
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("given up"))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { node.Client.Close() })
	defer stop()
	if result := build(ctx, t, after, "Dockerfile"); result.Err == nil || result.Err.Error() != "given up" {
		t.Errorf("the build ended with %v", result.Err)
	}
	took("building", 10*time.Second)
	for name, s := range map[string]*builder.Session{"a session that worked": before, "one that never did": after} {
		if err := s.Close(); err != nil {
			t.Errorf("closing %s: %v", name, err)
		}
		took("closing "+name, 10*time.Second)
	}
}

func TestANodeThatHangsInTheMiddleLeavesNothingBehind(t *testing.T) {
	node, pid := server(t)
	dir := folder(t, map[string]string{"a": ""})
	if err := os.Truncate(filepath.Join(dir, "a"), 1<<30); err != nil {
		t.Fatal(err)
	}
	running := runtime.NumGoroutine()
	s := start(t, node, builder.Sources{
		Context: builder.Context{Folder: dir}, Dockerfiles: map[string][]byte{"Dockerfile": []byte("FROM scratch\nCOPY . /\n")},
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error)
	go func() { ended <- build(ctx, t, s, "Dockerfile").Err }()
	for s.Sent().Contents == 0 {
		time.Sleep(time.Millisecond)
	}
	freeze(t, pid)
	time.Sleep(200 * time.Millisecond) // pipes fill
	at := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if d := time.Since(at); d > 10*time.Second {
		t.Errorf("closing took %s", d)
	}
	cancel(errors.New("given up"))
	node.Client.Close()
	if err := <-ended; err == nil || err.Error() != "given up" {
		t.Errorf("the build ended with %v", err)
	}
	for left := runtime.NumGoroutine(); left > running; left = runtime.NumGoroutine() {
		if time.Since(at) > 10*time.Second {
			var stacks strings.Builder
			pprof.Lookup("goroutine").WriteTo(&stacks, 1)
			t.Fatalf("%d goroutines are left of %d:\n%s", left, running, &stacks)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// freeze stops a process until the test is over.
func freeze(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGCONT) })
}

func TestAFileThatChangesWhileItIsSentDoesNoHarm(t *testing.T) {
	dir := folder(t, map[string]string{"a": "1234"})
	from := builder.Sources{
		Context: builder.Context{Folder: dir}, Shared: new(builder.Shared), Store: t.TempDir(),
		Dockerfiles: map[string][]byte{"Dockerfile": []byte("FROM scratch\nCOPY . /\n")},
	}
	first, _ := server(t)
	second, _ := server(t)
	digests := map[string]bool{built(t, start(t, first, from), "Dockerfile"): true}
	for _, content := range []string{"123456", "12"} {
		if err := os.WriteFile(filepath.Join(dir, "a"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s := start(t, second, from)
		digests[built(t, s, "Dockerfile")] = true
		if sent := s.Sent().Contents; sent != int64(len(content)) {
			t.Errorf("%d bytes of %q are sent", sent, content)
		}
	}
	if len(digests) != 3 {
		t.Errorf("three contents made the images %v", digests)
	}
}
