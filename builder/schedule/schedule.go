package schedule

import (
	"cmp"
	"fmt"
	"slices"
)

// Node is a server that jobs run on. It is named by its index in New's list.
type Node struct {
	Name string
	// Slots is how many jobs run at once; less than one counts as one.
	Slots int
	// Weight is how fast a slot is beside those of other nodes: one of 2 takes half
	// the time that one of 1 takes. Zero and less count as 1.
	Weight float64
}

// Way is how a node does a job. Less is better.
type Way int

// The ways, best first.
const (
	Native   Way = iota // the node's own processor runs everything
	Cross               // stages that only compile run on the node's own processor
	Emulated            // an emulator runs the target's programs
)

// String is the word that users read.
func (w Way) String() string {
	switch w {
	case Native:
		return "native"
	case Cross:
		return "cross"
	case Emulated:
		return "emulated"
	}
	return fmt.Sprintf("way %d", int(w))
}

// Option is one node that can do a job.
type Option struct {
	Node int
	Way  Way
	// Seconds is how long the job took there last time; zero is unknown.
	Seconds float64
	// Warm says that the node's cache has what the job left there.
	Warm bool
}

// Job is a piece of work for one slot.
type Job struct {
	Name    string
	Options []Option
	// Needs are jobs, added before, that have to end well before this one starts.
	Needs []int
}

// Start tells the caller to start a job on a node.
type Start struct {
	Job, Node int
	Way       Way
}

// Scheduler holds the jobs that wait and run. It is not safe for concurrent use.
// Calls about a job that does not run do nothing; but a caller that has called Lose has
// to drop what the lost node still says, since its jobs may run elsewhere by then.
type Scheduler struct {
	nodes []*node
	jobs  []*job
	// Jobs that can start are in the queue of a node, or fresh: not planned yet.
	fresh []*job
	// dropped are those that can never start, until Stranded tells of them.
	dropped []*job
	typical typical
	// chained says that some job needs another.
	chained bool
}

type node struct {
	Node
	lost    bool
	running int
	busy    float64 // seconds, together, of the jobs that run
	queue   []*job  // in the order in which they are to start
	planned int     // as the queue, which is made last
	ahead   float64 // seconds, together, of the jobs planned
	could   int     // jobs waiting anywhere that this node may do
}

func (n *node) free() int { return n.Slots - n.running }

// wait is how many seconds a job that is planned now would wait. Of the jobs that run,
// half is taken to be done.
func (n *node) wait() float64 { return (n.busy/2 + n.ahead) / float64(n.Slots) }

type state int

const (
	blocked state = iota // needs others
	waiting
	running
	ended
	failed // or stranded
)

type job struct {
	Job
	id      int
	state   state
	unmet   int   // jobs needed that have not ended well
	leads   []int // jobs that need this one
	barred  []int // nodes to which it is not to go again
	choices []choice
	at      choice  // where it runs or is planned
	after   float64 // seconds of the longest chain of jobs that need it
}

// New has the nodes ready and no job.
func New(nodes []Node) *Scheduler {
	s := &Scheduler{}
	for _, n := range nodes {
		n.Slots = max(n.Slots, 1)
		if !known(n.Weight) {
			n.Weight = 1
		}
		s.nodes = append(s.nodes, &node{Node: n})
	}
	return s
}

// Add has a job wait, and gives its number: 0, 1, 2 and so on.
func (s *Scheduler) Add(added Job) int {
	j := &job{Job: added, id: len(s.jobs)}
	s.jobs = append(s.jobs, j)
	s.learn(j)
	s.choose(j)
	hopeless := len(j.choices) == 0
	for _, id := range j.Needs {
		needed := s.jobs[id]
		hopeless = hopeless || needed.state == failed
		if needed.state != ended {
			needed.leads = append(needed.leads, j.id)
			j.unmet++
			s.chained = true
		}
	}
	switch {
	case hopeless:
		s.drop(j)
	case j.unmet == 0:
		s.ready(j)
	}
	return j.id
}

// Next fills every free slot for which there is a job. What it returns runs from now on.
func (s *Scheduler) Next() []Start {
	s.plan()
	starts := s.startPlanned()
	if slices.ContainsFunc(s.nodes, (*node).idle) {
		s.settle()
		starts = append(starts, s.startPlanned()...)
	}
	for _, n := range s.nodes {
		for n.idle() {
			starts = append(starts, s.takeOver(n))
		}
	}
	return starts
}

// idle says that a slot is free for which there is work.
func (n *node) idle() bool { return n.free() > 0 && n.could > 0 }

func (s *Scheduler) startPlanned() []Start {
	var starts []Start
	for _, n := range s.nodes {
		for n.free() > 0 && len(n.queue) > 0 {
			starts = append(starts, s.start(n.queue[0]))
		}
	}
	return starts
}

