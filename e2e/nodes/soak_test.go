package nodes_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archbuild/archbuild/internal/fixtures"
)

// soakRuns is how many runs the soak makes; ARCHBUILD_NODE_RUNS is another number.
func soakRuns(t *testing.T) int {
	t.Helper()
	text := os.Getenv("ARCHBUILD_NODE_RUNS")
	if text == "" {
		return 5
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Two more kinds of bad luck, beside the faults.
const (
	wrongStep   = "step failed"   // a real error, which is never tried again
	deadAtStart = "dead at start" // the node is killed before the run
)

// soakKinds are all that can happen, in the order in which runs get them: two each, so that any five runs have all.
func soakKinds() []string {
	kinds := []string{wrongStep, deadAtStart}
	for _, x := range faults {
		kinds = append(kinds, x.name)
	}
	return kinds
}

// TestSoak builds on four nodes while things happen to them, each run with a seed of its own. A run ends complete, with the index that
// it would have had undisturbed, or with an error that is right, and then no tag has moved and trying again helps.
func TestSoak(t *testing.T) {
	f := newFarm(t)
	runs, total := soakRuns(t), soakTally{happened: map[string]int{}, met: map[string]int{}}
	began, kinds := time.Now(), soakKinds()
	run := func(seed int, meets, other string) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			f.try(t, func(f *farm, t *testing.T) { newSoakRun(f, t, uint64(seed), &total, meets, other).all() })
		})
	}
	for seed := range runs {
		run(seed, kinds[2*seed%len(kinds)], kinds[(2*seed+1)%len(kinds)])
	}
	// A run can be over before all that was planned has happened. What never did gets another one.
	for i, kind := range kinds {
		if total.happened[kind] == 0 && runs >= 5 {
			run(runs+i, kind, kind)
		}
	}
	t.Logf("%d runs in %s: %d complete, %d ended with an error", total.runs, time.Since(began).Round(time.Second), total.runs-total.failed, total.failed)
	t.Log("fault                     happened  met a step")
	for _, kind := range kinds {
		t.Logf("%-25s %8d  %10d", kind, total.happened[kind], total.met[kind])
		if total.happened[kind] == 0 && runs >= 5 {
			t.Errorf("%q never happened", kind)
		}
	}
	if runs >= 20 && (total.failed == 0 || total.failed == total.runs) {
		t.Errorf("%d of %d runs failed: that shows nothing", total.failed, total.runs)
	}
}

// soakTally is what all runs together gave.
type soakTally struct {
	runs, failed  int
	happened, met map[string]int // by kind
}

// planned is something that is to happen.
type planned struct {
	kind  string
	scene int           // when this many steps have begun before; -1 is before the run
	after time.Duration // later than that
	here  bool          // on the node of that step, else on the one that random names
	node  int
}

// soakRun is one run with its bad luck.
type soakRun struct {
	*testing.T
	f       *farm
	total   *soakTally
	random  *rand.Rand
	w       work
	planned []planned
	before  map[string]string // what each tag named

	mu       sync.Mutex
	over     bool
	striking sync.WaitGroup
	log      []string
	lost     map[string]bool // nodes that are not to be counted on
	struck   map[string]bool // nodes that something has happened to
	wrong    []string        // nodes on which a step was told to fail
	spares   bool            // one node is left for each platform, if possible
}

// newSoakRun is a run in which one kind of fault meets a step, and another happens somewhere.
func newSoakRun(f *farm, t *testing.T, seed uint64, total *soakTally, meets, other string) *soakRun {
	r := &soakRun{T: t, f: f, total: total, random: rand.New(rand.NewPCG(seed, 8)), before: map[string]string{}, lost: map[string]bool{}, struck: map[string]bool{}}
	r.w = work{
		name: fmt.Sprintf("soak%d", seed), paths: 1 + r.random.IntN(2), steps: 1 + r.random.IntN(3), platforms: both,
		flags: []string{"--node-timeout", "6s", "--jobs", strconv.Itoa(1 + r.random.IntN(2))},
	}
	if r.random.IntN(3) == 0 {
		r.w.flags = append(r.w.flags, "--keep-going")
	}
	r.spares = r.random.IntN(3) > 0
	r.plan(meets, true)
	r.plan(other, false)
	for range r.random.IntN(2) {
		r.plan(faults[r.random.IntN(len(faults)-1)].name, false) // No second error, and no crash: that needs other nodes.
	}
	if r.random.IntN(2) == 0 {
		for i := range r.w.paths {
			r.before[r.image(i)] = f.pushOther(t, r.image(i))
		}
	}
	return r
}

