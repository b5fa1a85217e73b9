package nodes_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNodes shows what four nodes are good for. The tests share them; each finds them whole and idle, and leaves them so.
func TestNodes(t *testing.T) {
	f := newFarm(t)
	for _, test := range []struct {
		name string
		run  func(*farm, *testing.T)
	}{
		{"each platform is built where it is native", (*farm).nativeFirst},
		{"no node is idle while a job waits", (*farm).balanced},
		{"one node and two make the same index", (*farm).sameIndex},
		{"an index is the same from the nodes and from the engine", (*farm).sameAsTheEngine},
		{"a node that does not answer is passed over", (*farm).deadAtStart},
		{"a node that hangs from the start is passed over", (*farm).frozenAtStart},
		{"a failing step is not tried again", (*farm).realError},
		{"what runs ends when another platform fails", (*farm).othersEnd},
		{"with --fail-fast it does not", (*farm).failFast},
		{"what has not started is left out after a failure", (*farm).notStarted},
		{"with --keep-going it is built", (*farm).keepGoing},
		{"an optional platform may fail", (*farm).optional},
		{"a platform whose own node is lost is not emulated unseen", (*farm).noSlide},
		{"with --emulation fallback it is emulated, and said", (*farm).fallback},
		{"with --emulation never nothing is", (*farm).neverEmulated},
		{"a witness builds the same", (*farm).witnessed},
		{"a witness that does not ends the run", (*farm).contradicted},
		{"tries are counted", (*farm).retries},
		{"all nodes lost is an error that names them", (*farm).allLost},
	} {
		t.Run(test.name, func(t *testing.T) { f.try(t, test.run) })
	}
	for _, fault := range faults {
		t.Run("a job survives: "+fault.name, func(t *testing.T) { f.try(t, fault.survived) })
	}
	// What the step wrote is gone when it has failed, so the node has room again; it takes a larger one all the same.
	short := fault{name: "a disk too small for the step", strike: nothing, word: "write", comesBack: true}
	t.Run("a job survives: "+short.name, func(t *testing.T) { f.try(t, short.survived) })
}

// try runs a test, and looks at the nodes after it.
func (f *farm) try(t *testing.T, run func(*farm, *testing.T)) {
	f.director.directs(nil)
	defer func() { // Also after a test that was given up.
		f.heal(t)
		for _, text := range f.quiet(t) {
			t.Errorf("after it, %s", text)
		}
	}()
	run(f, t)
}

func (f *farm) nativeFirst(t *testing.T) {
	r := f.run(t, work{name: "native", platforms: both})
	r.ok(t)
	for platform, prefix := range map[string]string{"linux/amd64": "amd-", "linux/arm64": "arm-"} {
		b := r.of(t, platform)
		if !strings.HasPrefix(b.Node, prefix) || b.How != "native" || b.State != "built" || b.Tries != 1 {
			t.Errorf("%s: %+v", platform, b)
		}
		if !strings.Contains(r.stderr, b.Node) {
			t.Errorf("the text does not name %s", b.Node)
		}
	}
	for _, s := range f.director.played() {
		if b := r.of(t, "linux/"+s.Arch); s.Node != b.Node {
			t.Errorf("%s ran on %s, --json says %s", s.Arch, s.Node, b.Node)
		}
	}
}

