package dispatch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/archbuild/archbuild/builder/schedule"
)

// Node is a place where jobs are done.
type Node struct {
	schedule.Node
	// Ping asks for a sign of life while jobs run there; nil where nobody has to ask.
	Ping func(context.Context) error
}

// Job is something to do once, on one node.
type Job struct {
	Name string
	// Options are the nodes that may do it.
	Options []schedule.Option
	// Others finds more of them when all of Options are lost. It is called once at
	// most; nil finds none.
	Others func(context.Context) ([]schedule.Option, error)
	// Needs are jobs of the same call, by their places before this one, that have to end well
	// before it begins. Where one does not, this one ends with a *NotBuiltError.
	Needs []int
	// Optional is a job whose failure does not stop others, but for those that need it.
	Optional bool
	// Set tells apart the jobs that a failure stops: without Policy, those of the same set.
	Set int
	// Do does the job. What it found out becomes valid by keep, which is not called for
	// an attempt that was given up: that one may still be on its way when another
	// attempt runs elsewhere, so Do itself changes nothing that both share.
	Do func(ctx context.Context, node int) (keep func(), err error)
}

// Outcome is what became of a job.
type Outcome struct {
	// Node that did it last; -1 if none did.
	Node int
	// Tries is how many nodes, or how often one, began it.
	Tries int
	// Err is why it was not done: what Do said, ErrNotStarted, a *NoNodeError, a *NotBuiltError.
	Err error
}

// ErrNotStarted says that another job had failed before this one began.
var ErrNotStarted = errors.New("not started: another platform failed before")

// ErrStopped says that a job was ended because another one had failed: Policy.FailFast.
var ErrStopped = errors.New("stopped: another platform failed")

// NoNodeError says that all nodes that could have done a job are lost.
type NoNodeError struct {
	Job string
	// Err is what the last of them said.
	Err error
}

func (e *NoNodeError) Error() string {
	text := firstLine(e.Err)
	if strings.HasPrefix(text, e.Job+": ") {
		return text
	}
	return fmt.Sprintf("%s: no node is left that can build it: %v", e.Job, e.Err)
}

// Unwrap gives what the last node said.
func (e *NoNodeError) Unwrap() error { return e.Err }

// Hint is the cause's, if it has one.
func (e *NoNodeError) Hint() string {
	var h interface{ Hint() string }
	if errors.As(e.Err, &h) {
		return h.Hint()
	}
	return "start the nodes again, and then the build: what had ended is kept"
}

// Policy is what happens to other jobs of the same call when one fails. The zero
// value starts no more of the same Set and lets end what runs.
type Policy struct {
	// FailFast ends all, what runs as well; KeepGoing does all the rest.
	FailFast, KeepGoing bool
}

// Options hold for all jobs.
type Options struct {
	// Retries is how often a job is begun again when a node was to blame.
	Retries int
	// Timeout is how long a node may be silent while it has jobs.
	Timeout time.Duration
	// Blame says whether an error is the node's and not the job's, and if so, whether
	// the node is lost for all other jobs too.
	Blame func(error) (nodes, lost bool)
	// Silent makes the error of a node that did not answer in time.
	Silent func(node int) error
	// Say hears of lost nodes and of jobs that begin again; it may be nil.
	Say func(text string)
}

// Dispatcher holds the nodes of a run. It is safe for concurrent use.
type Dispatcher struct {
	nodes []Node
	opts  Options

	mu    sync.Mutex
	sched *schedule.Scheduler
	// tasks by the scheduler's ids.
	tasks map[int]*task
	// attempts are those that count, by node.
	attempts []map[*attempt]bool
	// lost is why a node does no more jobs; nil while it does.
	lost []error
	// unwatch ends the watching of a node that has jobs.
	unwatch []context.CancelFunc
}

