package nodes_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func (f *farm) realError(t *testing.T) {
	good := f.run(t, work{name: "wrong", platforms: both})
	good.ok(t)
	f.director.directs(func(s scene) order {
		if s.Arch == "arm64" {
			return order{word: "exit 3"}
		}
		return order{}
	})
	meta := filepath.Join(t.TempDir(), "meta.json")
	r := f.run(t, work{name: "wrong", platforms: both, flags: []string{"--no-cache", "--no-resume", "--metadata-file", meta}})
	if r.code != 1 {
		t.Errorf("exit status %d\n%s", r.code, r.stderr)
	}
	b := r.of(t, "linux/arm64")
	if diff := cmp.Diff(r.Images[0].Platforms, metadata(t, meta)); diff != "" {
		t.Errorf("--metadata-file says something else than --json (-json +metadata):\n%s", diff)
	}
	if b.State != "failed" || b.Tries != 1 || !strings.HasPrefix(b.Node, "arm-") || !strings.Contains(b.Error, "exit status 3") {
		t.Errorf("%+v", b)
	}
	if !strings.Contains(strings.Join(b.Log, "\n"), "is told: exit 3") {
		t.Errorf("the last lines of the log are %q", b.Log)
	}
	if n := f.count("arm64"); n != 1 {
		t.Errorf("the step ran %d times", n)
	}
	if !strings.Contains(r.stderr, "archbuild: error: ") || !strings.Contains(r.stderr, "linux/arm64") {
		t.Errorf("it does not say what failed:\n%s", r.stderr)
	}
	if tag := f.tag(t, "wrong-0"); tag != good.Images[0].Digest {
		t.Errorf("the tag was moved to %s", tag)
	}
}

// count is how often a step has begun for an architecture.
func (f *farm) count(arch string) int {
	n := 0
	for _, s := range f.director.played() {
		if s.Arch == arch {
			n++
		}
	}
	return n
}

// oneFails has one platform fail at once, where the other needs a while.
func oneFails(while time.Duration) func(scene) order {
	return func(s scene) order {
		if s.Arch == "arm64" {
			return order{word: "exit 1", after: 200 * time.Millisecond}
		}
		return order{after: while}
	}
}

func (f *farm) othersEnd(t *testing.T) {
	f.director.directs(oneFails(1200 * time.Millisecond))
	r := f.run(t, work{name: "others", platforms: both})
	if b := r.of(t, "linux/amd64"); r.code != 1 || b.State != "built" {
		t.Errorf("exit status %d, amd64 is %s", r.code, b.State)
	}
	if tag := f.tag(t, "others-0"); tag != "" {
		t.Errorf("the tag names %s", tag)
	}
}

func (f *farm) failFast(t *testing.T) {
	f.director.directs(oneFails(20 * time.Second))
	r := f.run(t, work{name: "fast", platforms: both, flags: []string{"--fail-fast"}})
	if b := r.of(t, "linux/amd64"); r.code != 1 || b.State != "interrupted" {
		t.Errorf("exit status %d, amd64 is %s", r.code, b.State)
	}
	for _, s := range f.director.played() {
		if s.Arch == "amd64" && s.Told == "done" {
			t.Error("the step of amd64 went on to its end")
		}
	}
}

func (f *farm) notStarted(t *testing.T) {
	f.director.directs(func(scene) order { return order{word: "exit 1"} })
	r := f.run(t, work{name: "later", platforms: both, nodes: []string{"amd-a"}, flags: []string{"--jobs", "1"}})
	states := []string{r.of(t, "linux/amd64").State, r.of(t, "linux/arm64").State}
	if slices.Sort(states); r.code != 1 || !slices.Equal(states, []string{"failed", "not started"}) {
		t.Errorf("exit status %d, %q", r.code, states)
	}
	if n := len(f.director.played()); n != 1 {
		t.Errorf("%d steps have run", n)
	}
}

func (f *farm) keepGoing(t *testing.T) {
	first := ""
	f.director.directs(func(s scene) order {
		if first == "" || first == s.Arch {
			first = s.Arch
			return order{word: "exit 1"}
		}
		return order{}
	})
	r := f.run(t, work{name: "going", platforms: both, nodes: []string{"amd-a"}, flags: []string{"--jobs", "1", "--keep-going"}})
	states := []string{r.of(t, "linux/amd64").State, r.of(t, "linux/arm64").State}
	if slices.Sort(states); r.code != 1 || !slices.Equal(states, []string{"built", "failed"}) {
		t.Errorf("exit status %d, %q", r.code, states)
	}
}

func (f *farm) optional(t *testing.T) {
	f.director.directs(func(s scene) order {
		if s.Arch == "arm64" {
			return order{word: "exit 1"}
		}
		return order{}
	})
	r := f.run(t, work{name: "optional", platforms: both, flags: []string{"--optional", "linux/arm64"}})
	r.ok(t)
	if amd, arm := r.of(t, "linux/amd64"), r.of(t, "linux/arm64"); amd.State != "built" || arm.State != "failed" || arm.Error == "" {
		t.Errorf("amd64 %s, arm64 %s %q", amd.State, arm.State, arm.Error)
	}
	if tag := f.tag(t, "optional-0"); tag != r.Images[0].Digest || tag == "" {
		t.Errorf("the tag names %s, the index is %s", tag, r.Images[0].Digest)
	}
	if got := f.platforms(t, "optional-0"); !slices.Equal(got, []string{"linux/amd64"}) {
		t.Errorf("the index has %q", got)
	}
	if !strings.Contains(strings.ToLower(r.stderr), "without linux/arm64") {
		t.Errorf("it does not say what is left out:\n%s", r.stderr)
	}
}
