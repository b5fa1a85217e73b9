package archbuild

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
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
	if _, name := o.builder(); len(specs) == 1 && name == "" { // nobody gave it a name
		if plain, err := nodes.ParseAddress(specs[0].Address); err == nil && plain.Name == specs[0].Name {
			specs[0].Name = specs[0].Address
		}
	}
	found, err := o.reach(ctx, host, specs)
	for i := range found.list {
		at := &found.list[i]
		if at.slots == 0 {
			at.slots = o.slots(at.name == engineName)
		}
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
		wg.Go(func() { list[i], failed[i] = o.placeOf(ctx, host, spec) })
	}
	wg.Wait()
	var found places
	for i, spec := range specs {
		if failed[i] == nil {
			found.list = append(found.list, list[i])
			continue
		}
		found.away = append(found.away, away{spec: spec, err: failed[i], native: o.lastNative(spec)})
	}
	if len(found.list) == 0 || ctx.Err() != nil {
		found.close()
		return places{}, errors.Join(append(failed, context.Cause(ctx))...)
	}
	for _, gone := range found.away {
		fmt.Fprintf(o.engineLog(), "archbuild: warning: %s; its work goes elsewhere\n", ui.Line(firstLine(gone.err)))
	}
	return found, nil
}

// placeOf is a node as a place.
func (o Options) placeOf(ctx context.Context, host detect.HostFacts, spec nodes.Spec) (place, error) {
	var at place
	if spec.Address == nodes.EngineAddress {
		var err error
		if at, err = o.enginePlace(ctx, host); err != nil {
			return at, err
		}
	} else {
		node, err := builder.DialTLS(ctx, spec.Address, spec.TLS)
		if err != nil {
			return at, o.ofBuilder(spec.Name, err)
		}
		node.Name = spec.Name
		at = nodePlace(spec.Name, node)
	}
	at.address, at.weight, at.slots = spec.Address, spec.Weight, spec.Jobs
	return at.declared(spec.Platforms), nil
}

// declared is the place of a node whose owner says what it runs natively.
func (p place) declared(list []platform.Platform) place {
	if len(list) == 0 {
		return p
	}
	runs := p.runs
	p.platform, p.owner = list[0], true
	p.kind += fmt.Sprint(list)
	p.runs = func(on platform.Platform) plan.Ability {
		if slices.ContainsFunc(list, on.Serves) {
			return plan.Ability{How: plan.Native, Why: "declared"}
		}
		if can := runs(on); can.How != plan.Native {
			return can
		}
		return plan.Ability{How: plan.Emulated, Why: "not declared to be native"}
	}
	return p
}

// native says whether a place runs programs of a platform itself.
func (p place) native(on platform.Platform) bool { return p.runs(on).How == plan.Native }

// lastNative is what a node that does not answer runs natively.
func (o Options) lastNative(spec nodes.Spec) []platform.Platform { return spec.Platforms }

// slots is how many jobs a node does at once, where nobody says it for the node alone.
func (o Options) slots(here bool) int {
	switch {
	case o.Jobs > 0:
		return o.Jobs
	case here:
		return max(2, runtime.NumCPU())
	}
	return usualSlots
}

// usualSlots are those of a node of which nothing is known.
const usualSlots = 4

// buildPlatform reads --build-platform; the zero value asks the node.
func (o Options) buildPlatform() (platform.Platform, error) {
	if o.BuildPlatform == "" {
		return platform.Platform{}, nil
	}
	own, err := platform.Parse(o.BuildPlatform)
	if err != nil {
		return own, &UsageError{fmt.Errorf("--build-platform: %w", err), hintOf(err)}
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
