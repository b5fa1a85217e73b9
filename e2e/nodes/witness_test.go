package nodes_test

import (
	"slices"
	"strings"
	"testing"
)

// witnessed has two servers build the same, each for itself: what a cache has is of no use to the second.
func (f *farm) witnessed(t *testing.T) {
	w := work{name: "witnessed", steps: 2, platforms: both[:1], nodes: []string{"amd-a", "amd-b"}, flags: []string{"--witness"}}
	for range 2 {
		f.director.directs(nil)
		r := f.run(t, w)
		r.ok(t)
		b := r.of(t, "linux/amd64")
		if !b.Witness.Same || b.Witness.Digest != b.Digest || b.Witness.Node == b.Node || b.Witness.Node == "" {
			t.Errorf("built by %s as %s, its witness says %+v", b.Node, b.Digest, b.Witness)
		}
		steps := 0
		for _, s := range f.director.played() {
			if s.Node == b.Witness.Node {
				steps++
			}
		}
		if steps != w.steps {
			t.Errorf("the witness ran %d steps, want %d", steps, w.steps)
		}
		if tag := f.tag(t, "witnessed-0"); tag != r.Images[0].Digest || tag == "" {
			t.Errorf("the tag names %s, the index is %s", tag, r.Images[0].Digest)
		}
	}
}

// contradicted has one of two servers run something else.
func (f *farm) contradicted(t *testing.T) {
	f.director.directs(func(s scene) order {
		if s.Node == "amd-b" {
			return order{word: "done otherwise"}
		}
		return order{}
	})
	was := f.pushOther(t, "contradicted-0")
	r := f.run(t, work{name: "contradicted", platforms: both[:1], nodes: []string{"amd-a", "amd-b"}, flags: []string{"--witness"}})
	b := r.of(t, "linux/amd64")
	if r.code != 3 || b.State != "refused" || b.Witness.Same || !slices.Contains([]string{"amd-a", "amd-b"}, b.Witness.Node) {
		t.Errorf("exit status %d, %s, a witness %+v\n%s", r.code, b.State, b.Witness, r.stderr)
	}
	for _, text := range []string{"in layer 2 of 2", "/contradicted-0-0: content", "SOURCE_DATE_EPOCH"} {
		if !strings.Contains(r.stderr, text) {
			t.Errorf("it does not say %q:\n%s", text, r.stderr)
		}
	}
	if tag := f.tag(t, "contradicted-0"); tag != was {
		t.Errorf("the tag was moved to %s", tag)
	}
}
