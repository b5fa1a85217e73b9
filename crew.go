package archbuild

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/dispatch"
	"github.com/archbuild/archbuild/builder/schedule"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/plan"
)

// crew is the nodes of a run at work.
type crew struct {
	*roster
	*connections
	dispatcher *dispatch.Dispatcher
	// teller passes on what the dispatcher says while a build is shown.
	teller *teller
	// bases are what services of the run have made for others.
	bases *bases
}

// connections are the nodes that something was asked of.
type connections struct {
	mu    sync.Mutex
	nodes map[int]*connection
}

// connection is one of them. Its lock is held while it is made: an engine that takes long
// to start keeps nobody from the other nodes.
type connection struct {
	opening sync.Mutex
	node    *builder.Node
	end     func()
}

// of is the connection of a node, which may not be made yet.
func (c *connections) of(i int) *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nodes[i] == nil {
		c.nodes[i] = &connection{}
	}
	return c.nodes[i]
}

func (c *connections) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, made := range c.nodes {
		made.opening.Lock()
		if made.end != nil {
			made.end()
		}
		made.opening.Unlock()
	}
}

// teller says things among the steps, on the display there is.
type teller struct {
	mu      sync.Mutex
	display *builder.Display
}

func (t *teller) to(d *builder.Display) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.display = d
}

func (t *teller) say(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.display != nil {
		t.display.Say(ui.Line(text))
	}
}

// crew has the nodes of a roster ready. The caller closes it.
func (c *roster) crew() *crew {
	made := &crew{roster: c, connections: &connections{nodes: map[int]*connection{}}, teller: &teller{}}
	var list []dispatch.Node
	for i, at := range c.schedulerNodes() {
		n := dispatch.Node{Node: at}
		if c.list[i].name != engineName { // which is watched from its own side
			n.Ping = func(ctx context.Context) error {
				node, err := made.node(ctx, i)
				if err != nil {
					return err
				}
				return node.Ping(ctx)
			}
		}
		list = append(list, n)
	}
	timeout := c.nodeTimeout()
	made.dispatcher = dispatch.New(list, dispatch.Options{
		Retries: c.retries(), Timeout: timeout, Blame: builder.IsNodes, Say: made.teller.say,
		Silent: func(i int) error {
			return &builder.LostError{Node: c.list[i].name, Err: &builder.HangError{After: timeout}}
		},
	})
	c.lost = made.dispatcher.Lost
	return made
}

func (o Options) retries() int {
	if o.Retries == 0 {
		return usualRetries
	}
	return max(0, o.Retries)
}

func (o Options) nodeTimeout() time.Duration {
	if o.NodeTimeout == 0 {
		return usualNodeTimeout
	}
	return o.NodeTimeout
}

const (
	usualRetries     = 2
	usualNodeTimeout = time.Minute
)

// node connects to a node, once.
func (c *crew) node(ctx context.Context, i int) (*builder.Node, error) {
	made := c.of(i)
	made.opening.Lock()
	defer made.opening.Unlock()
	if made.node != nil {
		return made.node, nil
	}
	var err error
	made.node, made.end, err = c.list[i].open(ctx)
	return made.node, err
}

// close ends the connections.
func (c *crew) close() { c.connections.close() }

// anew plans a service once more for the same nodes, and has them ready for it.
func (c *crew) anew(ctx context.Context, r run, s service) (*crew, plan.Plan, error) {
	roster, plans, err := r.choose(ctx, []service{s}, c.places)
	if err != nil {
		return nil, plan.Plan{}, err
	}
	roster.lost = c.dispatcher.Lost
	return &crew{roster: roster, connections: c.connections, dispatcher: c.dispatcher, teller: c.teller, bases: c.bases}, plans[0], nil
}

// build builds the jobs of all batches. The error is one that kept it from beginning; what
// became of each job stands in its batch.
func (c *crew) build(ctx context.Context, list []*batch) error {
	var busy []*batch
	c.resume(ctx, list)
	for _, b := range list {
		if len(b.todo) > 0 {
			busy = append(busy, b)
		}
	}
	if len(busy) == 0 {
		return nil
	}
	if !c.several() { // an engine that does not start is no job's failure
		if _, err := c.node(ctx, 0); err != nil {
			return err
		}
	}
	var titles []string
	shared := &builder.Shared{}
	for _, b := range busy {
		done, err := b.prepare(ctx, shared)
		if err != nil {
			return err
		}
		defer done()
		defer b.leave(c.list)
		titles = append(titles, b.service.name)
	}
	defer c.grouped("building " + strings.Join(titles, ", "))()
	display, err := builder.NewDisplay(c.progressOut(), c.progressMode(), builder.LimitsFrom(c.Getenv))
	if err != nil {
		return err
	}
	c.teller.to(display)
	c.buildAll(ctx, busy, display)
	c.teller.to(nil)
	display.Close()
	return nil
}

// buildAll builds the jobs of batches, each when what it stands on is there.
func (c *crew) buildAll(ctx context.Context, list []*batch, display *builder.Display) {
	at := map[jobKey]int{}
	missing := map[jobKey]*NotBuiltError{}
	var jobs []dispatch.Job
	var asked []batchJob
	for _, t := range basesFirst(list, func(b *batch) []int { return b.todo }) {
		needs, err := c.needs(t, at, missing)
		if err != nil {
			missing[t.key()] = err
			t.outcomes[t.job] = dispatch.Outcome{Node: -1, Err: err}
			t.built[t.job] = builder.Result{Platform: t.key().platform, Err: err}
			continue
		}
		at[t.key()] = len(jobs)
		jobs, asked = append(jobs, c.job(t, needs, display)), append(asked, t)
	}
	outcomes := c.dispatcher.Run(ctx, jobs, c.policy(list))
	for k, outcome := range outcomes {
		t, i := asked[k], asked[k].job
		if not := new(dispatch.NotBuiltError); errors.As(outcome.Err, &not) {
			base := asked[not.Index]
			outcome.Err = &NotBuiltError{Because: base.service.name, On: base.key().platform}
		}
		t.outcomes[i] = outcome
		t.built[i].Platform = t.plan.Jobs[i].Platform
		if outcome.Node >= 0 { // also where that one has said nothing
			t.plan.Jobs[i].Node = c.list[outcome.Node].name
		}
		if t.built[i].Err == nil && !errors.As(outcome.Err, new(*unsoundError)) { // of that one, its verification tells
			t.built[i].Err = outcome.Err
		}
	}
}

