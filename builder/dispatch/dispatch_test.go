package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/archbuild/archbuild/builder/dispatch"
	"github.com/archbuild/archbuild/builder/schedule"
)

// The time in these tests is that of synctest's bubble: nothing waits for real.

var (
	errGone  = errors.New("gone")
	errCrash = errors.New("the emulator crashed")
	errBuild = errors.New("exit status 1")
)

func blame(err error) (nodes, lost bool) {
	switch {
	case errors.Is(err, errGone):
		return true, true
	case errors.Is(err, errCrash), errors.Is(err, errShort{}):
		return true, false
	}
	return false, false
}

// field is nodes and what was done on them.
type field struct {
	*dispatch.Dispatcher
	mu   sync.Mutex
	done []string
	said []string
}

func newField(nodes int, slots int, opts dispatch.Options, ping func(node int) error) *field {
	f := &field{}
	var list []dispatch.Node
	for i := range nodes {
		n := dispatch.Node{Node: schedule.Node{Name: fmt.Sprint("n", i), Slots: slots}}
		if ping != nil {
			n.Ping = func(context.Context) error { return ping(i) }
		}
		list = append(list, n)
	}
	opts.Blame = blame
	opts.Silent = func(int) error { return fmt.Errorf("silent: %w", errGone) }
	opts.Say = func(text string) { f.said = append(f.said, text) }
	f.Dispatcher = dispatch.New(list, opts)
	return f
}

// job takes a second; errs are its outcomes by try, nil once they are used up.
func (f *field) job(name string, nodes []int, errs ...error) dispatch.Job {
	tries := 0
	var options []schedule.Option
	for _, n := range nodes {
		options = append(options, schedule.Option{Node: n})
	}
	return dispatch.Job{Name: name, Options: options, Do: func(ctx context.Context, node int) (func(), error) {
		var err error
		f.mu.Lock()
		if tries < len(errs) {
			err = errs[tries]
		}
		tries++
		f.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(time.Second):
		}
		return func() { f.done = append(f.done, fmt.Sprintf("%s@%d", name, node)) }, err
	}}
}

func TestAJobOfALostNodeIsDoneElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newField(2, 2, dispatch.Options{Retries: 2}, nil)
		out := f.Run(t.Context(), []dispatch.Job{f.job("a", []int{0, 1}, errGone), f.job("b", []int{0, 1})}, dispatch.Policy{})
		if out[0].Err != nil || out[0].Tries != 2 || out[1].Err != nil {
			t.Errorf("%+v", out)
		}
		lost := f.Lost()
		if (lost[0] == nil) == (lost[1] == nil) {
			t.Errorf("lost: %v", lost)
		}
		if len(f.said) != 2 || !strings.Contains(f.said[0], "is lost: gone") || !strings.Contains(f.said[1], "begins again") {
			t.Errorf("said %q", f.said)
		}
	})
}

func TestEverythingOnALostNodeMovesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newField(2, 4, dispatch.Options{Retries: 2}, nil)
		slow := f.job("slow", []int{0, 1})
		slow.Options = []schedule.Option{{Node: 0, Warm: true}, {Node: 1}}
		do := slow.Do
		slow.Do = func(ctx context.Context, node int) (func(), error) {
			if node == 0 { // it hangs, and hears of nothing
				time.Sleep(time.Hour)
				return func() { t.Error("the given up attempt counts") }, nil
			}
			return do(ctx, node)
		}
		began := time.Now()
		out := f.Run(t.Context(), []dispatch.Job{slow, f.job("finds out", []int{0}, errGone)}, dispatch.Policy{KeepGoing: true})
		if out[0].Err != nil || out[0].Node != 1 || time.Since(began) > 5*time.Second {
			t.Errorf("%+v after %s", out[0], time.Since(began))
		}
		var none *dispatch.NoNodeError
		if !errors.As(out[1].Err, &none) || !errors.Is(out[1].Err, errGone) {
			t.Errorf("the one that only the lost node could do: %v", out[1].Err)
		}
		time.Sleep(2 * time.Hour)
	})
}

func TestARealFailureIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newField(3, 1, dispatch.Options{Retries: 2}, nil)
		out := f.Run(t.Context(), []dispatch.Job{f.job("a", []int{0, 1, 2}, errBuild)}, dispatch.Policy{})
		if !errors.Is(out[0].Err, errBuild) || out[0].Tries != 1 {
			t.Errorf("%+v", out)
		}
	})
}

