package archbuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/archbuild/archbuild/builder/schedule"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
)

// jobKey names one job of a run: the service by its place in the list.
type jobKey struct {
	service  int
	platform platform.Platform
}

// roster says which node builds what: first for the plan, then each time that a job
// has to find another node.
type roster struct {
	run
	places
	services []service
	// ways are how each job can be built, by place.
	ways map[jobKey][]schedule.Option
	// chosen is the place that the plan shows, expected what is expected of it there.
	chosen   map[jobKey]int
	expected map[jobKey]schedule.Expected
	history  history
	// left are optional platforms that can be built nowhere, and why.
	left map[jobKey]error
	// pinned says that no other node is to take over a job.
	pinned bool
	// lost are the nodes that were lost since, and why; nil before anything is built.
	lost func() []error

	trying sync.Mutex
	// tried are plans for a job on a kind of node.
	tried map[trialKey]trial
}

type trialKey struct {
	jobKey
	kind string
}

// trial is a job planned for a kind of node; none says that the platform is left out.
type trial struct {
	job  plan.Job
	none bool
	err  error
}

// choose finds a node for every job, and plans the services for those.
func (r run) choose(ctx context.Context, services []service, all places) (*roster, []plan.Plan, error) {
	c := &roster{
		run: r, places: all, services: services, ways: map[jobKey][]schedule.Option{}, chosen: map[jobKey]int{},
		expected: map[jobKey]schedule.Expected{}, tried: map[trialKey]trial{}, history: r.history(), left: map[jobKey]error{},
	}
	c.services = slices.Clone(services)
	var failed []error
	for i, s := range services {
		failed = append(failed, c.findAll(ctx, i, s))
	}
	if err := joinedOnce(failed); err != nil {
		return nil, nil, onceForEachHost(err, !r.Offline)
	}
	c.forecast()
	plans, err := c.plans(ctx)
	return c, plans, err
}

// findAll finds where each platform of a service can be built. What is optional and can be
// built nowhere is left out, unless that would be everything.
func (c *roster) findAll(ctx context.Context, i int, s service) error {
	var kept []plan.Target
	var failed, left []error
	for _, target := range s.targets {
		key := jobKey{i, target.Platform}
		ways, err := c.find(ctx, key, false)
		if err == nil && c.mayFail(key.platform) && !c.several() { // one place alone is not tried otherwise
			err = c.cannot(c.try(ctx, key, 0))
		}
		if c.mayFail(key.platform) && isNoPlace(err) {
			c.left[key] = err
			left = append(left, err)
			continue
		}
		c.ways[key] = ways
		kept, failed = append(kept, target), append(failed, err)
	}
	if len(kept) == 0 {
		return joinedOnce(left)
	}
	c.services[i].targets = kept
	return errors.Join(failed...)
}

// cannot says why a job cannot be built in the way it was tried.
func (c *roster) cannot(tried trial) error {
	if tried.err == nil && tried.job.How == plan.Emulated && c.Emulation == emulationNever {
		return &EmulationError{Platform: tried.job.Platform, Node: tried.job.Node}
	}
	return tried.err
}

// isNoPlace says of an error that a job can be built nowhere, and not that something is
// wrong with it.
func isNoPlace(err error) bool {
	return errors.As(err, new(*LostNativeError)) || errors.As(err, new(*EmulationError)) || errors.As(err, new(*OtherBaseError)) || errors.As(err, new(*plan.CannotRunError))
}