// New has no jobs yet.
func New(nodes []Node, opts Options) *Dispatcher {
	d := &Dispatcher{
		nodes: nodes, opts: opts, tasks: map[int]*task{}, attempts: make([]map[*attempt]bool, len(nodes)),
		lost: make([]error, len(nodes)), unwatch: make([]context.CancelFunc, len(nodes)),
	}
	var list []schedule.Node
	for i, n := range nodes {
		d.attempts[i] = map[*attempt]bool{}
		list = append(list, n.Node)
	}
	d.sched = schedule.New(list)
	if d.opts.Say == nil {
		d.opts.Say = func(string) {}
	}
	return d
}

// Lost tells of each node why it does no more jobs, nil if it does.
func (d *Dispatcher) Lost() []error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]error(nil), d.lost...)
}

// group is the jobs of one call.
type group struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	policy Policy
	open   sync.WaitGroup
	tasks  []*task
	// failed are the sets of which a job has failed.
	failed map[int]bool
}

// task is a job on its way.
type task struct {
	Job
	*group
	// index is the task's place in the call.
	index   int
	id      int
	outcome Outcome
	ended   bool
	// placed says that the scheduler has it, asking that it waits for what Others finds.
	placed, asking bool
	// asked says that Others has been called.
	asked bool
	// last is why the last node gave it back.
	last error
	// unfit are nodes of which it is known that they cannot do it.
	unfit []int
}

// attempt is one node doing one job.
type attempt struct {
	*task
	node   int
	cancel context.CancelCauseFunc
}

// Run does jobs and returns when each of them has an outcome, in their order. When ctx
// ends, what runs is told so, and what has not begun ends with the cause.
func (d *Dispatcher) Run(ctx context.Context, jobs []Job, policy Policy) []Outcome {
	g := &group{policy: policy, failed: map[int]bool{}}
	g.ctx, g.cancel = context.WithCancelCause(ctx)
	defer g.cancel(nil)
	d.mu.Lock()
	for i, job := range jobs {
		t := &task{Job: job, group: g, index: i, outcome: Outcome{Node: -1}}
		g.tasks = append(g.tasks, t)
		g.open.Add(1)
		d.add(t, job.Options)
	}
	d.next()
	d.mu.Unlock()
	stop := context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.withdraw(g, context.Cause(ctx), func(*task) bool { return true })
	})
	g.open.Wait()
	stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	outcomes := make([]Outcome, len(jobs))
	for i, t := range g.tasks {
		outcomes[i] = t.outcome
	}
	return outcomes
}

// add hands a task to the scheduler. The lock is held, here and below.
func (d *Dispatcher) add(t *task, options []schedule.Option) {
	t.id = d.sched.Add(schedule.Job{Name: t.Name, Options: options, Needs: t.needed()})
	t.placed = true
	d.tasks[t.id] = t
}

// next starts what can be started, and finds what no node can do.
func (d *Dispatcher) next() {
	d.strandAll()
	for _, start := range d.sched.Next() {
		d.begin(d.tasks[start.Job], start.Node)
	}
}

// begin starts an attempt.
func (d *Dispatcher) begin(t *task, node int) {
	t.outcome.Node = node
	t.outcome.Tries++
	if t.last != nil {
		d.opts.Say(fmt.Sprintf("%s begins again on node %s", t.Name, d.nodes[node].Name))
	}
	ctx, cancel := context.WithCancelCause(t.ctx)
	a := &attempt{task: t, node: node, cancel: cancel}
	d.attempts[node][a] = true
	if d.unwatch[node] == nil {
		d.watch(node)
	}
	go func() {
		keep, err := a.Do(ctx, node)
		cancel(nil)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.over(a, keep, err)
	}()
}