func TestACrashedEmulatorIsTriedAgainWhereverThereIsOne(t *testing.T) {
	for _, row := range []struct {
		name  string
		nodes []int
		errs  []error
		tries int
		want  error
	}{
		{"on another node", []int{0, 1}, []error{errCrash}, 2, nil},
		{"on the same where there is no other", []int{0}, []error{errCrash, errCrash}, 3, nil},
		{"but not for ever", []int{0}, []error{errCrash, errCrash, errCrash, errCrash}, 3, errCrash},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newField(2, 1, dispatch.Options{Retries: 2}, nil)
				out := f.Run(t.Context(), []dispatch.Job{f.job("a", row.nodes, row.errs...)}, dispatch.Policy{})
				if !errors.Is(out[0].Err, row.want) || out[0].Tries != row.tries {
					t.Errorf("%+v", out[0])
				}
				for i, err := range f.Lost() {
					if err != nil {
						t.Errorf("node %d is lost: %v", i, err)
					}
				}
			})
		})
	}
}

// errShort is a disk that was too small for a step.
type errShort struct{}

func (errShort) Error() string       { return "no space left" }
func (errShort) OnlyElsewhere() bool { return true }

func TestAStepThatHadNoSpaceIsTriedOnOtherNodesAlone(t *testing.T) {
	for _, row := range []struct {
		name  string
		nodes []int
		errs  []error
		tries int
		want  error
	}{
		{"where there is more", []int{0, 1}, []error{errShort{}}, 2, nil},
		{"and nowhere else", []int{0}, []error{errShort{}}, 1, errShort{}},
		{"each node once", []int{0, 1}, []error{errShort{}, errShort{}}, 2, errShort{}},
		{"a node that failed for another reason again", []int{0, 1}, []error{errCrash, errShort{}}, 3, nil},
		{"also when the other is lost", []int{0, 1}, []error{errCrash, errGone}, 3, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newField(2, 1, dispatch.Options{Retries: 5}, nil)
				job := f.job("a", row.nodes, row.errs...)
				do, short := job.Do, map[int]bool{}
				job.Do = func(ctx context.Context, node int) (func(), error) {
					if short[node] {
						t.Errorf("tried again on node %d, where there was no space", node)
					}
					keep, err := do(ctx, node)
					short[node] = errors.Is(err, errShort{})
					return keep, err
				}
				out := f.Run(t.Context(), []dispatch.Job{job}, dispatch.Policy{})
				if !errors.Is(out[0].Err, row.want) || out[0].Tries != row.tries {
					t.Errorf("%+v", out[0])
				}
			})
		})
	}
}

func TestWhatAFailureStops(t *testing.T) {
	for _, row := range []struct {
		name   string
		policy dispatch.Policy
		want   string
	}{
		{"what has not begun", dispatch.Policy{}, "failed built not-started not-started"},
		{"nothing, when asked to keep going", dispatch.Policy{KeepGoing: true}, "failed built built built"},
		{"everything, when asked to fail fast", dispatch.Policy{FailFast: true}, "failed stopped not-started not-started"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newField(1, 2, dispatch.Options{}, nil)
				longer := f.job("b", []int{0})
				do := longer.Do
				longer.Do = func(ctx context.Context, node int) (func(), error) {
					if _, err := do(ctx, node); err != nil {
						return nil, err
					}
					return do(ctx, node)
				}
				jobs := []dispatch.Job{f.job("a", []int{0}, errBuild), longer, f.job("c", []int{0}), f.job("d", []int{0})}
				if got := states(f.Run(t.Context(), jobs, row.policy)); got != row.want {
					t.Errorf("%s, want %s", got, row.want)
				}
			})
		})
	}
}

func states(list []dispatch.Outcome) string {
	var words []string
	for _, o := range list {
		switch {
		case o.Err == nil:
			words = append(words, "built")
		case errors.As(o.Err, new(*dispatch.NotBuiltError)):
			words = append(words, "not-built")
		case errors.Is(o.Err, dispatch.ErrNotStarted):
			words = append(words, "not-started")
		case errors.Is(o.Err, dispatch.ErrStopped):
			words = append(words, "stopped")
		case errors.Is(o.Err, context.Canceled):
			words = append(words, "cancelled")
		default:
			words = append(words, "failed")
		}
	}
	return strings.Join(words, " ")
}

func TestAnOptionalFailureStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newField(1, 1, dispatch.Options{}, nil)
		may := f.job("a", []int{0}, errBuild)
		may.Optional = true
		if got := states(f.Run(t.Context(), []dispatch.Job{may, f.job("b", []int{0})}, dispatch.Policy{})); got != "failed built" {
			t.Error(got)
		}
	})
}

func TestTheFailureOfOneCallLeavesAnotherAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newField(1, 1, dispatch.Options{}, nil)
		var wg sync.WaitGroup
		var first, second []dispatch.Outcome
		wg.Go(func() {
			first = f.Run(t.Context(), []dispatch.Job{f.job("a", []int{0}, errBuild), f.job("b", []int{0})}, dispatch.Policy{})
		})
		wg.Go(func() {
			second = f.Run(t.Context(), []dispatch.Job{f.job("c", []int{0}), f.job("d", []int{0})}, dispatch.Policy{})
		})
		wg.Wait()
		if states(first) != "failed not-started" || states(second) != "built built" {
			t.Errorf("%s; %s", states(first), states(second))
		}
	})
}

func TestANodeThatDoesNotAnswerIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var frozen atomic.Bool
		f := newField(2, 1, dispatch.Options{Retries: 1, Timeout: 3 * time.Second}, func(node int) error {
			if node == 0 && frozen.Load() {
				return errors.New("no answer")
			}
			return nil
		})
		job := f.job("a", []int{0, 1})
		job.Options = []schedule.Option{{Node: 0, Warm: true}, {Node: 1}}
		do := job.Do
		job.Do = func(ctx context.Context, node int) (func(), error) {
			if node == 0 {
				time.Sleep(10 * time.Second)
				frozen.Store(true)
				<-ctx.Done()
				return nil, context.Cause(ctx)
			}
			return do(ctx, node)
		}
		began := time.Now()
		out := f.Run(t.Context(), []dispatch.Job{job}, dispatch.Policy{})
		took := time.Since(began)
		if out[0].Err != nil || out[0].Node != 1 || f.Lost()[0] == nil {
			t.Errorf("%+v, lost %v", out[0], f.Lost())
		}
		if took < 12*time.Second || took > 16*time.Second {
			t.Errorf("it took %s: ten seconds of work, three of silence, one elsewhere", took)
		}
	})
}

func TestAnotherWayIsFoundWhenAllNodesOfTheFirstAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newField(2, 1, dispatch.Options{Retries: 2}, nil)
		asked := 0
		job := f.job("a", []int{0}, errGone)
		job.Others = func(context.Context) ([]schedule.Option, error) {
			asked++
			return []schedule.Option{{Node: 1, Way: schedule.Emulated}}, nil
		}
		refused := f.job("b", []int{0})
		refused.Others = func(context.Context) ([]schedule.Option, error) { return nil, errors.New("emulation is not wanted") }
		out := f.Run(t.Context(), []dispatch.Job{job, refused}, dispatch.Policy{KeepGoing: true})
		if out[0].Err != nil || out[0].Node != 1 || asked != 1 {
			t.Errorf("%+v, asked %d times", out[0], asked)
		}
		if out[1].Err == nil || !strings.Contains(out[1].Err.Error(), "emulation is not wanted") {
			t.Errorf("%+v", out[1])
		}
	})
}

func TestAnEndedContextEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newField(1, 1, dispatch.Options{Retries: 2}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		out := f.Run(ctx, []dispatch.Job{f.job("a", []int{0}), f.job("b", []int{0})}, dispatch.Policy{})
		if states(out) != "cancelled cancelled" || out[1].Tries != 0 {
			t.Errorf("%+v", out)
		}
	})
}

func TestNoSlotIsIdleWhileAJobWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newField(4, 1, dispatch.Options{}, nil)
		var jobs []dispatch.Job
		for i := range 12 {
			jobs = append(jobs, f.job(fmt.Sprint(i), []int{0, 1, 2, 3}))
		}
		began := time.Now()
		f.Run(t.Context(), jobs, dispatch.Policy{})
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("12 jobs of a second on 4 nodes took %s", took)
		}
		slices.Sort(f.done)
		if len(f.done) != 12 {
			t.Error(f.done)
		}
	})
}