// policy is what a failure stops: in a project nothing but what stands on it.
func (c *crew) policy(list []*batch) dispatch.Policy {
	inProject := slices.ContainsFunc(list, func(b *batch) bool { return b.self != nil || len(b.stands) > 0 })
	return dispatch.Policy{FailFast: c.FailFast, KeepGoing: c.KeepGoing || inProject && !c.FailFast}
}

// needs are the jobs that one waits for, of those that are to be done. It is not done itself where another one is
// missing.
func (c *crew) needs(t batchJob, at map[jobKey]int, missing map[jobKey]*NotBuiltError) ([]int, *NotBuiltError) {
	var needs []int
	for _, st := range t.service.standsFor(t.key().platform) {
		if i, ok := at[st.needs()]; ok {
			needs = append(needs, i)
		} else if missing[st.needs()] != nil {
			return nil, missing[st.needs()]
		} else if _, ok := c.bases.get(st.needs()); !ok {
			return nil, &NotBuiltError{Because: st.edge.Base, On: st.at}
		}
	}
	slices.Sort(needs)
	return slices.Compact(needs), nil
}

// job is one for the dispatcher.
func (c *crew) job(t batchJob, needs []int, display *builder.Display) dispatch.Job {
	job := t.plan.Jobs[t.job]
	key := jobKey{t.index, job.Platform}
	name := job.Platform.String()
	if len(c.services) > 1 {
		name = t.service.name + " " + name
	}
	return dispatch.Job{
		Name: name, Options: c.ways[key], Needs: needs, Set: t.number, Optional: t.mayFail(job.Platform),
		Others: func(ctx context.Context) ([]schedule.Option, error) {
			if c.pinned {
				return nil, nil
			}
			options, err := c.find(ctx, key, true)
			options = c.alive(options)
			if err == nil && len(options) > 0 && options[0].Way == schedule.Emulated {
				c.teller.say("warning: " + name + " is emulated from now on: no node is left that does better")
			}
			return options, err
		},
		Do: func(ctx context.Context, node int) (func(), error) {
			return c.do(ctx, t, name, node, display)
		},
	}
}

// alive are those options whose node is not lost.
func (c *crew) alive(options []schedule.Option) []schedule.Option {
	lost := c.dispatcher.Lost()
	return slices.DeleteFunc(options, func(o schedule.Option) bool { return lost[o.Node] != nil })
}

// do builds one job on a node. What came of it holds when keep is called.
func (c *crew) do(ctx context.Context, t batchJob, name string, at int, display *builder.Display) (keep func(), err error) {
	b, i := t.batch, t.job
	planned := b.planned.Jobs[i]
	if b.late[i] { // What it stands on is known now: the same as last time, perhaps.
		if result, job, found := c.recorded(ctx, b, planned); found {
			return c.keep(ctx, t, b.run, job, result)
		}
	}
	job, err := c.move(ctx, jobKey{b.index, planned.Platform}, planned, at)
	if err != nil {
		return nil, err
	}
	r, job, err := c.standing(b, job)
	if err != nil {
		return nil, err
	}
	node, err := c.node(ctx, at)
	if err != nil {
		return nil, c.notOpen(ctx, at, err)
	}
	session, err := b.session(ctx, node, at)
	if err != nil { // What is offered cannot be read here: no node is to blame.
		return nil, err
	}
	if c.several() {
		name += " on " + c.list[at].name
	}
	pinned := b.sharedKeys(plan.Plan{Jobs: []plan.Job{job}}).Jobs[0]
	text, err := b.dockerfileOf(b.service, job)
	if err != nil {
		return nil, err
	}
	session.Add(job.Dockerfile, text) // another one only where the job was planned anew
	options := b.options
	options.Images = r.images
	if c.list[at].name != engineName { // which is watched from its own side
		options.Patience = c.nodeTimeout()
	}
	result := session.Solve(ctx, pinned, options, display, name)
	if result.Err == nil {
		result.Err = b.handedOver(session, result, c.list[at].name)
	}
	keep, err = c.keep(ctx, t, r, job, result)
	if err == nil {
		r.record(ctx, b.service, b.planned, job, result, c.list[at].name)
	}
	return keep, err
}

// keep has the result of a job hold, and handed over to those that stand on it.
func (c *crew) keep(ctx context.Context, t batchJob, r run, job plan.Job, result builder.Result) (keep func(), err error) {
	var made madeBase
	wanted := result.Err == nil && c.bases.wants(t.key())
	if err = result.Err; wanted {
		if made, err = r.handOver(ctx, t.service, job, result); err != nil {
			err = &unsoundError{err}
		}
	}
	return func() {
		t.plan.Jobs[t.job], t.built[t.job] = job, result
		if wanted && err == nil {
			c.bases.put(t.key(), made)
		}
	}, err
}

// notOpen is the error of a node that could not be reached when it was needed.
func (c *crew) notOpen(ctx context.Context, at int, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &builder.LostError{Node: c.list[at].name, Err: err}
}
