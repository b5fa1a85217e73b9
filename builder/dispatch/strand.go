package dispatch

import (
	"errors"
	"slices"

	"github.com/archbuild/archbuild/builder/schedule"
)

// strandAll looks after the tasks that the scheduler has given up, those before that others
// need: where such a one finds another node, so do those.
func (d *Dispatcher) strandAll() {
	var list []*task
	for _, id := range d.sched.Stranded() {
		if t := d.tasks[id]; t != nil {
			delete(d.tasks, id)
			t.placed = false
			list = append(list, t)
		}
	}
	slices.SortStableFunc(list, func(a, b *task) int { return a.index - b.index })
	for _, t := range list {
		d.strand(t)
	}
}

// strand is for a task that no node of its options can do, or that needs such a one: there may be others.
func (d *Dispatcher) strand(t *task) {
	if t.ended || t.placed || t.asking || t.waits() {
		return
	}
	if left := d.left(t); len(left) > 0 {
		d.add(t, left)
		return
	}
	if t.Others == nil || t.asked {
		d.end(t, d.noNode(t, t.last))
		return
	}
	t.asked, t.asking = true, true
	go func() {
		options, err := t.Others(t.ctx)
		d.mu.Lock()
		defer d.mu.Unlock()
		t.asking = false
		if t.ended {
			return
		}
		if err != nil {
			d.end(t, d.noNode(t, err))
			return
		}
		if len(options) == 0 {
			d.end(t, d.noNode(t, t.last))
			return
		}
		t.Options = options
		d.add(t, options)
		for _, other := range t.tasks[t.index+1:] { // those that need it
			d.strand(other)
		}
		d.next()
	}()
}

// left are nodes that work but have failed the task before. Another one was to try first, and is lost by now.
func (d *Dispatcher) left(t *task) []schedule.Option {
	var left []schedule.Option
	for _, o := range t.Options {
		if d.lost[o.Node] == nil && !slices.Contains(t.unfit, o.Node) {
			left = append(left, o)
		}
	}
	return left
}

func (d *Dispatcher) noNode(t *task, err error) error {
	if err == nil {
		for _, o := range t.Options {
			if d.lost[o.Node] != nil {
				err = d.lost[o.Node]
			}
		}
	}
	switch {
	case err == nil:
		err = errors.New("none was given")
	case len(d.nodes) == 1: // there never was a choice
		return err
	}
	return &NoNodeError{Job: t.Name, Err: err}
}
