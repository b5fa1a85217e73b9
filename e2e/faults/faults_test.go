//go:build linux && amd64

package faults_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/archbuild/archbuild/e2e/faults"
	"github.com/archbuild/archbuild/internal/registrytest"
)

// everything is the variable that has every call of every verb tried; without it few of most verbs' are, chosen by a seed.
const (
	everything = "ARCHBUILD_FAULTS"
	few        = 2
	seed       = 10
)

// TestFilesAreWholeWhateverFails runs each verb again and again, and lets a change of a file fail each time: the next one, in another way.
func TestFilesAreWholeWhateverFails(t *testing.T) {
	requireRunc(t)
	var all table
	t.Run("verbs", func(t *testing.T) {
		for _, v := range verbs(builtBefore(t)) {
			t.Run(v.name, func(t *testing.T) {
				t.Parallel()
				all.add(v.name, (&trial{verb: v, world: newWorld(t)}).all(t))
			})
		}
	})
	t.Log(all.text())
}

// builtBefore is archbuild's folder after a build of the context that verbs build, without its engine.
func builtBefore(t testing.TB) tree {
	t.Helper()
	w := newWorld(t)
	w.put(t, "svc/Dockerfile", scratchFile, 0o644)
	w.put(t, "svc/a", "a\n", 0o644)
	w.must(t, "build", "svc", "--platform", both)
	w.must(t, "engine", "stop")
	left := readTree(t, filepath.Join(w.dir, state))
	for name := range left {
		if strings.HasPrefix(name, "buildkit") {
			delete(left, name)
		}
	}
	return left
}

// trial is a verb in its world.
type trial struct {
	verb
	*world
	// before and after are what the world's folder holds before the verb and after an undisturbed run of it;
	// old and new are the digests that the tag names.
	before, after tree
	old, new      string
}

// all tries each fault at each call.
func (x *trial) all(t *testing.T) map[faults.Fault]*tally {
	for i, arg := range x.args {
		x.args[i] = strings.ReplaceAll(arg, "{hub}", x.world.hub)
	}
	if x.verb.hub != nil {
		x.verb.hub(t, x.world)
	}
	x.prepare(t, x.world)
	x.before = readTree(t, x.dir)
	counts := x.undisturbed(t)
	tallies := map[faults.Fault]*tally{}
	for _, fault := range faults.All {
		tallies[fault] = &tally{}
		for _, at := range x.choose(fault, counts[fault]) {
			x.try(t, fault, at, tallies[fault])
		}
	}
	return tallies
}

// choose is the calls to be tried: all and one more, or a few. Killed after a call or before the next one is nearly the same, so
// that the whole of a verb has one of both unless everything is asked for.
func (x *trial) choose(fault faults.Fault, calls int) []int {
	var list []int
	for at := 1; at <= calls+1; at++ {
		list = append(list, at)
	}
	if os.Getenv(everything) != "" {
		return list
	}
	if !x.whole {
		random := rand.New(rand.NewPCG(seed, uint64(len(x.name)+len(fault))))
		random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list[:min(few, len(list))]
	}
	return slices.DeleteFunc(list, func(at int) bool {
		return fault == faults.KillBefore && at%2 == 0 || fault == faults.KillAfter && at%2 == 1
	})
}

// reset makes the world what it was before the verb.
func (x *trial) reset(t testing.TB) {
	t.Helper()
	x.before.write(t, x.dir)
	x.emptyHub()
	if x.verb.hub != nil {
		x.verb.hub(t, x.world)
	}
}

func (x *trial) tagged(t testing.TB) string {
	t.Helper()
	if x.tag[0] == "" {
		return ""
	}
	digest, err := registrytest.Digest(x.world.hub, x.tag[0], x.tag[1])
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// undisturbed runs the verb without a fault and counts the calls at which each fault can happen.
func (x *trial) undisturbed(t *testing.T) map[faults.Fault]int {
	counts := map[faults.Fault]int{}
	for _, fault := range faults.All {
		x.reset(t)
		x.old = x.tagged(t)
		ended, err := x.traced(x.args, fault, 0).Do()
		if err != nil {
			t.Fatal(err)
		}
		if ended.Code != 0 || ended.Killed {
			t.Fatalf("exit status %d without a fault\n%s%s", ended.Code, ended.Stdout, ended.Stderr)
		}
		after := readTree(t, x.dir)
		if x.after != nil {
			if wrong := differences(after.below(work), x.after.below(work), nil); len(wrong) > 0 {
				t.Fatalf("two runs without a fault differ: %s", strings.Join(wrong, ", "))
			}
		}
		x.after, x.new = after, x.tagged(t)
		counts[fault] = len(ended.Calls)
	}
	for name, f := range x.before.below(work) {
		if now, there := x.after.below(work)[name]; there && now.mode != f.mode {
			t.Errorf("the mode of %s was %v and is %v", name, f.mode, now.mode)
		}
	}
	if x.tag[0] != "" && (x.old == x.new || x.new == "") {
		t.Fatalf("the tag named %q and names %q", x.old, x.new)
	}
	return counts
}

// try runs the verb with a fault, looks at what is left, and runs it again without.
func (x *trial) try(t *testing.T, fault faults.Fault, at int, sum *tally) {
	t.Helper()
	x.reset(t)
	ended, err := x.traced(x.args, fault, at).Do()
	if err != nil {
		t.Fatal(err)
	}
	sum.runs++
	var wrong []string
	switch {
	case !ended.Hit:
		sum.missed++
	case ended.Killed:
		sum.killed++
	case ended.Code != 0:
		sum.errors++
		wrong = x.said(ended, fault)
	default:
		sum.survived++
	}
	whole := append(x.halves(t, ended), x.tagIsRight(t)...)
	sum.halves += len(whole)
	wrong = append(append(wrong, whole...), x.delivered(t, ended)...)
	wrong = append(wrong, x.leftovers(t, ended)...)
	wrong = append(wrong, x.again(t, ended)...)
	if len(wrong) > 0 {
		sum.wrong++
		t.Errorf("%s at call %d, %s %s:\n  %s\n%s%s", fault, at, ended.At.Name, x.short(ended.At.Path), strings.Join(wrong, "\n  "), ended.Stdout, lastLines(ended.Stderr))
	}
}

func (x *trial) short(path string) string { return strings.TrimPrefix(path, x.dir+"/") }

// lastLines is where errors are.
func lastLines(text string) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "")
}

// age makes temporary files old ones.
func (x *trial) age(t testing.TB) {
	t.Helper()
	for name, f := range readTree(t, x.dir) {
		if isTemporary(name) {
			long := f.at.AddDate(0, 0, -1)
			if err := os.Chtimes(filepath.Join(x.dir, name), long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
}
