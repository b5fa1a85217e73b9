package schedule_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/archbuild/archbuild/builder/schedule"
)

const (
	a = iota
	b
	c
)

// on lists native options on nodes of which nothing is known.
func on(nodes ...int) []schedule.Option {
	var options []schedule.Option
	for _, n := range nodes {
		options = append(options, schedule.Option{Node: n})
	}
	return options
}

func took(seconds float64, nodes ...int) []schedule.Option {
	options := on(nodes...)
	for i := range options {
		options[i].Seconds = seconds
	}
	return options
}

func equal(count int) []schedule.Node { return slices.Repeat([]schedule.Node{{Slots: 1}}, count) }

// starts is what Next says, as "job@node".
func starts(s *schedule.Scheduler) []string {
	var list []string
	for _, start := range s.Next() {
		list = append(list, fmt.Sprintf("%d@%c", start.Job, 'a'+start.Node))
	}
	slices.Sort(list)
	return list
}

func expect(t *testing.T, s *schedule.Scheduler, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, starts(s)); diff != "" {
		t.Errorf("starts (-want +got):\n%s", diff)
	}
}

func TestWhatStartsFirst(t *testing.T) {
	native, cross, emulated := schedule.Native, schedule.Cross, schedule.Emulated
	for name, c := range map[string]struct {
		nodes []schedule.Node
		jobs  [][]schedule.Option
		want  []string
	}{
		"nothing to do":                         {equal(1), nil, nil},
		"a job no node can do":                  {equal(1), [][]schedule.Option{nil}, nil},
		"one job on the first of equal nodes":   {equal(2), [][]schedule.Option{on(a, b)}, []string{"0@a"}},
		"jobs spread over equal nodes":          {equal(2), [][]schedule.Option{on(a, b), on(a, b)}, []string{"0@a", "1@b"}},
		"no more than slots":                    {equal(2), [][]schedule.Option{on(a, b), on(a, b), on(a, b)}, []string{"0@a", "1@b"}},
		"a node without slots has one":          {[]schedule.Node{{}}, [][]schedule.Option{on(a), on(a)}, []string{"0@a"}},
		"native before cross":                   {equal(2), [][]schedule.Option{{{Node: a, Way: cross}, {Node: b, Way: native}}}, []string{"0@b"}},
		"cross before emulated":                 {equal(2), [][]schedule.Option{{{Node: a, Way: emulated}, {Node: b, Way: cross}}}, []string{"0@b"}},
		"a busy native node before a free one":  {equal(2), [][]schedule.Option{on(a), {{Node: a}, {Node: b, Way: emulated}}}, []string{"0@a"}},
		"native also when it is slower":         {equal(2), [][]schedule.Option{{{Node: a, Seconds: 900}, {Node: b, Way: cross, Seconds: 5}}}, []string{"0@a"}},
		"the heavier node":                      {[]schedule.Node{{Weight: 1}, {Weight: 2}}, [][]schedule.Option{on(a, b)}, []string{"0@b"}},
		"the node with more free slots":         {[]schedule.Node{{Slots: 1}, {Slots: 4}}, [][]schedule.Option{on(a, b)}, []string{"0@b"}},
		"where it was quicker last time":        {equal(2), [][]schedule.Option{{{Node: a, Seconds: 50}, {Node: b, Seconds: 40}}}, []string{"0@b"}},
		"the weight scales what another took":   {[]schedule.Node{{Weight: 1}, {Weight: 4}}, [][]schedule.Option{{{Node: a, Seconds: 40}, {Node: b}}}, []string{"0@b"}},
		"where the cache is warm":               {equal(2), [][]schedule.Option{{{Node: a}, {Node: b, Warm: true}}}, []string{"0@b"}},
		"a cold cache costs what a warm one is": {[]schedule.Node{{Weight: 1}, {Weight: 1.5}}, [][]schedule.Option{{{Node: a, Seconds: 40, Warm: true}, {Node: b}}}, []string{"0@a"}},
		"the longest":                           {equal(1), [][]schedule.Option{took(10, a), took(30, a), took(20, a)}, []string{"1@a"}},
		"what only this node can do":            {equal(2), [][]schedule.Option{on(a, b), on(a)}, []string{"0@b", "1@a"}},
		"short jobs, together, beside a long":   {equal(2), [][]schedule.Option{took(10, a, b), took(10, a, b), took(25, a, b)}, []string{"0@b", "2@a"}},
		"no idle slot, though a better is near": {[]schedule.Node{{Slots: 1, Weight: 10}, {Slots: 1}}, [][]schedule.Option{took(5, a), {{Node: a, Seconds: 5}, {Node: b, Seconds: 50}}}, []string{"0@a", "1@b"}},
		"weights that are none count as one":    {[]schedule.Node{{Weight: -3}, {Weight: 1.1}}, [][]schedule.Option{on(a, b)}, []string{"0@b"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := schedule.New(c.nodes)
			for _, options := range c.jobs {
				s.Add(schedule.Job{Options: options})
			}
			expect(t, s, c.want...)
		})
	}
}