// balanced has eight jobs for four nodes with one slot each. Between two jobs of a node lie the export of one and the start of the other:
// as long as this machine takes for what comes before the first step and after the last one, if that is longer than usual.
func (f *farm) balanced(t *testing.T) {
	const step = 3 * time.Second
	f.director.directs(func(scene) order { return order{after: step} })
	r := f.run(t, work{name: "balanced", paths: 4, platforms: both, flags: []string{"--jobs", "1"}})
	ended := time.Now()
	r.ok(t)
	byNode := map[string][]scene{}
	last := map[string]time.Time{} // when the last job of an architecture began
	first, end := ended, ended.Add(-r.took)
	for _, s := range f.director.played() {
		if s.Begin.Before(first) {
			first = s.Begin
		}
		if s.End.After(end) {
			end = s.End
		}
		byNode[s.Node] = append(byNode[s.Node], s)
		if s.Begin.After(last[s.Arch]) {
			last[s.Arch] = s.Begin
		}
	}
	between := max(2500*time.Millisecond, first.Sub(ended.Add(-r.took))+ended.Sub(end))
	for _, name := range slices.Sorted(maps.Keys(byNode)) {
		scenes := byNode[name]
		if !strings.HasPrefix(scenes[0].Arch, name[:3]) {
			t.Errorf("%s has built for %s", name, scenes[0].Arch)
		}
		for i, s := range scenes {
			until := last[s.Arch]
			if i+1 < len(scenes) {
				until = scenes[i+1].Begin
			}
			if idle := until.Sub(s.End); idle > between {
				t.Errorf("%s was idle for %s", name, idle)
			} else if i+1 < len(scenes) && idle < 0 {
				t.Errorf("%s had two jobs at once", name)
			}
		}
	}
	if len(byNode) != 4 {
		t.Errorf("only %d nodes had something to do", len(byNode))
	}
	t.Logf("8 jobs of %s on 4 nodes: %s", step, r.took.Round(time.Millisecond))
}

func (f *farm) sameIndex(t *testing.T) {
	fresh := []string{"--no-cache", "--no-resume"}
	one := f.run(t, work{name: "same", steps: 2, platforms: both, nodes: []string{"amd-a"}, flags: fresh})
	one.ok(t)
	two := f.run(t, work{name: "same", steps: 2, platforms: both, nodes: []string{"amd-a", "arm-b"}, flags: fresh})
	two.ok(t)
	if a, b := one.Images[0].Digest, two.Images[0].Digest; a != b || a == "" {
		t.Errorf("one node makes %s, two make %s", a, b)
	}
	if b := two.of(t, "linux/arm64"); b.Node != "arm-b" {
		t.Errorf("of two nodes, %s has built for arm64", b.Node)
	}
}

func (f *farm) sameAsTheEngine(t *testing.T) {
	nodes := f.run(t, work{name: "engine", platforms: both})
	nodes.ok(t)
	t.Cleanup(func() {
		if r := f.archbuilds(t, t.TempDir(), []string{"engine", "stop"}); r.code != 0 {
			t.Errorf("stopping the engine: %s", r.stderr)
		}
	})
	engine := f.run(t, work{name: "engine", platforms: both, nodes: []string{"no such node"}, flags: []string{"--no-resume"}})
	engine.ok(t)
	if a, b := nodes.Images[0].Digest, engine.Images[0].Digest; a != b || a == "" {
		t.Errorf("nodes make %s, the engine makes %s", a, b)
	}
	if n := len(f.director.played()); n != 4 {
		t.Errorf("%d steps have run", n)
	}
}

func (f *farm) deadAtStart(t *testing.T) {
	if err := f.node(t, "arm-a").Kill(); err != nil {
		t.Fatal(err)
	}
	r := f.run(t, work{name: "dead", platforms: both})
	r.ok(t)
	if b := r.of(t, "linux/arm64"); b.Node != "arm-b" || b.Tries != 1 {
		t.Errorf("%+v", b)
	}
	if !strings.Contains(r.stderr, "warning") || !strings.Contains(r.stderr, "arm-a") {
		t.Errorf("it does not say that arm-a is away:\n%s", r.stderr)
	}
}

func (f *farm) frozenAtStart(t *testing.T) {
	if err := f.node(t, "amd-a").Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := f.node(t, "arm-a").Line.Cut(); err != nil {
		t.Fatal(err)
	}
	r := f.run(t, work{name: "asleep", platforms: both, flags: []string{"--node-timeout", "8s"}})
	r.ok(t)
	if amd, arm := r.of(t, "linux/amd64"), r.of(t, "linux/arm64"); amd.Node != "amd-b" || arm.Node != "arm-b" {
		t.Errorf("amd64 on %s, arm64 on %s", amd.Node, arm.Node)
	}
	for _, name := range []string{"amd-a", "arm-a"} {
		if !strings.Contains(r.stderr, name) {
			t.Errorf("it does not say that %s is away:\n%s", name, r.stderr)
		}
	}
	if r.took > 50*time.Second {
		t.Errorf("it took %s", r.took)
	}
}

