package archbuild

import (
	"context"
	"testing"
	"time"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/plan/cross"
	"github.com/archbuild/archbuild/platform"
)

// An engine may take long to start; the other nodes are there, and are to answer meanwhile.
func TestANodeThatTakesLongKeepsNobodyFromTheOthers(t *testing.T) {
	started, ends := make(chan struct{}), make(chan struct{})
	slow := place{name: "slow", open: func(context.Context) (*builder.Node, func(), error) {
		close(started)
		<-ends
		return &builder.Node{}, func() {}, nil
	}}
	quick := place{name: "quick", open: func(context.Context) (*builder.Node, func(), error) { return &builder.Node{}, func() {}, nil }}
	c := (&roster{places: places{list: []place{slow, quick}}}).crew()
	defer c.close()
	defer close(ends)
	go func() { _, _ = c.node(t.Context(), 0) }()
	<-started
	answers := make(chan error, 1)
	go func() {
		_, err := c.node(t.Context(), 1)
		answers <- err
	}()
	select {
	case err := <-answers:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("it waits for the one that takes long")
	}
}

// An engine that cannot run here is a native node that is lost, as any other.
func TestAnEngineThatIsAwayIsNativeForThisMachine(t *testing.T) {
	arm := platform.Platform{OS: "linux", Arch: "arm64"}
	host := detect.HostFacts{Platform: arm}
	got := Options{Engine: outside.Engine{State: t.TempDir()}}.lastNative(host, nodes.Spec{Name: engineName, Address: nodes.EngineAddress})
	if len(got) != 1 || got[0] != arm {
		t.Errorf("%v", got)
	}
}

// A full disk is no reason to think that a moved stage should have stayed.
func TestAFailureOfTheNodesIsNotTheMovesFault(t *testing.T) {
	failed := &builder.Error{Line: 3}
	m := &making{plan: plan.Plan{Jobs: []plan.Job{{Crossed: []cross.Decision{{Stage: 0, Move: true}}}}}}
	for err, want := range map[error]bool{
		failed: true,
		&builder.FullError{Node: "a", Err: failed}:  false,
		&builder.CrashError{Node: "a", Err: failed}: false,
	} {
		if got := m.mayBeCross(0, []error{err}); got != want {
			t.Errorf("%T: %v", err, got)
		}
	}
}
