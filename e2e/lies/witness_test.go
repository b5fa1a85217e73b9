package lies_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archbuild/archbuild"
)

// witnessed builds with two nodes and --witness.
func (w *world) witnessed(nodes ...*node) (archbuild.Outcome, error) {
	var stderr bytes.Buffer
	var specs []string
	for i, n := range nodes {
		specs = append(specs, n.address+",name="+string(rune('a'+i))+",platform="+w.label.String())
	}
	opts := w.options(&stderr, specs...)
	opts.Witness = true
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Minute)
	defer cancel()
	outcome, err := archbuild.Build(ctx, opts)
	w.t.Log(stderr.String())
	return outcome, err
}

func TestAWitnessFindsWhatNoLookAtAResultCan(t *testing.T) {
	w := newWorld(t, "linux/amd64")
	// All is well with what it hands over, but that it was built from something else.
	liar := newNode(t, "linux/amd64")
	liar.solve = func(o *order) error { return o.give(other(w)) }
	honest, second := newNode(t, "linux/amd64"), newNode(t, "linux/amd64")
	honest.solve = func(o *order) error { return o.give(w.honest()) }
	second.solve = honest.solve

	outcome, err := w.witnessed(liar, honest)
	var found *archbuild.WitnessError
	if !errors.As(err, &found) || found.First == nil || found.First.Path != "/app" || found.Layer != 2 || exitStatus(err) != 3 || found.Hint() == "" {
		t.Fatalf("two images are not told apart: %v", err)
	}
	if seen := outcome.Images[0].Platforms[0].Witness; seen == nil || seen.Same || seen.Digest == "" || outcome.Images[0].Platforms[0].State != "refused" {
		t.Errorf("the outcome says %+v", outcome.Images[0].Platforms[0])
	}
	if w.tagged() != w.was {
		t.Error("the tag was moved")
	}
	for _, request := range w.hub.Requests() {
		if strings.HasPrefix(request, "PUT /v2/app/") || strings.HasPrefix(request, "POST /v2/app/") {
			t.Errorf("something was pushed: %s", request)
		}
	}

	outcome, err = w.witnessed(honest, second)
	if err != nil {
		t.Fatalf("two that agree: %v", err)
	}
	built := outcome.Images[0].Platforms[0]
	if built.Witness == nil || !built.Witness.Same || built.Witness.Node == built.Node || built.Witness.Digest != built.Digest || built.State != "built" {
		t.Errorf("the outcome says %+v of a witness %+v", built, built.Witness)
	}
	if w.tagged() == w.was {
		t.Error("the tag was not moved")
	}

	// Without a witness the lie would do, once.
	if _, _, err := w.build(liar); err != nil {
		t.Errorf("this lie is one that can be seen, so this test shows nothing: %v", err)
	}
}

func TestWithoutASecondNodeThereIsNoWitness(t *testing.T) {
	w := newWorld(t, "linux/amd64")
	var asked atomic.Int32
	alone, foreign := newNode(t, "linux/amd64"), newNode(t, "linux/arm64", "linux/amd64")
	for _, n := range []*node{alone, foreign} {
		n.solve = func(*order) error { asked.Add(1); return errors.New("nothing is to be built") }
	}
	_, err := w.witnessed(alone)
	var none *archbuild.NoWitnessError
	if !errors.As(err, &none) || none.Hint() == "" {
		t.Errorf("one node is its own witness: %v", err)
	}
	var stderr bytes.Buffer
	opts := w.options(&stderr, alone.address+",name=a,platform=linux/amd64", foreign.address+",name=b,platform=linux/arm64")
	opts.Witness = true
	w.write("Dockerfile", "FROM "+w.hub.Addr+"/base:1\nRUN [\"/app\"]\n")
	if _, err = archbuild.Build(t.Context(), opts); !errors.As(err, &none) {
		t.Errorf("a node that emulates is the witness of one that does not: %v", err)
	}
	if asked.Load() > 0 {
		t.Error("something was built all the same")
	}
}
