package builder

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

func TestATurnEndsWhenAStepRuns(t *testing.T) {
	now := time.Now()
	vertex := func(name string, cached bool) *client.Vertex {
		return &client.Vertex{Digest: digest.FromString(name), Name: name, Started: &now, Cached: cached}
	}
	for _, row := range []struct {
		name string
		seen []*client.Vertex
		ends bool
	}{
		{"what BuildKit does around steps", []*client.Vertex{vertex("[internal] load build context", false), vertex("importing cache manifest from x", false)}, false},
		{"a base that is looked up", []*client.Vertex{vertex("[build 1/2] FROM debian", false)}, false},
		{"a step that a cache answers", []*client.Vertex{vertex("[build 2/2] RUN x", true)}, false},
		{"its layers, fetched later", []*client.Vertex{vertex("[build 2/2] RUN x", true), vertex("[build 2/2] RUN x", false)}, false},
		{"a step that runs", []*client.Vertex{vertex("[build 2/2] RUN x", false)}, true},
		{"two steps that run", []*client.Vertex{vertex("[build 2/3] RUN x", false), vertex("[build 3/3] RUN y", false)}, true},
	} {
		turns := newTurns()
		w := &watcher{steps: map[digest.Digest]step{}, tail: map[digest.Digest][]byte{}}
		leave, err := turns.take(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range row.seen {
			w.note(&client.SolveStatus{Vertexes: []*client.Vertex{v}})
		}
		if ended := len(turns) == 0; ended != row.ends {
			t.Errorf("%s: the turn has ended: %v", row.name, ended)
		}
		leave()
		if len(turns) != 0 {
			t.Errorf("%s: nobody has the turn, and it is taken", row.name)
		}
	}
}

func TestWhoWaitsForATurnGoesWhenTheBuildEnds(t *testing.T) {
	turns := newTurns()
	if _, err := turns.take(t.Context(), &watcher{}); err != nil {
		t.Fatal(err)
	}
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(10*time.Millisecond, func() { cancel(gone) })
	leave, err := turns.take(ctx, &watcher{})
	if !errors.Is(err, gone) {
		t.Errorf("error %v", err)
	}
	leave()
	if len(turns) != 1 {
		t.Error("who never had the turn has ended it")
	}
}

func TestJobsWithoutCachesOrCommonStagesTakeNoTurns(t *testing.T) {
	arm, amd := platform.MustParse("linux/arm64"), platform.MustParse("linux/amd64")
	caches, _, err := NewCaches([]Cache{{Type: CacheRegistry, Attrs: map[string]string{"ref": "a"}}}, nil, []platform.Platform{arm, amd}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	own := plan.Job{Platform: arm, BuildPlatform: amd, Stages: []plan.Stage{{Platform: arm}}}
	common := plan.Job{Platform: arm, BuildPlatform: amd, Stages: []plan.Stage{{Platform: amd}, {Platform: arm}}}
	if caches.taken(own) {
		t.Error("a job with stages of its own platform alone waits")
	}
	if !caches.taken(common) {
		t.Error("a job with a stage on the build platform does not wait")
	}
	if (*Caches)(nil).taken(common) || (&Caches{}).taken(common) {
		t.Error("a job without caches waits")
	}
}
