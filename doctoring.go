package archbuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/archbuild/archbuild/builder/nodes"
	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/doctor"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// patience is how long all that is asked has to answer, together.
const patience = 1500 * time.Millisecond

// Doctor looks at everything that a build needs: this machine, the engine, nodes,
// emulators, registries, and each PATH. Nothing is started, and nothing is changed but by
// Doctoring.Register and Unregister, which come first. The report is complete also with a
// *CannotBuildError, which says that the paths, or without any nothing, can be built.
//
// The kernel is tried by a process of this same program: one that calls Doctor asks
// kernel.IsChild first of all, as cmd/archbuild does.
func Doctor(ctx context.Context, opts Options, d Doctoring) (doctor.Report, error) {
	x, err := opts.examine(ctx, d)
	if err != nil {
		return doctor.Report{}, err
	}
	defer closeAll(x.services)
	var changed doctor.Report
	if err := x.changeEmulators(ctx, d, opts.Stderr, &changed); err != nil {
		return doctor.Report{}, err
	}
	report, err := x.look(ctx)
	report.Registered, report.Unregistered = changed.Registered, changed.Unregistered
	if err == nil && !report.Summary.CanBuild {
		err = &CannotBuildError{report}
	}
	return report, err
}

// look asks everybody at the same time, and puts together what they say.
func (x *examination) look(ctx context.Context) (doctor.Report, error) {
	asking, end := context.WithTimeoutCause(ctx, x.wait, &noAnswerError{x.wait})
	defer end()

	var machine machine
	var tools, proxies []doctor.Check
	var seen []nodes.Facts
	var plans []planned
	var all sync.WaitGroup
	all.Go(func() { machine = x.lookAtMachine(asking) })
	all.Go(func() { tools = x.lookAtTools(asking) })
	all.Go(func() { proxies = x.lookAtProxies(asking) })
	all.Go(func() { seen = x.askNodes(asking) })
	all.Go(func() { plans = x.planAnywhere(asking) })
	all.Wait()
	if err := ctx.Err(); err != nil {
		return doctor.Report{}, err
	}
	registries := x.knocks.answers()
	// One that is silent has taken all of that time; what is known has to be put together all the same, on a busy machine too.
	deciding, ended := context.WithTimeoutCause(ctx, x.wait, &noAnswerError{x.wait})
	defer ended()
	paths := x.place(deciding, plans, machine, seen, registries)

	checks := append(machine.checks, tools...)
	checks = append(append(checks, x.broken...), doctor.OfNodes(seen)...)
	checks = append(append(checks, proxies...), ofRegistries(registries)...)
	platforms := [][]doctor.Platform{machine.platforms}
	for _, f := range seen {
		if f.Address != nodes.EngineAddress {
			platforms = append(platforms, doctor.OfNode(f))
		}
	}
	var verdicts []doctor.Path
	for _, p := range paths {
		checks, verdicts = append(checks, p.checks...), append(verdicts, p.Path)
	}
	return doctor.Make(checks, doctor.Best(platforms...), verdicts, x.named), nil
}

// examination is what one run of doctor works with.
type examination struct {
	run
	wait  time.Duration
	host  detect.HostFacts
	specs []nodes.Spec
	// named are the platforms of --platform.
	named []platform.Platform
	// knocks are the registries that were asked.
	knocks *knocks
	// paths are the templates, in the order they were given; services those among them that could be read.
	paths    []givenPath
	services []service
	// broken is what is wrong with the user's own files.
	broken []doctor.Check
}

// givenPath is one PATH as it was read.
type givenPath struct {
	name string
	// service is its place among the services; -1 for none.
	service int
	err     error
	// far says that a node would have to fetch it.
	far bool
}

// examine reads what was said, and the templates. What is wrong on the command line is
// the only error.
func (o Options) examine(ctx context.Context, d Doctoring) (*examination, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if err := o.refuseProject("doctor"); err != nil {
		return nil, err
	}
	x := &examination{wait: cmp.Or(d.Wait, patience), knocks: newKnocks(o)}
	o.Stderr, o.Stdout, o.DryRun, o.NodeTimeout = io.Discard, io.Discard, true, x.wait
	o.Registries.Backoff = 10 * time.Millisecond
	o.Registries.Asked = x.knocks.ask
	var err error
	if x.run, err = o.check(); err != nil {
		if isUsage(err) {
			return nil, err
		}
		x.broken = append(x.broken, brokenFile("engine-config", doctor.Engine, err))
		o.Engine.Config = "/dev/null" // the rest is worth looking at all the same
		if x.run, err = o.check(); err != nil {
			return nil, err
		}
	}
	x.knocks.client = x.registry
	if x.specs, err = o.specs(); err != nil {
		if isUsage(err) {
			return nil, err
		}
		x.broken = append(x.broken, brokenFile("node-config", doctor.Nodes, err))
	}
	if x.host, err = o.host(ctx); err != nil {
		return nil, err
	}
	named, _, err := x.choosePlatforms(nil, x.host.Platform)
	if err != nil {
		return nil, err // also without a PATH that would ask
	}
	if len(o.Platforms) > 0 {
		x.named = named
	}
	return x, x.readPaths(ctx)
}

// brokenFile is a file of the user's own that cannot be used.
func brokenFile(id string, g doctor.Group, err error) doctor.Check {
	return doctor.Check{ID: id, Group: g, Status: doctor.Missing, Detail: err.Error(), Affects: "every build", Fix: wrong.Hint(err)}
}

// isUsage says whether an error, or one of several, is wrong usage.
func isUsage(err error) bool {
	for _, e := range leaves(err) {
		var status interface{ ExitStatus() int }
		if errors.As(e, &status) && status.ExitStatus() == 2 {
			return true
		}
	}
	return false
}

// noAnswerError says that the time is over that answers have.
type noAnswerError struct{ wait time.Duration }

func (e *noAnswerError) Error() string { return fmt.Sprintf("no answer within %s", e.wait) }

// moment is what comes on top: who is told to end needs some time to do so.
const moment = 125 * time.Millisecond

// finish waits for an answer as long as ctx lasts and a moment longer, whether or not who
// is asked obeys it; then late stands for the answer.
func finish[T any](ctx context.Context, late T, ask func(context.Context) T) T {
	answer := make(chan T, 1)
	go func() { answer <- ask(ctx) }()
	select {
	case a := <-answer:
		return a
	case <-ctx.Done():
	}
	select {
	case a := <-answer:
		return a
	case <-time.After(moment):
		return late
	}
}

// CannotBuildError says that doctor found what stops builds. It has no hint: what mends
// each thing stands in the report.
type CannotBuildError struct{ Report doctor.Report }

func (e *CannotBuildError) Error() string {
	var names []string
	for _, p := range e.Report.Summary.Paths {
		if !p.CanBuild && !p.Unknown {
			names = append(names, p.Path)
		}
	}
	for _, p := range e.Report.Summary.Lacking {
		names = append(names, p.String())
	}
	if len(names) == 0 {
		return "nothing can be built here"
	}
	return strings.Join(names, ", ") + " cannot be built here"
}
