package archbuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// places are the nodes of a run: those that answer, and those that do not.
type places struct {
	list []place
	away []away
}

// away is a node that was named and does not answer.
type away struct {
	spec nodes.Spec
	err  error
	// native is what it runs natively, as it was declared or last seen.
	native []platform.Platform
}

// several says whether there is a choice.
func (p places) several() bool { return len(p.list) > 1 }

// close ends what finding the places has opened.
func (p places) close() {
	for _, at := range p.list {
		at.close()
	}
}

// findPlaces finds all nodes, and asks each what it is. One that does not answer is told
// of; it is an error where none does.
func (o Options) findPlaces(ctx context.Context, host detect.HostFacts) (places, error) {
	own, err := o.buildPlatform()
	if err != nil {
		return places{}, err
	}
	specs, err := o.specs()
	if err != nil {
		return places{}, err
	}
	if _, name := o.where().BuilderName(o.System); len(specs) == 1 && name == "" { // nobody gave it a name
		if plain, err := nodes.ParseAddress(specs[0].Address); err == nil && plain.Name == specs[0].Name {
			specs[0].Name = specs[0].Address
		}
	}
	for i := range specs {
		specs[i].Jobs = cmp.Or(specs[i].Jobs, o.Jobs)
	}
	found, err := o.reach(ctx, host, specs)
	for i := range found.list {
		at := &found.list[i]
		if own != (platform.Platform{}) {
			at.platform = own
		}
	}
	return found, err
}

// reach asks all nodes at once.
func (o Options) reach(ctx context.Context, host detect.HostFacts, specs []nodes.Spec) (places, error) {
	list, failed := make([]place, len(specs)), make([]error, len(specs))
	var wg sync.WaitGroup
	for i, spec := range specs {
		wg.Go(func() { list[i], failed[i] = o.placeOf(ctx, host, spec, len(specs) > 1) })
	}
	wg.Wait()
	var found places
	for i, spec := range specs {
		if failed[i] == nil {
			found.list = append(found.list, list[i])
			continue
		}
		found.away = append(found.away, away{spec: spec, err: failed[i], native: o.lastNative(host, spec)})
	}
	mistaken := errors.As(errors.Join(failed...), new(*wrong.Usage)) // that is no node's silence
	if len(found.list) == 0 || mistaken || ctx.Err() != nil {
		found.close()
		return places{}, errors.Join(append(failed, context.Cause(ctx))...)
	}
	if o.OnNodes != nil {
		o.OnNodes(len(found.list))
	}
	for _, gone := range found.away {
		fmt.Fprintf(o.engineLog(), "archbuild: warning: %s; its work goes elsewhere\n", ui.Line(gone.err.Error()))
	}
	return found, nil
}

// placeOf is a node as a place. Where there are others, it is asked for its processors
// and for what it runs natively, unless that was done lately.
func (o Options) placeOf(ctx context.Context, host detect.HostFacts, spec nodes.Spec, others bool) (place, error) {
	if spec.Address == nodes.EngineAddress {
		at, err := o.enginePlace(ctx, host)
		at.weight, at.slots = spec.Weight, spec.Slots(runtime.NumCPU())
		return at.declared(spec.Platforms), err
	}
	opening, opened := context.WithTimeoutCause(ctx, o.nodeTimeout(), fmt.Errorf("no answer within %s", o.nodeTimeout()))
	defer opened()
	node, err := nodes.Open(opening, spec)
	if err != nil {
		return place{}, o.ofBuilder(spec.Name, &SilentNodeError{nodes.Silent(spec, err), err})
	}
	at := nodePlace(spec.Name, node)
	at.address, at.weight, at.slots = spec.Address, spec.Weight, spec.Slots(0)
	native := spec.Platforms
	seen, known := nodes.Recall(o.stateDir(), spec.Address)
	if others && !o.DryRun { // which leaves nothing behind, and has no node run anything
		seen, known = nodes.Learn(ctx, o.stateDir(), time.Now(), spec, node), true
	}
	if others && known && slices.Equal(seen.Declared, spec.Platforms) {
		at.slots, native = spec.Slots(seen.Cores), seen.Native
	}
	return at.declared(native), nil
}