// takeOver starts a job that is planned elsewhere on a node that has nothing to do:
// the one which loses least by it, that is the shortest of the longest queue.
func (s *Scheduler) takeOver(to *node) Start {
	var taken *job
	var there choice
	var most float64
	for _, n := range s.nodes {
		for _, j := range n.queue {
			for _, c := range j.choices {
				gain := n.wait() - c.seconds
				if s.nodes[c.node] == to && (taken == nil || gain > most) {
					taken, there, most = j, c, gain
				}
			}
		}
	}
	s.unqueue(taken)
	taken.at = there
	s.queue(taken)
	return s.start(taken)
}

// start has a job run where it is planned.
func (s *Scheduler) start(j *job) Start {
	s.unqueue(j)
	s.count(j, -1)
	n := s.nodes[j.at.node]
	n.running++
	n.busy += j.at.seconds
	j.state = running
	return Start{Job: j.id, Node: j.at.node, Way: j.at.way}
}

// release frees the slot of a job that runs.
func (s *Scheduler) release(j *job) {
	n := s.nodes[j.at.node]
	n.running--
	n.busy -= j.at.seconds
	if n.running == 0 {
		n.busy = 0
	}
}

// End says that a job ended, well: jobs that need it can start.
func (s *Scheduler) End(id int) {
	j := s.jobs[id]
	if j.state != running {
		return
	}
	s.release(j)
	j.state = ended
	for _, led := range j.leads {
		next := s.jobs[led]
		next.unmet--
		if next.state == blocked && next.unmet == 0 {
			s.ready(next)
		}
	}
}

// Fail says that a job ended badly and is not to be tried again: jobs that need it,
// and those that need them, are stranded.
func (s *Scheduler) Fail(id int) {
	j := s.jobs[id]
	if j.state != running {
		return
	}
	s.release(j)
	j.state = failed
	s.dropLed(j)
}

// GiveBack has a job that runs wait again. With notThere it never goes to that node
// again, as if the node were lost for this job: so if no other living node has an option for
// it, it is stranded. A caller that would rather try the same node once more than give up
// asks Elsewhere first.
func (s *Scheduler) GiveBack(id int, notThere bool) {
	j := s.jobs[id]
	if j.state != running {
		return
	}
	s.release(j)
	if notThere {
		j.barred = append(j.barred, j.at.node)
	}
	s.ready(j)
}

// Elsewhere says whether a living node besides the one a job runs on has an option for it,
// in whatever way.
func (s *Scheduler) Elsewhere(id int) bool {
	j := s.jobs[id]
	return slices.ContainsFunc(j.Options, func(o Option) bool {
		return (j.state != running || o.Node != j.at.node) && s.possible(j, o)
	})
}

// Lose says that a node is gone for good. The jobs that ran there wait again, and are
// returned.
func (s *Scheduler) Lose(index int) []int {
	lost := s.nodes[index]
	if lost.lost {
		return nil
	}
	lost.lost = true
	again := s.unplan()
	var back []int
	for _, j := range s.jobs {
		if j.state == running && j.at.node == index {
			s.release(j)
			back = append(back, j.id)
			again = append(again, j)
		}
		if j.state == blocked {
			if s.choose(j); len(j.choices) == 0 {
				s.drop(j)
			}
		}
	}
	for _, j := range again {
		s.ready(j)
	}
	return back
}

// Stranded are the jobs that can never start, each told once: no living node can do them,
// or they need one that failed or is stranded itself.
func (s *Scheduler) Stranded() []int {
	for i := 0; i < len(s.dropped); i++ {
		s.dropLed(s.dropped[i])
	}
	var ids []int
	for _, j := range s.dropped {
		ids = append(ids, j.id)
	}
	s.dropped = nil
	slices.Sort(ids)
	return ids
}

func (s *Scheduler) drop(j *job) {
	j.state = failed
	s.dropped = append(s.dropped, j)
}

func (s *Scheduler) dropLed(j *job) {
	for _, led := range j.leads {
		if s.jobs[led].state == blocked {
			s.drop(s.jobs[led])
		}
	}
}

// ready has a job wait for a slot, or drops it.
func (s *Scheduler) ready(j *job) {
	s.choose(j)
	if len(j.choices) == 0 {
		s.drop(j)
		return
	}
	j.state = waiting
	s.fresh = append(s.fresh, j)
	s.count(j, 1)
}

// count keeps what each node could do in step with the jobs that wait.
func (s *Scheduler) count(j *job, by int) {
	for _, c := range j.choices {
		s.nodes[c.node].could += by
	}
}

// order is that of jobs in a node's queue: the longest first, with the chain that waits for it.
func order(a, b *job) int {
	return cmp.Or(
		cmp.Compare(b.at.seconds+b.after, a.at.seconds+a.after),
		cmp.Compare(len(a.choices), len(b.choices)),
		cmp.Compare(a.id, b.id))
}
