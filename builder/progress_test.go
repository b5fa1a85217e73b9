package builder

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
	"github.com/tonistiigi/fsutil"
)

func TestEveryLineNamesItsPlatform(t *testing.T) {
	w := &watcher{name: "linux/arm64", platform: "linux/arm64"}
	for _, row := range []struct{ name, want string }{
		{"[build 2/3] RUN make", "[linux/arm64 build 2/3] RUN make"},
		{"[1/2] FROM debian", "[linux/arm64 1/2] FROM debian"},
		{"[internal] load build context", "[linux/arm64 internal] load build context"},
		{"exporting to oci image format", "[linux/arm64] exporting to oci image format"},
		{"[linux/arm64 1/2] FROM debian", "[linux/arm64 1/2] FROM debian"},
	} {
		if got := w.label(row.name); got != row.want {
			t.Errorf("%q becomes %q, want %q", row.name, got, row.want)
		}
	}
}

func TestEqualStepsOfTwoPlatformsStayApart(t *testing.T) {
	step := digest.FromString("step")
	status := &client.SolveStatus{
		Vertexes: []*client.Vertex{{Digest: step, Inputs: []digest.Digest{step}, Name: "[1/1] RUN x"}},
		Logs:     []*client.VertexLog{{Vertex: step, Data: []byte("x")}},
	}
	one := (&watcher{name: "linux/arm64", platform: "linux/arm64"}).named(status)
	other := (&watcher{name: "linux/amd64", platform: "linux/amd64"}).named(status)
	if one.Vertexes[0].Digest == other.Vertexes[0].Digest {
		t.Error("both have the same digest")
	}
	if one.Vertexes[0].Digest != one.Logs[0].Vertex || one.Vertexes[0].Inputs[0] != one.Logs[0].Vertex {
		t.Error("steps, inputs and logs no longer belong together")
	}
	if status.Vertexes[0].Digest != step {
		t.Error("the status itself was changed")
	}
}

func TestStepsAndCachedStepsAreCountedOnce(t *testing.T) {
	now := time.Now()
	w := &watcher{steps: map[digest.Digest]step{}, tail: map[digest.Digest][]byte{}}
	run, cached, internal, from := digest.FromString("run"), digest.FromString("cached"), digest.FromString("internal"), digest.FromString("from")
	for range 2 {
		w.note(&client.SolveStatus{Vertexes: []*client.Vertex{
			{Digest: run, Name: "[linux/amd64 build 3/3] RUN x", Completed: &now},
			{Digest: cached, Name: "[2/3] COPY x /", Completed: &now, Cached: true},
			{Digest: from, Name: "[1/3] FROM debian", Completed: &now, Cached: true}, // the base is there, no work was saved
			{Digest: digest.FromString("started"), Name: "[stage-2 1/1] RUN y"},
			{Digest: internal, Name: "[internal] load build context", Completed: &now},
		}})
	}
	if steps, hits := counts(w.ran()); steps != 2 || hits != 1 {
		t.Errorf("%d steps, %d cached", steps, hits)
	}
}

func TestTheFailedStepsLastLinesAreKept(t *testing.T) {
	w := &watcher{steps: map[digest.Digest]step{}, tail: map[digest.Digest][]byte{}, shown: newShown(Limits{}, new(atomic.Int64))}
	failed, cancelled := digest.FromString("failed"), digest.FromString("cancelled")
	w.remember([]*client.VertexLog{{Vertex: failed, Data: []byte("one\ntwo\n")}, {Vertex: cancelled, Data: []byte("other\n")}})
	w.note(&client.SolveStatus{Vertexes: []*client.Vertex{
		{Digest: cancelled, Name: "[1/2] RUN", Error: context.Canceled.Error()},
		{Digest: failed, Name: "[2/2] RUN", Error: "exit code: 1"},
	}})
	if diff := cmp.Diff([]string{"two"}, w.lastLines(1)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDockerfilesInMemoryAreAFolder(t *testing.T) {
	f := files{"Dockerfile.arm64": []byte("FROM a\n"), "Dockerfile.amd64": []byte("FROM b\n"), "Dockerfile.amd64.dockerignore": nil}
	for target, want := range map[string][]string{
		"":                 {"Dockerfile.amd64", "Dockerfile.amd64.dockerignore", "Dockerfile.arm64"},
		"/":                {"Dockerfile.amd64", "Dockerfile.amd64.dockerignore", "Dockerfile.arm64"},
		"Dockerfile.amd64": {"Dockerfile.amd64"},
		"nothing":          nil,
	} {
		var got []string
		err := f.Walk(t.Context(), target, func(path string, entry fs.DirEntry, err error) error {
			info, infoErr := entry.Info()
			if infoErr != nil || info.Size() != int64(len(f[path])) {
				t.Errorf("%s: %v, %v", path, info, infoErr)
			}
			got = append(got, path)
			return err
		})
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("walking %q: %v (-want +got):\n%s", target, err, diff)
		}
	}
	r, err := f.Open("Dockerfile.arm64")
	if err != nil {
		t.Fatal(err)
	}
	if content, err := io.ReadAll(r); err != nil || string(content) != "FROM a\n" {
		t.Errorf("%q, %v", content, err)
	}
	if _, err := f.Open("../etc/passwd"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	var _ fsutil.FS = f
}