func TestAJobThatEndsMakesRoomForOneThatWaits(t *testing.T) {
	s := schedule.New(equal(1))
	for range 2 {
		s.Add(schedule.Job{Options: on(a)})
	}
	expect(t, s, "0@a")
	expect(t, s)
	s.End(0)
	s.End(0) // says nothing new
	expect(t, s, "1@a")
}

func TestANodeThatHasNothingToDoTakesWhatIsPlannedElsewhere(t *testing.T) {
	s := schedule.New(equal(2))
	for range 6 {
		s.Add(schedule.Job{Options: took(10, a, b)})
	}
	expect(t, s, "0@a", "1@b")
	last := 1
	for range 4 { // b turns out to be much quicker than a
		s.End(last)
		next := s.Next()
		if len(next) != 1 || next[0].Node != b {
			t.Fatalf("b has nothing to do: %v", next)
		}
		last = next[0].Job
	}
	s.End(last)
	expect(t, s)
}

func TestGiveBack(t *testing.T) {
	t.Run("the job is done again", func(t *testing.T) {
		s := schedule.New(equal(1))
		s.Add(schedule.Job{Options: on(a)})
		expect(t, s, "0@a")
		s.GiveBack(0, false)
		expect(t, s, "0@a")
	})
	t.Run("never again on that node", func(t *testing.T) {
		s := schedule.New(equal(2))
		s.Add(schedule.Job{Options: on(a, b)})
		expect(t, s, "0@a")
		s.GiveBack(0, true)
		expect(t, s, "0@b")
		s.GiveBack(0, false)
		expect(t, s, "0@b")
	})
	t.Run("another way counts when this was the last node of the better one", func(t *testing.T) {
		s := schedule.New(equal(2))
		s.Add(schedule.Job{Options: []schedule.Option{{Node: a}, {Node: b, Way: schedule.Emulated}}})
		expect(t, s, "0@a")
		s.GiveBack(0, true)
		want := []schedule.Start{{Job: 0, Node: b, Way: schedule.Emulated}}
		if diff := cmp.Diff(want, s.Next()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("stranded when there is no other node", func(t *testing.T) {
		s := schedule.New(equal(2))
		s.Add(schedule.Job{Options: on(a)})
		s.Add(schedule.Job{Options: on(a, b)})
		s.Next()
		if s.Elsewhere(0) || !s.Elsewhere(1) {
			t.Error("job 0 has no node besides a, job 1 has")
		}
		s.GiveBack(0, true)
		if diff := cmp.Diff([]int{0}, s.Stranded()); diff != "" {
			t.Error(diff)
		}
		if again := s.Stranded(); again != nil {
			t.Errorf("told twice: %v", again)
		}
	})
}

func TestLose(t *testing.T) {
	s := schedule.New([]schedule.Node{{Slots: 2}, {Slots: 1}})
	emulable := []schedule.Option{{Node: a}, {Node: b, Way: schedule.Emulated}}
	for _, options := range [][]schedule.Option{emulable, on(a), on(a, b), emulable} {
		s.Add(schedule.Job{Options: options})
	}
	expect(t, s, "0@a", "1@a", "2@b")
	if diff := cmp.Diff([]int{0, 1}, s.Lose(a)); diff != "" {
		t.Errorf("what ran there:\n%s", diff)
	}
	if again := s.Lose(a); again != nil {
		t.Errorf("lost twice: %v", again)
	}
	if diff := cmp.Diff([]int{1}, s.Stranded()); diff != "" {
		t.Errorf("stranded:\n%s", diff)
	}
	expect(t, s)
	s.End(2)
	expect(t, s, "0@b")
	s.End(0)
	expect(t, s, "3@b")
}

func TestJobsThatNeedOthers(t *testing.T) {
	t.Run("wait until those ended well", func(t *testing.T) {
		s := schedule.New(equal(3))
		s.Add(schedule.Job{Options: on(a, b, c)})
		s.Add(schedule.Job{Options: on(a, b, c)})
		s.Add(schedule.Job{Options: on(a, b, c), Needs: []int{0, 1}})
		expect(t, s, "0@a", "1@b")
		s.End(1)
		expect(t, s)
		s.GiveBack(0, false)
		expect(t, s, "0@a")
		s.End(0)
		expect(t, s, "2@a")
		if id := s.Add(schedule.Job{Options: on(b), Needs: []int{0}}); id != 3 {
			t.Errorf("the fourth job is %d", id)
		}
		expect(t, s, "3@b")
	})
	t.Run("the longest chain first", func(t *testing.T) {
		s := schedule.New(equal(1))
		s.Add(schedule.Job{Options: took(30, a)})
		s.Add(schedule.Job{Options: took(5, a)})
		s.Add(schedule.Job{Options: took(20, a), Needs: []int{1}})
		s.Add(schedule.Job{Options: took(20, a), Needs: []int{2}})
		expect(t, s, "1@a")
	})
	t.Run("what failed strands exactly its descendants", func(t *testing.T) {
		s := schedule.New(equal(2))
		s.Add(schedule.Job{Options: on(a, b)})                        // 0
		s.Add(schedule.Job{Options: on(a, b)})                        // 1
		s.Add(schedule.Job{Options: on(a, b), Needs: []int{0}})       // 2
		s.Add(schedule.Job{Options: on(a, b), Needs: []int{1}})       // 3
		s.Add(schedule.Job{Options: on(a, b), Needs: []int{2, 3, 3}}) // 4
		s.Next()
		s.Fail(0)
		if diff := cmp.Diff([]int{2, 4}, s.Stranded()); diff != "" {
			t.Error(diff)
		}
		s.End(1)
		expect(t, s, "3@a")
		s.End(3)
		expect(t, s)
		s.Add(schedule.Job{Options: on(a), Needs: []int{0}})
		if diff := cmp.Diff([]int{5}, s.Stranded()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("what lost its last node is told before its turn", func(t *testing.T) {
		s := schedule.New(equal(2))
		s.Add(schedule.Job{Options: on(a)})
		s.Add(schedule.Job{Options: on(b), Needs: []int{0}})
		s.Lose(b)
		if diff := cmp.Diff([]int{1}, s.Stranded()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWithdraw(t *testing.T) {
	s := schedule.New(equal(1))
	for range 3 {
		s.Add(schedule.Job{Options: on(a)})
	}
	led := s.Add(schedule.Job{Options: on(a), Needs: []int{1}})
	blocked := s.Add(schedule.Job{Options: on(a), Needs: []int{2}})
	s.Withdraw(0) // not planned yet
	expect(t, s, "1@a")
	s.Withdraw(1) // it runs
	s.Withdraw(blocked)
	s.Withdraw(2) // planned
	expect(t, s)
	s.Withdraw(led)
	s.End(1)
	expect(t, s)
	if stranded := s.Stranded(); stranded != nil {
		t.Errorf("what was withdrawn is stranded: %v", stranded)
	}
	one := s.Add(schedule.Job{Options: on(a)})
	next := s.Add(schedule.Job{Options: on(a), Needs: []int{one}})
	s.Withdraw(one)
	if diff := cmp.Diff([]int{next}, s.Stranded()); diff != "" {
		t.Errorf("what needs a job that was withdrawn:\n%s", diff)
	}
}

func TestWhoTellsTheTimeHasAJobWaitForAFastNode(t *testing.T) {
	known := []schedule.Option{{Node: a, Seconds: 5}, {Node: b, Seconds: 50}}
	s := schedule.New(equal(2))
	s.Add(schedule.Job{Options: took(5, a)})
	s.Add(schedule.Job{Options: known})
	s.Now(100)
	expect(t, s, "0@a")
	s.Now(104)
	expect(t, s)
	s.Now(180) // 75 seconds late: who knows when it ends
	expect(t, s, "1@b")

	s = schedule.New(equal(2))
	s.Add(schedule.Job{Options: on(a)}) // how long it takes is not known
	s.Add(schedule.Job{Options: known})
	s.Now(0)
	if got := len(s.Next()); got != 2 {
		t.Errorf("%d jobs started: nobody knows whether waiting would pay", got)
	}
}

func TestForecast(t *testing.T) {
	s := schedule.New([]schedule.Node{{Name: "a"}, {Name: "b", Weight: 2}, {Name: "c"}})
	s.Lose(c)
	for _, options := range [][]schedule.Option{
		{{Node: a, Seconds: 45}, {Node: b, Way: schedule.Emulated}},
		{{Node: a, Seconds: 30}, {Node: b, Seconds: 30}},
		{{Node: a, Way: schedule.Emulated}, {Node: b, Way: schedule.Emulated}, {Node: c}},
		{{Node: a}, {Node: b, Warm: true}},
		nil,
	} {
		s.Add(schedule.Job{Options: options})
	}
	before := s.Forecast()
	want := []schedule.Expected{
		{Job: 0, Node: a, Start: 0, Seconds: 45, Known: true, Reason: "native; the only such node"},
		{Job: 1, Node: a, Start: 82.5, Seconds: 30, Known: true, Reason: "native; 30 s there last time"},
		{Job: 2, Node: b, Way: schedule.Emulated, Start: 0, Seconds: 150, Reason: "emulated; better nodes are lost"},
		{Job: 3, Node: a, Start: 45, Seconds: 37.5, Reason: "native; the first to be free"},
		{Job: 4, Node: -1, Reason: "no node can do it"},
	}
	if diff := cmp.Diff(want, before); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, s.Forecast()); diff != "" {
		t.Errorf("a forecast changes the next:\n%s", diff)
	}
	expect(t, s, "0@a", "2@b")
	for _, e := range s.Forecast() {
		if e.Job == 1 && e.Node != a {
			t.Errorf("a job that waits changed its node: %+v", e)
		}
	}
}
