package archbuild

import (
	"context"
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
	return &crew{roster: roster, connections: c.connections, dispatcher: c.dispatcher, teller: c.teller}, plans[0], nil
}

// build builds the jobs of all batches. The error is one that kept it from beginning; what
// became of each job stands in its batch.
func (c *crew) build(ctx context.Context, list []*batch) error {
	var busy []*batch
	for _, b := range list {
		if c.resume(ctx, b); len(b.todo) > 0 {
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
	for _, b := range busy {
		done, err := b.prepare(ctx)
		if err != nil {
			return err
		}
		defer done()
		defer b.leave(c.list)
		titles = append(titles, b.service.name)
	}
	defer c.grouped("building " + strings.Join(titles, ", "))()
	display, err := builder.NewDisplay(c.progressOut(), c.progressMode())
	if err != nil {
		return err
	}
	c.teller.to(display)
	var wg sync.WaitGroup
	for _, b := range busy {
		wg.Go(func() { c.buildOne(ctx, b, display) })
	}
	wg.Wait()
	c.teller.to(nil)
	display.Close()
	return nil
}

// buildOne builds the jobs of one batch.
func (c *crew) buildOne(ctx context.Context, b *batch, display *builder.Display) {
	var jobs []dispatch.Job
	for _, i := range b.todo {
		job := b.plan.Jobs[i]
		key := jobKey{b.index, job.Platform}
		name := job.Platform.String()
		if len(c.services) > 1 {
			name = b.service.name + " " + name
		}
		jobs = append(jobs, dispatch.Job{
			Name: name, Options: c.ways[key], Optional: b.mayFail(job.Platform),
			Others: func(ctx context.Context) ([]schedule.Option, error) {
				options, err := c.find(ctx, key, true)
				options = c.alive(options)
				if err == nil && len(options) > 0 && options[0].Way == schedule.Emulated {
					c.teller.say("warning: " + name + " is emulated from now on: no node is left that does better")
				}
				return options, err
			},
			Do: func(ctx context.Context, node int) (func(), error) {
				return c.do(ctx, b, i, name, node, display)
			},
		})
	}
	outcomes := c.dispatcher.Run(ctx, jobs, dispatch.Policy{FailFast: b.FailFast, KeepGoing: b.KeepGoing})
	for k, outcome := range outcomes {
		i := b.todo[k]
		b.outcomes[i] = outcome
		b.built[i].Platform = b.plan.Jobs[i].Platform
		if outcome.Node >= 0 { // also where that one has said nothing
			b.plan.Jobs[i].Node = c.list[outcome.Node].name
		}
		if b.built[i].Err == nil {
			b.built[i].Err = outcome.Err
		}
	}
}

// alive are those options whose node is not lost.
func (c *crew) alive(options []schedule.Option) []schedule.Option {
	lost := c.dispatcher.Lost()
	return slices.DeleteFunc(options, func(o schedule.Option) bool { return lost[o.Node] != nil })
}

// do builds one job on a node. What came of it holds when keep is called.
func (c *crew) do(ctx context.Context, b *batch, i int, name string, at int, display *builder.Display) (keep func(), err error) {
	planned := b.planned.Jobs[i]
	job, err := c.move(ctx, jobKey{b.index, planned.Platform}, planned, at)
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
	result := session.Solve(ctx, pinned, b.options, display, name)
	b.record(ctx, b.service, b.planned, job, result, c.list[at].name)
	return func() { b.plan.Jobs[i], b.built[i] = job, result }, result.Err
}

// notOpen is the error of a node that could not be reached when it was needed.
func (c *crew) notOpen(ctx context.Context, at int, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &builder.LostError{Node: c.list[at].name, Err: err}
}