// over is the end of an attempt, unless it was given up before.
func (d *Dispatcher) over(a *attempt, keep func(), err error) {
	if !d.attempts[a.node][a] {
		return
	}
	d.leave(a)
	nodes, lost := false, false
	if err != nil && a.ctx.Err() == nil {
		nodes, lost = d.opts.Blame(err)
		if nodes && onlyElsewhere(err) {
			a.unfit = append(a.unfit, a.node)
			nodes = lost || len(d.left(a.task)) > 0
		}
	}
	if err == nil || !nodes {
		if err == nil {
			d.sched.End(a.id)
		} else {
			d.sched.Fail(a.id)
		}
		d.finish(a.task, keep, err)
		d.next()
		return
	}
	a.last = err
	if lost {
		d.lose(a.node, err, a, keep)
		return
	}
	d.sched.GiveBack(a.id, onlyElsewhere(err) || d.sched.Elsewhere(a.id))
	d.again(a.task, keep)
	d.next()
}

// onlyElsewhere says of a node's failure that the same node would fail again.
func onlyElsewhere(err error) bool {
	var only interface{ OnlyElsewhere() bool }
	return errors.As(err, &only) && only.OnlyElsewhere()
}

// finish ends a task, with what its last attempt has found out.
func (d *Dispatcher) finish(t *task, keep func(), err error) {
	if keep != nil && !t.ended {
		keep()
	}
	d.end(t, err)
}

// leave takes an attempt from its node.
func (d *Dispatcher) leave(a *attempt) {
	delete(d.attempts[a.node], a)
	if len(d.attempts[a.node]) == 0 && d.unwatch[a.node] != nil {
		d.unwatch[a.node]()
		d.unwatch[a.node] = nil
	}
}

// lose gives up a node and all that runs there. The attempt that found it out is no
// longer among those; nil is none.
func (d *Dispatcher) lose(node int, err error, found *attempt, keep func()) {
	d.lost[node] = err
	d.opts.Say(fmt.Sprintf("node %s is lost: %v", d.nodes[node].Name, reason(err)))
	var back []*task
	for a := range d.attempts[node] {
		d.leave(a)
		a.cancel(err)
		a.last = err
		back = append(back, a.task)
	}
	d.sched.Lose(node)
	if found != nil {
		d.again(found.task, keep)
	}
	for _, t := range back {
		d.again(t, nil)
	}
	d.next()
}

// again leaves a task that was given back in the queue, unless it was tried often enough.
func (d *Dispatcher) again(t *task, keep func()) {
	if t.outcome.Tries > d.opts.Retries || t.ctx.Err() != nil || t.stops() {
		d.finish(t, keep, t.last)
	}
}

// stops says whether the task is not to begin any more.
func (t *task) stops() bool {
	return !t.policy.KeepGoing && (t.failed[t.Set] || t.policy.FailFast && len(t.failed) > 0)
}

// end is the outcome of a task.
func (d *Dispatcher) end(t *task, err error) {
	if t.ended {
		return
	}
	t.ended, t.outcome.Err = true, err
	delete(d.tasks, t.id)
	d.sched.Withdraw(t.id) // where it still waits
	defer t.open.Done()
	if err == nil {
		return
	}
	d.endUsers(t)
	if t.Optional || t.failed[t.Set] {
		return
	}
	t.failed[t.Set] = true
	if t.policy.KeepGoing {
		return
	}
	why := ErrNotStarted
	if t.ctx.Err() != nil { // It failed because all is to end, and so do they.
		why = context.Cause(t.ctx)
	}
	d.withdraw(t.group, why, func(other *task) bool { return t.policy.FailFast || other.Set == t.Set })
	if t.policy.FailFast {
		t.cancel(ErrStopped)
	}
}

// withdraw ends those of a group that wait.
func (d *Dispatcher) withdraw(g *group, why error, these func(*task) bool) {
	for _, t := range g.tasks {
		if t.ended || d.runs(t) || !these(t) {
			continue
		}
		if t.last != nil {
			d.end(t, t.last)
			continue
		}
		d.end(t, why)
	}
}

func (d *Dispatcher) runs(t *task) bool {
	if t.outcome.Node < 0 {
		return false
	}
	for a := range d.attempts[t.outcome.Node] {
		if a.task == t {
			return true
		}
	}
	return false
}