// forecast has the scheduler say where jobs will go.
func (c *roster) forecast() {
	s := schedule.New(c.schedulerNodes())
	var keys []jobKey
	ids := map[jobKey]int{}
	var add func(key jobKey)
	add = func(key jobKey) {
		if _, added := ids[key]; added || !c.builds(key) {
			return
		}
		ids[key] = -1 // on its way
		var needs []int
		for _, st := range c.services[key.service].standsFor(key.platform) {
			if add(st.needs()); ids[st.needs()] >= 0 && c.builds(st.needs()) {
				needs = append(needs, ids[st.needs()])
			}
		}
		keys = append(keys, key)
		ids[key] = s.Add(schedule.Job{Name: key.platform.String(), Options: c.ways[key], Needs: needs})
	}
	for i, service := range c.services {
		for _, target := range service.targets {
			add(jobKey{i, target.Platform})
		}
	}
	for i, expected := range s.Forecast() {
		if expected.Node >= 0 {
			c.chosen[keys[i]], c.expected[keys[i]] = expected.Node, expected
		}
	}
}

// builds says whether a job is one of the run's.
func (c *roster) builds(key jobKey) bool {
	return key.service < len(c.services) && slices.ContainsFunc(c.services[key.service].targets, func(t plan.Target) bool { return t.Platform == key.platform })
}

func (c *roster) schedulerNodes() []schedule.Node {
	var list []schedule.Node
	for _, at := range c.list {
		list = append(list, schedule.Node{Name: at.name, Slots: at.slots, Weight: at.weight})
	}
	return list
}

// plans are those of all services on the chosen nodes.
func (c *roster) plans(ctx context.Context) ([]plan.Plan, error) {
	var plans []plan.Plan
	var failed []error
	for i, s := range c.services {
		p, err := c.planOn(ctx, s, c.on(i))
		for k := range p.Jobs {
			key := jobKey{i, p.Jobs[k].Platform}
			if c.several() || c.ExplainNodes {
				p.Jobs[k].Choice = c.choice(key)
			}
			if c.Emulation == emulationNever && p.Jobs[k].How == plan.Emulated {
				failed = append(failed, &EmulationError{Platform: key.platform, Node: p.Jobs[k].Node})
			}
		}
		p.Notes = append(append(p.Notes, c.leftNotes(i)...), c.awayNotes()...)
		if c.Witness && err == nil {
			err = c.addWitnesses(ctx, i, &p)
		}
		plans, failed = append(plans, p), append(failed, err)
	}
	return plans, onceForEachHost(errors.Join(failed...), !c.Offline)
}

// on is where the platforms of a service are built.
func (c *roster) on(service int) where {
	return func(p platform.Platform) place { return c.list[c.chosen[jobKey{service, p}]] }
}

// choice tells why a job goes where it goes.
func (c *roster) choice(key jobKey) *plan.Choice {
	expected := c.expected[key]
	choice := &plan.Choice{Why: expected.Reason}
	if expected.Known {
		choice.Seconds, choice.Start = expected.Seconds, expected.Start
	}
	for _, way := range c.ways[key] {
		if way.Node != c.chosen[key] && way.Way == expected.Way {
			choice.Others = append(choice.Others, c.list[way.Node].name)
		}
	}
	return choice
}

// leftNotes tell of the optional platforms of a service that can be built nowhere.
func (c *roster) leftNotes(service int) []string {
	var notes []string
	for key, err := range c.left {
		if key.service == service {
			notes = append(notes, fmt.Sprintf("%s is optional, and left out: %s", key.platform, firstLine(err)))
		}
	}
	slices.Sort(notes)
	return notes
}

func (c *roster) awayNotes() []string {
	var notes []string
	for _, gone := range c.away {
		notes = append(notes, "node "+gone.spec.Name+" does not answer and is left out")
	}
	return notes
}