func (r *soakRun) image(i int) string { return fmt.Sprintf("%s-%d", r.w.name, i) }

// plan adds something that is to happen. What is there to meet a step waits for one.
func (r *soakRun) plan(kind string, meets bool) {
	p := planned{
		kind: kind, scene: r.random.IntN(r.w.paths * r.w.steps * 2), after: time.Duration(r.random.IntN(200)) * time.Millisecond,
		here: meets || r.random.IntN(2) == 0, node: r.random.IntN(len(r.f.nodes)),
	}
	switch {
	case kind == deadAtStart:
		p.scene = -1
	case kind == wrongStep:
		p.scene = r.w.paths*r.w.steps + r.random.IntN(r.w.paths*r.w.steps) // Late, so that the other things happen.
	case faultOf(kind).emulated:
		r.w.nodes, p.scene = []string{"amd-a", "amd-b"}, -1
		p.node = r.random.IntN(2)
	}
	r.planned = append(r.planned, p)
}

// faultOf is the fault of a kind; one that does nothing for the two others.
func faultOf(kind string) fault {
	for _, x := range faults {
		if x.name == kind {
			return x
		}
	}
	return fault{name: kind, strike: nothing, comesBack: true}
}

func (r *soakRun) all() {
	for _, p := range r.planned {
		if p.kind == deadAtStart {
			r.happens(p.kind, r.f.nodes[p.node], (*fixtures.Node).Kill)
		}
	}
	r.f.director.directs(r.tell)
	r.total.runs++
	result := r.f.run(r.T, r.w)
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	r.striking.Wait()
	r.judge(result)
	if result.code != 0 {
		r.total.failed++
	}
	r.again(result)
	if r.Failed() {
		r.Logf("%+v\n%s", r.f.director.played(), result.stderr)
	}
}

// tell is what a step is to do, and lets happen what its beginning brings about.
func (r *soakRun) tell(s scene) order {
	r.mu.Lock()
	defer r.mu.Unlock()
	begun := len(r.f.director.played()) - 1
	o := order{after: time.Duration(r.random.IntN(400)) * time.Millisecond}
	for i, p := range r.planned {
		x := faultOf(p.kind)
		crashes := x.emulated && s.Arch == "arm64"
		if o.word != "" || p.kind == "" || p.kind == deadAtStart || !crashes && (x.emulated || begun < p.scene) {
			continue
		}
		r.planned[i].kind = ""
		switch {
		case p.kind == wrongStep:
			r.wrong, o.word = append(r.wrong, s.Node), "exit 1"
			r.note(p.kind, s.Node)
		case x.word == "write":
			o.word = x.word
			if err := x.strike(r.f.node(r, s.Node)); err != nil {
				r.Errorf("%s: %v", p.kind, err)
			}
			r.lost[s.Node], r.struck[s.Node] = true, true
			r.note(p.kind, s.Node)
		case x.word == "crash":
			o.word = x.word
			r.note(p.kind, s.Node)
		default:
			node := r.f.nodes[p.node]
			if p.here {
				node = r.f.node(r, s.Node)
			}
			r.striking.Add(1)
			time.AfterFunc(p.after, func() { defer r.striking.Done(); r.happens(p.kind, node, x.strike) })
		}
	}
	return o
}

// happens strikes a node, unless the run is over.
func (r *soakRun) happens(kind string, n *fixtures.Node, strike func(*fixtures.Node) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = r.spare(n)
	if r.over || !n.Alive() { // What is dead cannot die again.
		return
	}
	if err := strike(n); err != nil && n.Alive() {
		r.Errorf("%s: %v", kind, err)
	}
	r.struck[n.Name] = true
	if !faultOf(kind).comesBack || kind == deadAtStart {
		r.lost[n.Name] = true
	}
	r.note(kind, n.Name)
}

// spare gives another node in place of one that is the last of its platform, where there is such a node.
func (r *soakRun) spare(n *fixtures.Node) *fixtures.Node {
	if !r.spares || !r.last(n) {
		return n
	}
	for _, other := range r.f.nodes {
		if !r.lost[other.Name] && !r.last(other) {
			return other
		}
	}
	return n
}

// last says whether the other node of the same platform is lost.
func (r *soakRun) last(n *fixtures.Node) bool {
	return slices.ContainsFunc(r.f.nodes, func(other *fixtures.Node) bool {
		return other != n && own(other.Name) == own(n.Name) && r.lost[other.Name]
	})
}

