package schedule

import (
	"cmp"
	"math"
	"slices"
)

// rounds bounds how often each job is planned again. More than these gain nothing: in the first, most
// jobs find their place.
const rounds = 3

// plan gives every fresh job its place. A few are put into the queues as they are, many
// change what is best for all.
func (s *Scheduler) plan() {
	total := 0
	for _, n := range s.nodes {
		total += len(n.queue)
	}
	if len(s.fresh)*16 > total {
		s.settle()
		return
	}
	for _, j := range s.fresh {
		j.at = s.soonest(j)
		s.queue(j)
	}
	s.fresh = nil
}

// settle plans all jobs that wait anew: those with few choices first, so that the others find
// out what is left, and the long ones of them first. Then each that would end sooner
// elsewhere moves there, until none does. With many small jobs that is the best there
// is: nodes that are reached, directly or through others, by the same jobs end at the same time.
func (s *Scheduler) settle() {
	jobs := s.unplan()
	s.follow()
	type entry struct {
		*job
		least float64
	}
	list := make([]entry, len(jobs))
	for i, j := range jobs {
		if j.guessed() {
			s.choose(j)
		}
		list[i] = entry{j, j.least() + j.after}
	}
	slices.SortFunc(list, func(a, b entry) int {
		return cmp.Or(cmp.Compare(len(a.choices), len(b.choices)), cmp.Compare(b.least, a.least), cmp.Compare(a.id, b.id))
	})
	for _, j := range list {
		j.at = s.soonest(j.job)
		s.weigh(j.job, 1)
	}
	for range rounds {
		moved := false
		for _, j := range list {
			moved = s.improve(j.job) || moved
		}
		if !moved {
			break
		}
	}
	for _, j := range list {
		n := s.nodes[j.at.node]
		n.queue = append(n.queue, j.job)
		s.position(j.job)
		s.count(j.job, 1)
	}
	for _, n := range s.nodes {
		slices.SortFunc(n.queue, order)
	}
}

// improve moves a job to where it ends sooner, if there is such a node.
func (s *Scheduler) improve(j *job) bool {
	s.weigh(j, -1)
	defer s.weigh(j, 1)
	best, now := s.soonest(j), s.nodes[j.at.node].wait()+j.at.seconds
	if best.node == j.at.node || s.nodes[best.node].wait()+best.seconds > now*0.999 {
		return false
	}
	j.at = best
	return true
}

// soonest is the choice with which a job that is not planned ends first.
func (s *Scheduler) soonest(j *job) choice {
	best, end := choice{}, math.Inf(1)
	for i, c := range j.choices {
		n := s.nodes[c.node]
		this := n.wait() + c.seconds
		if i == 0 || this < end || this == end && s.preferred(c, best) {
			best, end = c, this
		}
	}
	return best
}

// preferred decides between choices that end at the same time.
func (s *Scheduler) preferred(a, b choice) bool {
	if a.warm != b.warm {
		return a.warm
	}
	an, bn := s.nodes[a.node], s.nodes[b.node]
	if af, bf := an.free()-an.planned, bn.free()-bn.planned; af != bf {
		return af > bf
	}
	return an.Weight > bn.Weight
}

// weigh has a job count, or no longer count, for the node where it is planned.
func (s *Scheduler) weigh(j *job, by int) {
	n := s.nodes[j.at.node]
	n.planned += by
	n.ahead += float64(by) * j.at.seconds
	if n.planned == 0 {
		n.ahead = 0
	}
}

// queue puts a job where it is planned.
func (s *Scheduler) queue(j *job) {
	s.weigh(j, 1)
	n := s.nodes[j.at.node]
	s.position(j)
	i, _ := slices.BinarySearchFunc(n.queue, j, order)
	n.queue = slices.Insert(n.queue, i, j)
}

// unqueue takes it out again.
func (s *Scheduler) unqueue(j *job) {
	s.weigh(j, -1)
	n := s.nodes[j.at.node]
	if n.queue[0] == j {
		n.queue = n.queue[1:]
		return
	}
	i := slices.Index(n.queue, j)
	n.queue = slices.Delete(n.queue, i, i+1)
}

// unplan takes all jobs that wait out of the queues, in the order of Add. They count
// nowhere until they are planned or ready again.
func (s *Scheduler) unplan() []*job {
	jobs := s.fresh
	s.fresh = nil
	for _, n := range s.nodes {
		jobs = append(jobs, n.queue...)
		n.queue, n.planned, n.ahead = nil, 0, 0
	}
	for _, j := range jobs {
		s.count(j, -1)
	}
	slices.SortFunc(jobs, func(a, b *job) int { return cmp.Compare(a.id, b.id) })
	return jobs
}

// follow finds, for each job, how long the chain is that waits for it. Jobs need only
// such as were added before them.
func (s *Scheduler) follow() {
	if !s.chained {
		return
	}
	for _, j := range slices.Backward(s.jobs) {
		j.after = 0
		for _, led := range j.leads {
			if next := s.jobs[led]; next.state == blocked {
				j.after = max(j.after, next.after+next.least())
			}
		}
	}
}

// long is the share of what is planned on a node from which on a job there is long.
const long = 0.05

// position says whether a job is long, which decides where in the queue it goes.
func (s *Scheduler) position(j *job) { j.long = j.at.seconds+j.after >= long*s.nodes[j.at.node].wait() }

// order is that of jobs in a node's queue: first the long ones, since they are in the way
// at the end; then those that few nodes can do, since others can help with the rest; of these,
// again, the longest. The length is that of the chain that begins with the job.
func order(a, b *job) int {
	if a.long != b.long {
		if a.long {
			return -1
		}
		return 1
	}
	longest := cmp.Compare(b.at.seconds+b.after, a.at.seconds+a.after)
	scarcest := cmp.Compare(len(a.choices), len(b.choices))
	if a.long {
		return cmp.Or(longest, scarcest, cmp.Compare(a.id, b.id))
	}
	return cmp.Or(scarcest, longest, cmp.Compare(a.id, b.id))
}
