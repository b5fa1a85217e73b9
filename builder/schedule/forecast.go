package schedule

import (
	"container/heap"
	"fmt"
	"slices"
)

// Expected is what will become of a job that waits, if all goes as expected.
type Expected struct {
	Job int
	// Node is -1 when no living node can do the job.
	Node int
	Way  Way
	// Start and Seconds are when it starts, in seconds from now, and how long it takes.
	Start, Seconds float64
	// Known says that Seconds come from an earlier run of this job; else they are a guess.
	Known bool
	// Reason is why there, in a few words: "native; 45 s there last time".
	Reason string
}

// Forecast tries in virtual time what the scheduler would do from now on, and changes
// nothing. Jobs that run are taken to have just begun. It is in the order of Add.
func (s *Scheduler) Forecast() []Expected {
	trial := s.clone()
	var ends ends
	for _, n := range trial.nodes {
		for _, j := range n.runs {
			ends = append(ends, end{trial.remaining(j), j.id})
		}
	}
	heap.Init(&ends)
	var all []Expected
	now := 0.0
	for {
		for _, start := range trial.Next() {
			j := trial.jobs[start.Job]
			all = append(all, Expected{Job: j.id, Node: start.Node, Way: start.Way, Start: now, Seconds: j.at.seconds,
				Known: j.at.from != unheard, Reason: trial.reason(j, now)})
			heap.Push(&ends, end{now + j.at.seconds, j.id})
		}
		if len(ends) == 0 {
			break
		}
		now = ends[0].at
		trial.now = s.now + now
		for len(ends) > 0 && ends[0].at == now {
			trial.End(heap.Pop(&ends).(end).job)
		}
	}
	for _, id := range trial.Stranded() {
		all = append(all, Expected{Job: id, Node: -1, Reason: "no node can do it"})
	}
	slices.SortFunc(all, func(a, b Expected) int { return a.Job - b.Job })
	return all
}

// reason says why a job was started where it was.
func (s *Scheduler) reason(j *job, now float64) string {
	c := j.at
	better := slices.ContainsFunc(j.Options, func(o Option) bool { return o.Way < c.way })
	why := "the first to be free"
	switch {
	case better:
		why = "better nodes are lost"
	case len(j.choices) == 1:
		why = "the only such node"
	case c.from == c.node:
		why = seconds(c.seconds) + " there last time"
	case c.warm:
		why = "its cache is warm"
	case now == 0:
		why = "free"
	}
	return c.way.String() + "; " + why
}

// seconds is a duration for reading.
func seconds(s float64) string {
	if s < 10 {
		return fmt.Sprintf("%.1f s", s)
	}
	return fmt.Sprintf("%.0f s", s)
}

// clone copies what Next and End change.
func (s *Scheduler) clone() *Scheduler {
	c := &Scheduler{typical: s.typical, chained: s.chained, now: s.now, timed: s.timed}
	for _, j := range s.jobs {
		copied := *j
		c.jobs = append(c.jobs, &copied)
	}
	same := func(jobs []*job) []*job {
		var copied []*job
		for _, j := range jobs {
			copied = append(copied, c.jobs[j.id])
		}
		return copied
	}
	for _, n := range s.nodes {
		copied := *n
		copied.queue, copied.runs = same(n.queue), same(n.runs)
		c.nodes = append(c.nodes, &copied)
	}
	c.fresh, c.dropped = same(s.fresh), same(s.dropped)
	return c
}

// end is a job's, in virtual time.
type end struct {
	at  float64
	job int
}

type ends []end

func (e ends) Len() int { return len(e) }
func (e ends) Less(a, b int) bool {
	return e[a].at < e[b].at || e[a].at == e[b].at && e[a].job < e[b].job
}
func (e ends) Swap(a, b int) { e[a], e[b] = e[b], e[a] }
func (e *ends) Push(x any)   { *e = append(*e, x.(end)) }
func (e *ends) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	*e = (*e)[:last]
	return x
}