// declared is the place of a node whose native platforms are known otherwise than by
// its own list; none are not.
func (p place) declared(list []platform.Platform) place {
	if len(list) == 0 {
		return p
	}
	runs := p.runs
	p.platform = list[0]
	p.kind += fmt.Sprint(list)
	p.runs = func(on platform.Platform) plan.Ability {
		if slices.ContainsFunc(list, on.Serves) {
			return plan.Ability{How: plan.Native}
		}
		if can := runs(on); can.How != plan.Native {
			return can
		}
		return plan.Ability{How: plan.Emulated, Why: "it is not native there"}
	}
	return p
}

// native says whether a place runs programs of a platform itself.
func (p place) native(on platform.Platform) bool { return p.runs(on).How == plan.Native }

// lastNative is what a node that does not answer runs natively, as its owner says or as
// it was seen last. The engine is this machine.
func (o Options) lastNative(host detect.HostFacts, spec nodes.Spec) []platform.Platform {
	if spec.Address == nodes.EngineAddress && len(spec.Platforms) == 0 {
		return []platform.Platform{host.Platform}
	}
	if seen, known := nodes.Recall(o.stateDir(), spec.Address); known && len(spec.Platforms) == 0 {
		return seen.Native
	}
	return spec.Platforms
}

// buildPlatform reads --build-platform; the zero value asks the node.
func (o Options) buildPlatform() (platform.Platform, error) {
	if o.BuildPlatform == "" {
		return platform.Platform{}, nil
	}
	own, err := platform.Parse(o.BuildPlatform)
	if err != nil {
		return own, &wrong.Usage{fmt.Errorf("--build-platform: %w", err), wrong.Hint(err)}
	}
	return own, nil
}

// locate finds the place of verbs that need one alone: the first.
func (o Options) locate(ctx context.Context, host detect.HostFacts) (place, error) {
	found, err := o.findPlaces(ctx, host)
	if err != nil {
		return place{}, err
	}
	for _, at := range found.list[1:] {
		at.close()
	}
	return found.list[0], nil
}

// engine says whether the private engine is among the nodes.
func (p places) engine() bool {
	return slices.ContainsFunc(p.list, func(at place) bool { return at.name == engineName })
}

// SilentNodeError says that a node that was named does not answer.
type SilentNodeError struct {
	Facts nodes.Facts
	Err   error
}

func (e *SilentNodeError) Error() string {
	name := e.Facts.Name
	if name != e.Facts.Address {
		name += " (" + e.Facts.Address + ")"
	}
	return fmt.Sprintf("node %s does not answer: %s", name, e.Facts.Error)
}

// Unwrap gives what the connection said.
func (e *SilentNodeError) Unwrap() error { return e.Err }

// Hint says what to try, or how to do without.
func (e *SilentNodeError) Hint() string {
	return e.Facts.Hint + "; without --node and BUILDKIT_HOST archbuild's own engine builds"
}

// builds is the platform of the node that will most likely build a platform: of the first that runs it natively, else of
// the first.
func (p places) builds(on platform.Platform) platform.Platform {
	for _, at := range p.list {
		if p.several() && at.native(on) {
			return at.platform
		}
	}
	return p.list[0].platform
}

// where is what the user has said of where to build.
func (o Options) where() outside.Nodes {
	return outside.Nodes{Named: o.Nodes, Builder: o.Builder, Insecure: o.NodeInsecure}
}

// specs are the nodes that were asked for, or else named.
func (o Options) specs() ([]nodes.Spec, error) { return o.where().Specs(o.System) }

// ofBuilder is the error of a builder's node that does not answer.
func (o Options) ofBuilder(node string, err error) error {
	from, name := o.where().BuilderName(o.System)
	if name == "" || err == nil {
		return err
	}
	if silent := new(SilentNodeError); errors.As(err, &silent) {
		err = errors.New(silent.Facts.Error)
	}
	return &nodes.BuilderError{
		From: from, Name: name, Err: fmt.Errorf("node %s does not answer: %w", node, err),
		Help: "see whether it runs: docker buildx inspect --bootstrap " + name,
	}
}
