package schedule

import (
	"math"
	"slices"
)

// Now tells the time, in seconds since a moment of the caller's choice. It is an offer:
// who calls it before each Next, and Next every few seconds as long as jobs wait, allows an
// exception to the rule that no slot is idle. A job is left to a faster node that is still
// busy if, by all that is known, that one will end it sooner. A run of few jobs on nodes of
// unequal speed ends a tenth to a quarter earlier by that (see the simulation). A job that
// takes longer than expected is soon not waited for any more.
func (s *Scheduler) Now(seconds float64) { s.now, s.timed = seconds, true }

// Next fills every free slot for which there is a job. What it returns runs from now on.
func (s *Scheduler) Next() []Start {
	s.look()
	s.plan()
	starts := s.startPlanned()
	if slices.ContainsFunc(s.nodes, (*node).idle) {
		s.settle()
		starts = append(starts, s.startPlanned()...)
	}
	for _, n := range s.nodes {
		for n.idle() {
			j, there := s.takeOver(n)
			if j == nil {
				break
			}
			s.unqueue(j)
			j.at = there
			s.queue(j)
			starts = append(starts, s.start(j))
		}
	}
	return starts
}

// idle says that a slot is free for which there is work.
func (n *node) idle() bool { return n.free() > 0 && n.could > 0 }

// look finds how busy the nodes are.
func (s *Scheduler) look() {
	for _, n := range s.nodes {
		n.busy = 0
		for _, j := range n.runs {
			n.busy += s.remaining(j)
		}
	}
}

// remaining is how many seconds a job that runs is expected to take yet. Without a clock
// half of it is taken to be done. One that should have ended is taken to need as
// long again as it is late.
func (s *Scheduler) remaining(j *job) float64 {
	if !s.timed {
		return j.at.seconds / 2
	}
	return math.Abs(j.at.seconds - (s.now - j.since))
}

func (s *Scheduler) startPlanned() []Start {
	var starts []Start
	for _, n := range s.nodes {
		for n.free() > 0 && len(n.queue) > 0 {
			starts = append(starts, s.start(n.queue[0]))
		}
	}
	return starts
}

// takeOver finds, for a node that has nothing to do, the job planned elsewhere that gains most,
// or loses least, when it starts here now. There is none where all would lose, but only if that is
// known: of the jobs, of those that go before them, and by the clock.
func (s *Scheduler) takeOver(to *node) (taken *job, there choice) {
	most := math.Inf(-1)
	for _, n := range s.nodes {
		sure := s.timed && !slices.ContainsFunc(n.runs, (*job).guessed)
		ahead := n.busy
		for _, j := range n.queue {
			sure = sure && !j.guessed()
			end := ahead/float64(n.Slots) + j.at.seconds
			ahead += j.at.seconds
			for _, c := range j.choices {
				if gain := end - c.seconds; s.nodes[c.node] == to && gain > most && (gain > 0 || !sure) {
					taken, there, most = j, c, gain
				}
			}
		}
	}
	return taken, there
}

// start has a job run where it is planned.
func (s *Scheduler) start(j *job) Start {
	s.unqueue(j)
	s.count(j, -1)
	n := s.nodes[j.at.node]
	n.runs = append(n.runs, j)
	n.busy += j.at.seconds
	j.state, j.since = running, s.now
	return Start{Job: j.id, Node: j.at.node, Way: j.at.way}
}

// release frees the slot of a job that runs.
func (s *Scheduler) release(j *job) {
	n := s.nodes[j.at.node]
	i := slices.Index(n.runs, j)
	n.runs = slices.Delete(n.runs, i, i+1)
}
