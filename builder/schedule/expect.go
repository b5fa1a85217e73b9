package schedule

import (
	"math"
	"slices"
)

// choice is an option that counts: of a living node, and of the best way there is.
type choice struct {
	node    int
	way     Way
	seconds float64 // how long the job is expected to take there
	from    int     // the node that is known by: itself, another, or unheard
	warm    bool
}

// unheard stands for a node where there is none: nothing is known of the job.
const unheard = -1

// What stands in for knowledge. Only the proportions matter, and only where a job was
// never seen on the node itself.
const (
	firstGuess = 60 // seconds of a job when nothing is known of any
	coldness   = 2  // a cold cache takes so many times what a warm one does
)

// slowness is how many times the native seconds each way takes.
var slowness = [...]float64{Native: 1, Cross: 1.25, Emulated: 8}

// typical is what jobs of which something is known take on average, natively on a
// node of weight 1.
type typical struct {
	jobs int
	sum  float64
}

func (t typical) seconds() float64 {
	if t.jobs == 0 {
		return firstGuess
	}
	return t.sum / float64(t.jobs)
}

func known(seconds float64) bool { return seconds > 0 && !math.IsInf(seconds, 0) }

func (s *Scheduler) learn(j *job) {
	i := slices.IndexFunc(j.Options, func(o Option) bool { return known(o.Seconds) })
	if i >= 0 {
		o := j.Options[i]
		s.typical.jobs++
		s.typical.sum += o.Seconds * s.nodes[o.Node].Weight / slowness[o.Way]
	}
}

// possible says whether an option can be taken at all.
func (s *Scheduler) possible(j *job, o Option) bool {
	return !s.nodes[o.Node].lost && !slices.Contains(j.barred, o.Node)
}

// choose finds the options of a job that count, and how long it will take with each.
func (s *Scheduler) choose(j *job) {
	best := Emulated + 1
	for _, o := range j.Options {
		if s.possible(j, o) {
			best = min(best, o.Way)
		}
	}
	j.choices = make([]choice, 0, len(j.Options))
	for _, o := range j.Options {
		if o.Way == best && s.possible(j, o) {
			j.choices = append(j.choices, s.expect(j, o))
		}
	}
}

// expect says how long a job will take: as last time there, else as last time on the
// most similar node, else as other jobs do.
func (s *Scheduler) expect(j *job, o Option) choice {
	c := choice{node: o.Node, way: o.Way, seconds: o.Seconds, from: o.Node, warm: o.Warm}
	if known(o.Seconds) {
		return c
	}
	c.from = unheard
	weight := s.nodes[o.Node].Weight
	alike := -1
	for _, other := range j.Options {
		likeness := 0
		if other.Way == o.Way {
			likeness += 2
		}
		if other.Warm == o.Warm {
			likeness++
		}
		if !known(other.Seconds) || likeness <= alike {
			continue
		}
		alike = likeness
		c.from = other.Node
		c.seconds = other.Seconds * s.nodes[other.Node].Weight / weight * slowness[o.Way] / slowness[other.Way]
		if other.Warm && !o.Warm {
			c.seconds *= coldness
		}
	}
	if c.from == unheard {
		c.seconds = s.typical.seconds() / weight * slowness[o.Way]
	}
	return c
}

// least is how long a job takes where it is quickest.
func (j *job) least() float64 {
	least := 0.0
	for i, c := range j.choices {
		if i == 0 || c.seconds < least {
			least = c.seconds
		}
	}
	return least
}

// guessed says that nothing is known of a job.
func (j *job) guessed() bool { return len(j.choices) > 0 && j.choices[0].from == unheard }