// metadata is what a file of --metadata-file says of platforms.
func metadata(t testing.TB, file string) []built {
	t.Helper()
	var said struct {
		Platforms []built `json:"archbuild.platforms"`
	}
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &said)
	}
	if err != nil {
		t.Error(err)
	}
	return said.Platforms
}

// struck lets the first step of an architecture meet a fault, and all others succeed.
func (f *farm) struck(t *testing.T, arch string, fault fault) *string {
	name := new(string)
	f.director.directs(func(s scene) order {
		if s.Arch != arch || s.Try > 0 || *name != "" {
			return order{}
		}
		*name = s.Node
		if err := fault.strike(f.node(t, s.Node)); err != nil {
			t.Errorf("%s: %v", fault.name, err)
		}
		return fault.order()
	})
	return name
}

// lostAlone loses the one node that is declared for arm64.
func (f *farm) lostAlone(t *testing.T, name string, flags ...string) result {
	f.struck(t, "arm64", faults[0])
	return f.run(t, work{name: name, platforms: both, nodes: []string{"amd-a", "arm-a"}, declared: true, flags: flags})
}

func (f *farm) noSlide(t *testing.T) {
	r := f.lostAlone(t, "slide")
	b := r.of(t, "linux/arm64")
	if r.code != 1 || b.State != "failed" || !strings.Contains(b.Error, "arm-a") {
		t.Errorf("exit status %d, %+v\n%s", r.code, b, r.stderr)
	}
	if n := f.count("arm64"); n != 1 {
		t.Errorf("the step ran %d times", n)
	}
	if tag := f.tag(t, "slide-0"); tag != "" {
		t.Errorf("the tag names %s", tag)
	}
}

func (f *farm) fallback(t *testing.T) {
	r := f.lostAlone(t, "fallback", "--emulation", "fallback")
	r.ok(t)
	if b := r.of(t, "linux/arm64"); b.Node != "amd-a" || b.How != "emulated" || b.Tries != 2 {
		t.Errorf("%+v", b)
	}
	if !strings.Contains(r.stderr, "warning") {
		t.Errorf("it does not warn:\n%s", r.stderr)
	}
}

func (f *farm) neverEmulated(t *testing.T) {
	r := f.run(t, work{name: "never", platforms: both, nodes: []string{"amd-a", "amd-b"}, flags: []string{"--emulation", "never"}})
	if r.code == 0 || !strings.Contains(r.stderr, "linux/arm64") {
		t.Errorf("exit status %d\n%s", r.code, r.stderr)
	}
	if n := f.count("arm64"); n != 0 {
		t.Errorf("%d steps have run for arm64", n)
	}
}

// retries lets the emulator crash each time.
func (f *farm) retries(t *testing.T) {
	f.director.directs(func(scene) order { return order{word: "crash"} })
	r := f.run(t, work{name: "tries", platforms: []string{"linux/arm64"}, nodes: []string{"amd-a", "amd-b"}, flags: []string{"--retries", "1"}})
	if b := r.of(t, "linux/arm64"); r.code != 1 || b.State != "failed" || b.Tries != 2 {
		t.Errorf("exit status %d, %+v", r.code, b)
	}
	if n := len(f.director.played()); n != 2 {
		t.Errorf("the step ran %d times", n)
	}
}

func (f *farm) allLost(t *testing.T) {
	f.director.directs(func(s scene) order {
		if err := f.node(t, s.Node).Kill(); err != nil {
			t.Error(err)
		}
		return order{when: never}
	})
	r := f.run(t, work{name: "all", platforms: []string{"linux/arm64"}, nodes: []string{"arm-a", "arm-b"}})
	b := r.of(t, "linux/arm64")
	if r.code != 1 || b.State != "failed" || b.Tries != 2 {
		t.Errorf("exit status %d, %+v", r.code, b)
	}
	for _, name := range []string{"arm-a", "arm-b"} {
		if !strings.Contains(r.stderr, name) {
			t.Errorf("it does not name %s:\n%s", name, r.stderr)
		}
	}
	if tag := f.tag(t, "all-0"); tag != "" {
		t.Errorf("the tag names %s", tag)
	}
	if _, err := os.Stat("archbuild-out"); err == nil {
		t.Error("it leaves archbuild-out")
	}
}
