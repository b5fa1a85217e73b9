package nodes_test

import (
	"testing"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// fault is something that happens to a node while a step runs on it.
type fault struct {
	name   string
	strike func(*fixtures.Node) error
	// word is what the step is told then; empty leaves it waiting.
	word string
	// emulated faults happen to emulators, so the platform must not be native.
	emulated bool
	// comesBack says that the node is a good one right after it.
	comesBack bool
}

func (x fault) order() order {
	if x.word == "" {
		return order{when: never}
	}
	return order{word: x.word}
}

// never is what no step hears.
var never = make(chan struct{})

func nothing(*fixtures.Node) error { return nil }

var faults = []fault{
	{name: "killed", strike: (*fixtures.Node).Kill},
	{name: "frozen", strike: (*fixtures.Node).Freeze},
	{name: "cut off", strike: func(n *fixtures.Node) error { return n.Line.Cut() }},
	{name: "reset", strike: func(n *fixtures.Node) error { n.Line.Reset(); return nil }, comesBack: true},
	{name: "disk full", strike: (*fixtures.Node).Fill, word: "done"},
	{name: "disk full while writing", strike: (*fixtures.Node).Fill, word: "write"},
	{name: "emulator crashed", strike: nothing, word: "crash", emulated: true, comesBack: true},
}

// survived lets a fault hit the job of arm64 and looks at what came of it: the platform is built elsewhere, once, and the index is what it
// would have been.
func (x fault) survived(f *farm, t *testing.T) {
	w := work{name: "fault", steps: 2, platforms: both, flags: []string{"--no-cache", "--no-resume", "--node-timeout", "10s"}} // A busy machine may be silent for some seconds and be well.
	if x.emulated {
		w.nodes = []string{"amd-a", "amd-b"}
	}
	struck := f.struck(t, "arm64", x)
	r := f.run(t, w)
	r.ok(t)
	b := r.of(t, "linux/arm64")
	if b.State != "built" || b.Tries != 2 || *struck == "" {
		t.Errorf("struck on %q: %+v", *struck, b)
	}
	if b.Node == *struck && !x.comesBack {
		t.Errorf("built on %s, which was struck", b.Node)
	}
	for arch, want := range map[string]int{"arm64": 3, "amd64": 2} {
		if n := f.count(arch); n != want {
			t.Errorf("%d steps of %s have run, want %d: %+v", n, arch, want, f.director.played())
		}
	}
	if amd := r.of(t, "linux/amd64"); amd.Tries != 1 {
		t.Errorf("amd64: %+v", amd)
	}
	if tag := f.tag(t, "fault-0"); tag != r.Images[0].Digest {
		t.Errorf("the tag names %s, the index is %s", tag, r.Images[0].Digest)
	}
	t.Logf("%s, then built on %s, in %s", *struck, b.Node, r.took)
	f.heal(t)
	f.director.directs(nil)
	undisturbed := f.run(t, w)
	undisturbed.ok(t)
	if a, b := r.Images[0].Digest, undisturbed.Images[0].Digest; a != b || a == "" {
		t.Errorf("after the fault the index is %s, undisturbed it is %s", a, b)
	}
}