// note counts. It is called with the lock held.
func (r *soakRun) note(kind, node string) {
	r.log = append(r.log, kind+" "+node)
	r.total.happened[kind]++
	if slices.ContainsFunc(r.f.director.played(), func(s scene) bool { return s.Node == node && s.End.IsZero() }) {
		r.total.met[kind]++
	}
}

// judge compares what the program says with what happened and with the registry.
func (r *soakRun) judge(got result) {
	r.Logf("%d×%d steps on %d platforms%s: %s; exit status %d after %s",
		r.w.paths, r.w.steps, len(r.w.platforms), r.pool(), strings.Join(r.log, ", "), got.code, got.took.Round(10*time.Millisecond))
	switch {
	case got.code != 0 && got.code != 1:
		r.Errorf("exit status %d", got.code)
	case got.code == 0 && slices.ContainsFunc(r.wrong, func(node string) bool { return !r.struck[node] }): // else nobody heard of it
		r.Error("a step has failed, and the run has not")
	case got.code == 1 && !r.excused(got):
		r.Error("it failed without need")
	case got.code == 1 && !strings.Contains(got.stderr, "archbuild: error: "):
		r.Error("it failed without a word")
	}
	if len(got.Images) != r.w.paths {
		r.Errorf("--json has %d images", len(got.Images))
		return
	}
	for i, image := range got.Images {
		r.judgeImage(got, r.image(i), image)
	}
}

func (r *soakRun) judgeImage(got result, name string, image image) {
	whole := true
	for _, b := range image.Platforms {
		whole = whole && (b.State == "built" || b.State == "resumed")
		if b.State != "failed" {
			continue
		}
		if b.Error == "" || b.Node == "" && b.Tries > 0 || !strings.Contains(got.stderr, b.Platform) {
			r.Errorf("%s of %s failed, and that is all it says: %+v", b.Platform, name, b)
		}
	}
	tag := r.f.tag(r, name)
	switch {
	case !whole && (tag != r.before[name] || got.code == 0):
		r.Errorf("%s is not whole, and its tag was moved from %q to %q (exit status %d)", name, r.before[name], tag, got.code)
	case whole && got.code == 0 && (tag != image.Digest || tag == ""):
		r.Errorf("%s is %q, and its tag names %q", name, image.Digest, tag)
	case whole && tag != r.before[name]:
		if platforms := r.f.platforms(r, name); !slices.Equal(platforms, r.w.platforms) {
			r.Errorf("the index of %s has %q", name, platforms)
		}
	}
}

// excused says whether a run may fail: a step was told to, a job has met more faults than it is tried, or a platform has no node left.
func (r *soakRun) excused(got result) bool {
	if len(r.wrong) > 0 {
		return true
	}
	for _, image := range got.Images {
		for _, b := range image.Platforms {
			if b.Tries > 2 {
				return true
			}
		}
	}
	for _, platform := range r.w.platforms {
		left := slices.ContainsFunc(r.f.nodes, func(n *fixtures.Node) bool {
			mine := len(r.w.nodes) == 0 && own(n.Name) == platform || slices.Contains(r.w.nodes, n.Name)
			return mine && !r.lost[n.Name]
		})
		if !left {
			return true
		}
	}
	return false
}

func (r *soakRun) pool() string {
	if len(r.w.nodes) == 0 {
		return ""
	}
	return " on " + strings.Join(r.w.nodes, " and ")
}

// again builds the same on whole nodes: what failed succeeds, and what succeeded has the digests that it has undisturbed.
func (r *soakRun) again(before result) {
	r.f.heal(r)
	r.f.director.directs(nil)
	w := r.w
	if before.code == 0 {
		w.flags = append(slices.Clone(w.flags), "--no-cache", "--no-resume")
	}
	got := r.f.run(r, w)
	if got.code != 0 {
		r.Errorf("on whole nodes: exit status %d\n%s", got.code, got.stderr)
		return
	}
	for i, image := range got.Images {
		if before.code == 0 && before.Images[i].Digest != image.Digest {
			r.Errorf("%s is %s, undisturbed it is %s", image.Name, before.Images[i].Digest, image.Digest)
		}
		if tag := r.f.tag(r, r.image(i)); tag != image.Digest {
			r.Errorf("on whole nodes: the tag of %s names %s, not %s", image.Name, tag, image.Digest)
		}
	}
}