// find tells where a job can be built, in the best way there is. With worse, which is for
// when those nodes are lost, the other ways are found.
func (c *roster) find(ctx context.Context, key jobKey, worse bool) ([]schedule.Option, error) {
	if !c.several() && !worse && len(c.away) == 0 {
		return c.option(nil, key, 0, schedule.Native), nil
	}
	var native, other []schedule.Option
	var failed []error
	for i, at := range c.list {
		if !at.native(key.platform) {
			continue
		}
		tried := c.try(ctx, key, i)
		switch cannot := new(plan.CannotRunError); {
		case tried.none:
			return c.option(nil, key, i, schedule.Native), nil
		case tried.err == nil:
			native = c.option(native, key, i, wayOf(tried.job))
		case !errors.As(tried.err, &cannot) && !errors.As(tried.err, new(*OtherBaseError)):
			return nil, tried.err // it has nothing to do with the node
		}
		failed = append(failed, tried.err)
	}
	if len(native) > 0 && !worse {
		return native, nil
	}
	lost := c.nativeNode(key.platform)
	for i, at := range c.list {
		if at.native(key.platform) {
			continue
		}
		tried := c.try(ctx, key, i)
		if tried.none {
			return c.option(nil, key, i, schedule.Native), nil
		}
		if err := c.mayEmulate(key.platform, tried, at, lost); err != nil {
			failed = append(failed, err)
			continue
		}
		other = c.option(other, key, i, max(wayOf(tried.job), schedule.Cross))
	}
	if len(other) == 0 {
		return nil, joinedOnce(telling(failed))
	}
	return other, nil
}

// telling leaves out what nodes cannot run where another one could, if it were there or if it may emulate: its error has the
// one thing to do.
func telling(failed []error) []error {
	cannot := func(err error) bool { return err == nil || errors.As(err, new(*plan.CannotRunError)) }
	if others := slices.DeleteFunc(slices.Clone(failed), cannot); len(others) > 0 {
		return others
	}
	return failed
}

func (c *roster) option(list []schedule.Option, key jobKey, node int, way schedule.Way) []schedule.Option {
	seconds, warm := c.history.of(c.services[key.service], key.platform, c.list[node].name)
	return append(list, schedule.Option{Node: node, Way: way, Seconds: seconds, Warm: warm})
}

func wayOf(job plan.Job) schedule.Way {
	switch job.How {
	case plan.Cross:
		return schedule.Cross
	case plan.Emulated:
		return schedule.Emulated
	}
	return schedule.Native
}

// try plans a job on a place: once for each kind of node.
func (c *roster) try(ctx context.Context, key jobKey, node int) trial {
	at := c.list[node]
	c.trying.Lock()
	defer c.trying.Unlock()
	id := trialKey{key, at.kind}
	if t, ok := c.tried[id]; ok {
		return t
	}
	s := c.services[key.service]
	s.targets = slices.DeleteFunc(slices.Clone(s.targets), func(t plan.Target) bool { return t.Platform != key.platform })
	p, err := c.plan(ctx, s, at)
	t := trial{err: err}
	switch skipped := new(plan.SkippedError); {
	case errors.As(err, &skipped):
		t = trial{none: true}
	case err == nil && len(p.Jobs) == 0:
		t.none = true
	case err == nil:
		t.job, t.err = p.Jobs[0], c.standsOn(s, key.platform, at)
	}
	c.tried[id] = t
	return t
}

// move plans a job for another node than that of the plan. All platforms of the service
// are planned with it: what they share is decided for all.
func (c *roster) move(ctx context.Context, key jobKey, job plan.Job, node int) (plan.Job, error) {
	at := c.list[node]
	if first := c.list[c.chosen[key]]; first.kind == at.kind {
		job.Node, job.Choice = at.name, nil
		return job, nil
	}
	on := c.on(key.service)
	p, err := c.planOn(ctx, c.services[key.service], func(p platform.Platform) place {
		if p == key.platform {
			return at
		}
		return on(p)
	})
	if err == nil {
		err = c.checkMoved(c.services[key.service], p)
	}
	if err != nil {
		return job, err
	}
	i := slices.IndexFunc(p.Jobs, func(j plan.Job) bool { return j.Platform == key.platform })
	if i < 0 {
		return job, fmt.Errorf("planning %s for node %s: it is left out", key.platform, at.name)
	}
	return p.Jobs[i], nil
}
