package archbuild

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/dispatch"
	"github.com/archbuild/archbuild/builder/schedule"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
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

// batch is the jobs of one service that are built.
type batch struct {
	run
	service
	// index of the service in the roster.
	index int
	// planned is the plan as the build begins with it, plan as it is carried out in the
	// end: its jobs change while others run.
	planned  plan.Plan
	plan     plan.Plan
	built    []builder.Result
	outcomes []dispatch.Outcome
	// todo are the jobs that have no recorded result, by index.
	todo []int

	caches   *builder.Caches
	options  builder.Options
	sources  builder.Sources
	mu       sync.Mutex
	sessions map[int]*builder.Session
	// sent is what each node was sent, in the end.
	sent []SentTo
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

// resume takes what is recorded; the rest is to be built.
func (c *crew) resume(ctx context.Context, b *batch) {
	b.built = make([]builder.Result, len(b.plan.Jobs))
	b.outcomes = make([]dispatch.Outcome, len(b.plan.Jobs))
	for i, job := range b.plan.Jobs {
		var found bool
		b.outcomes[i].Node = -1
		if b.built[i], b.plan.Jobs[i], found = c.recorded(ctx, b, job); !found {
			b.todo = append(b.todo, i)
		}
	}
	b.planned = b.plan
	b.planned.Jobs = slices.Clone(b.plan.Jobs)
	if len(b.todo) == len(b.plan.Jobs) {
		return
	}
	var list []platform.Platform
	for i, job := range b.plan.Jobs {
		if !slices.Contains(b.todo, i) {
			list = append(list, job.Platform)
		}
	}
	fmt.Fprintf(c.engineLog(), "archbuild: %s: nothing has changed for %s: taken from the last run\n", ui.Line(b.service.name), joinPlatforms(list))
}

// recorded gives the recorded result of a job, and the job as it was built then: as it is
// planned, or as another node would do it that is as good. Which of them took it was a
// matter of who had room.
func (c *crew) recorded(ctx context.Context, b *batch, job plan.Job) (builder.Result, plan.Job, bool) {
	result, found := b.recorded(ctx, b.service, b.plan, job)
	if found || b.neverResumed(b.service, job) != "" {
		return result, job, found
	}
	key := jobKey{b.index, job.Platform}
	kinds := []string{c.list[c.chosen[key]].kind}
	for _, way := range c.ways[key] {
		kind := c.list[way.Node].kind
		if slices.Contains(kinds, kind) {
			continue
		}
		kinds = append(kinds, kind)
		moved, err := c.move(ctx, key, job, way.Node)
		if err != nil {
			continue
		}
		if result, found := b.recorded(ctx, b.service, b.plan, moved); found {
			return result, moved, true
		}
	}
	return result, job, false
}

// prepare makes ready what all nodes read of a batch. The caller calls done.
func (b *batch) prepare(ctx context.Context) (done func(), err error) {
	shared := b.sharedKeys(b.plan)
	if b.caches, done, err = b.openCaches(ctx, b.service, shared); err != nil {
		return nil, err
	}
	files, err := b.rewritten(b.service, b.plan)
	if err == nil {
		b.sources, err = b.offered(b.service, shared, files)
	}
	if err != nil {
		done()
		return nil, err
	}
	b.sources.Caches, b.sources.Shared = b.caches, &builder.Shared{}
	b.options = b.builderOptions(b.service, b.plan)
	b.options.Caches = b.caches
	b.sessions = map[int]*builder.Session{}
	return done, nil
}

// leave ends the sessions, and adds up what they have sent.
func (b *batch) leave(nodes []place) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var wg sync.WaitGroup
	for i, at := range nodes {
		if s := b.sessions[i]; s != nil {
			wg.Go(func() { s.Close() })
			b.sent = append(b.sent, SentTo{Node: at.name, Sent: s.Sent()})
		}
	}
	wg.Wait()
}

// session with a node, opened once.
func (b *batch) session(ctx context.Context, node *builder.Node, i int) (*builder.Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.sessions[i]
	if before != nil && !before.Ended() {
		return before, nil
	}
	s, err := builder.Start(ctx, node, b.sources)
	if err == nil {
		b.sessions[i] = s
	}
	if err == nil && before != nil { // Its connection broke; jobs that were moved have files in it no longer.
		before.Close()
	}
	return s, err
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
