package schedule

import (
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
	chained bool    // some job needs another
	now     float64 // in seconds, as the caller counts
	timed   bool    // the caller tells the time
}

type node struct {
	Node
	lost    bool
	runs    []*job
	busy    float64 // seconds, together, until they end
	queue   []*job  // in the order in which they are to start
	planned int     // as the queue, which is made last
	ahead   float64 // seconds, together, of the jobs planned
	could   int     // jobs waiting anywhere that this node may do
}

func (n *node) free() int { return n.Slots - len(n.runs) }

// wait is how many seconds a job that is planned now would wait.
func (n *node) wait() float64 {
	return (n.busy + n.ahead) / float64(n.Slots)
}

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
	long    bool    // as its queue is ordered
	since   float64 // when it started
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
// again, as if the node were lost for this job: so a worse way can come to count for it, and if no other
// living node has an option at all, it is stranded. A caller that would rather try the same node once more than give up
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

// Withdraw has a job that waits, also for others, never start. Jobs that need it are stranded.
func (s *Scheduler) Withdraw(id int) {
	j := s.jobs[id]
	switch {
	case j.state == waiting:
		if i := slices.Index(s.fresh, j); i >= 0 {
			s.fresh = slices.Delete(s.fresh, i, i+1)
		} else {
			s.unqueue(j)
		}
		s.count(j, -1)
	case j.state != blocked:
		return
	}
	j.state = failed
	s.dropLed(j)
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
	for _, j := range lost.runs {
		back = append(back, j.id)
		again = append(again, j)
	}
	lost.runs = nil
	for _, j := range s.jobs {
		if j.state == blocked {
			if s.choose(j); len(j.choices) == 0 {
				s.drop(j)
			}
		}
	}
	for _, j := range again {
		s.ready(j)
	}
	slices.Sort(back)
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
