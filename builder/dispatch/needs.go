package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// NotBuiltError says that a job was not done because another one was not, which it needs, directly
// or through others.
type NotBuiltError struct {
	// Because is the name of that job, Index its place in the call.
	Because string
	Index   int
}

func (e *NotBuiltError) Error() string { return fmt.Sprintf("not built because of %s", e.Because) }

// needed are the scheduler's ids of what a task needs.
func (t *task) needed() []int {
	var ids []int
	for _, i := range t.Needs {
		ids = append(ids, t.tasks[i].id)
	}
	return ids
}

// waits says whether a task needs one that the scheduler has not.
func (t *task) waits() bool {
	return slices.ContainsFunc(t.Needs, func(i int) bool { return !t.tasks[i].placed })
}

// endUsers ends the tasks that need one that has ended badly. Where it did because all is to end, or nothing
// more is to begin, so do they.
func (d *Dispatcher) endUsers(t *task) {
	err := t.outcome.Err
	switch {
	case t.ctx.Err() != nil:
		err = context.Cause(t.ctx)
	case errors.As(err, new(*NotBuiltError)), errors.Is(err, ErrNotStarted):
	default:
		err = &NotBuiltError{Because: t.Name, Index: t.index}
	}
	for _, user := range t.tasks[t.index+1:] {
		if slices.Contains(user.Needs, t.index) {
			d.end(user, err)
		}
	}
}
