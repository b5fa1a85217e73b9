package archbuild

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// place is where the work will be done, known before anything is started:
// plans depend on it.
type place struct {
	// name is "engine" or the node's.
	name     string
	platform platform.Platform
	// address is the node's; kind is the same for nodes that build in the same way.
	address, kind string
	// weight is how fast it is beside others, slots how many jobs it does at once.
	weight float64
	slots  int
	// unable is why nothing could be built there now, where that is to be told only.
	unable error
	// current says that its BuildKit is the one this program was made with.
	current bool
	// runs tells how programs of a platform run there.
	runs func(platform.Platform) plan.Ability
	// open connects, starting the engine if there is none. The caller calls close.
	open func(context.Context) (node *builder.Node, close func(), err error)
	// holes asks what is known to be open there; nil where nothing runs.
	holes func(context.Context) []detect.Warning
	// close ends what finding the place has opened.
	close func()
}

// told adds to plans why they cannot be carried out now.
func (p places) told(plans []plan.Plan) []plan.Plan {
	for _, at := range p.list {
		if at.unable == nil {
			continue
		}
		for i := range plans {
			plans[i].Notes = append(plans[i].Notes, fmt.Sprintf("nothing can be built here yet: %v; %s", at.unable, wrong.Hint(at.unable)))
		}
	}
	return plans
}

// foreign says whether programs of a platform do not run natively there. Where
// nothing will run, other platforms than the node's are taken for foreign ones.
func (p place) foreign(on platform.Platform) bool {
	if p.name == noPlace {
		return !p.platform.Serves(on)
	}
	return p.runs(on).How != plan.Native
}

// engineName is the name of the private engine as a place.
const engineName = "engine"

// noPlace is the name of a place where nothing will run.
const noPlace = "none"

// nodePlace is a server that is connected. Its own platform comes first in its
// list; whatever else it lists runs there under an emulator.
func nodePlace(name string, node *builder.Node) place {
	closeOnce := sync.OnceFunc(func() { node.Client.Close() })
	return place{
		name: name, platform: node.Platforms[0], current: node.Version == engine.BuildKit, close: closeOnce,
		holes:   func(context.Context) []detect.Warning { return ofBuildKit(node.Version) },
		address: name, weight: 1, kind: fmt.Sprint(node.Platforms, node.Version == engine.BuildKit),
		runs: func(p platform.Platform) plan.Ability {
			own := node.Platforms[0]
			switch {
			case p.Serves(own) || own.Arch == "amd64" && p.Arch == "386":
				return plan.Ability{How: plan.Native}
			case slices.ContainsFunc(node.Platforms, p.Serves):
				return plan.Ability{How: plan.Emulated}
			}
			return plan.Ability{
				How: plan.Impossible, Why: "it does not list the platform",
				Hint: fmt.Sprintf("give --node a BuildKit for %s, or install an emulator there", p),
			}
		},
		open: func(context.Context) (*builder.Node, func(), error) { return node, closeOnce, nil },
	}
}

// enginePlace looks at this machine; the engine itself is started only by open.
func (o Options) enginePlace(ctx context.Context, host detect.HostFacts) (place, error) {
	options, err := o.engineOptions()
	if err != nil {
		return place{}, err
	}
	unable := cmp.Or(o.checkRootless(), engine.Check(ctx))
	if unable != nil && !o.DryRun {
		// What keeps the engine from running is said before registries are asked.
		return place{}, unable
	}
	runs := localRuns(ctx, host)
	return place{
		unable: unable, address: nodes.EngineAddress, weight: 1, kind: engineName,
		name: engineName, platform: host.Platform, current: true, close: func() {},
		holes: func(ctx context.Context) []detect.Warning { return ofRunc(ctx, options.Runc) },
		runs: func(p platform.Platform) plan.Ability {
			if options.Runc == "" {
				_, err := engine.FindRunc("")
				return plan.Ability{How: plan.Impossible, Why: "runc is missing", Hint: wrong.Hint(err)}
			}
			return runs(p)
		},
		open: func(ctx context.Context) (*builder.Node, func(), error) {
			handle, err := engine.Ensure(ctx, options)
			if err != nil {
				return nil, nil, err
			}
			// It is this program: nothing needs to be asked.
			node := &builder.Node{Name: engineName, Client: handle.Client, Private: true, Memory: handle.State.Memory}
			unwatch := handle.Watch(options.Log)
			return node, func() { unwatch(); handle.Close() }, nil
		},
	}, nil
}

// rewritePlace is for writing Dockerfiles: nothing will run, so only the
// platform of BUILDPLATFORM stages matters.
func (o Options) rewritePlace(host platform.Platform) (place, error) {
	at := place{
		name: noPlace, platform: host, current: true, close: func() {},
		runs: func(platform.Platform) plan.Ability { return plan.Ability{How: plan.Native} },
	}
	own, err := o.buildPlatform()
	if err == nil && o.BuildPlatform != "" {
		at.platform = own
	}
	return at, err
}
