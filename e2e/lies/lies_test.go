// Package lies_test runs the whole program with nodes that lie. A node here is a BuildKit server that builds
// nothing: what it hands over is made up, true in all but one thing. None of it may get under a tag, nor serve a
// later build. What cannot be seen in a result at all is for a witness; see witness_test.go.
package lies_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestALyingNodeIsRefused(t *testing.T) {
	refused := 0
	t.Run("lies", func(t *testing.T) {
		for _, row := range lies {
			t.Run(row.says, func(t *testing.T) {
				if told(t, row) {
					refused++
				}
			})
		}
	})
	t.Logf("%d of %d lies refused, nothing tagged, nothing believed later", refused, len(lies))
	if refused != len(lies) || len(lies) < 12 {
		t.Error("not all")
	}
}

// told lets a node tell a lie, and after that the truth.
func told(t *testing.T, row lie) bool {
	if row.on == "" {
		row.on = "linux/amd64"
	}
	w := newWorld(t, row.on)
	if row.stalls {
		w.patience = 2 * time.Second
	}
	n := newNode(t, row.on)
	n.solve = func(o *order) error { return row.solve(w, o) }
	if row.node != nil {
		row.node(n)
	}
	// What was built before for somebody else lies in the store.
	for _, b := range other(w).all() {
		w.store(b)
	}
	began := time.Now()
	_, stderr, err := w.build(n)
	took := time.Since(began)
	if err == nil || !strings.Contains(err.Error(), row.want) {
		t.Errorf("the error is %v, want %q in it\n%s", err, row.want, stderr)
		return false
	}
	if status := exitStatus(err); status != row.exit {
		t.Errorf("exit status %d, want %d: %v", status, row.exit, err)
	}
	if hint := new(interface{ Hint() string }); !errors.As(err, hint) || (*hint).Hint() == "" {
		t.Errorf("no hint: %v", err)
	}
	if is := w.tagged(); is != w.was {
		t.Errorf("the tag was moved to %s", is)
	}
	for _, request := range w.hub.Requests() {
		if strings.HasPrefix(request, "PUT /v2/app/") || strings.HasPrefix(request, "POST /v2/app/") {
			t.Errorf("something was pushed: %s", request)
		}
	}
	w.patience = time.Minute // A busy machine may be silent for some seconds and be well.
	honest := newNode(t, row.on)
	honest.solve = func(o *order) error { return o.give(w.honest()) }
	outcome, stderr, err := w.build(honest)
	switch {
	case err != nil:
		t.Errorf("what is true is refused afterwards: %v\n%s", err, stderr)
	case outcome.Images[0].Platforms[0].State != "built", outcome.Images[0].Platforms[0].Digest != w.honest().manifest.desc.Digest.String():
		t.Errorf("what it was told before serves this build: %+v", outcome.Images[0].Platforms[0])
	case w.tagged() == w.was:
		t.Error("what is true was not tagged")
	}
	t.Logf("in %s: %v", took.Round(time.Millisecond), err)
	return !t.Failed()
}

// exitStatus is the program's.
func exitStatus(err error) int {
	if status := new(interface{ ExitStatus() int }); errors.As(err, status) {
		return (*status).ExitStatus()
	}
	return 1
}

func TestAttestationsThatAreTrueAreTaken(t *testing.T) {
	w := newWorld(t, "linux/"+runtime.GOARCH)
	n := newNode(t, w.label.String())
	n.solve = func(o *order) error {
		i := w.honest()
		return o.give(i.attested(i.manifest.desc.Digest, i.manifest.desc.Digest))
	}
	if _, stderr, err := w.build(n); err != nil || w.tagged() == w.was {
		t.Errorf("%v\n%s", err, stderr)
	}
}
