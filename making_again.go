package archbuild

import (
	"context"
	"errors"

	"github.com/archbuild/archbuild/builder/dispatch"
)

// mended has built again, emulated, what may have failed because of a moved stage, and then
// what was kept from being built by such a failure. It gives what is left of the failures, by job.
func (m *making) mended(ctx context.Context) ([]error, error) {
	failures := func() []error {
		failed := make([]error, len(m.built))
		for i, b := range m.built {
			failed[i] = b.Err
		}
		return failed
	}
	if m.unblocked(failures()) {
		if _, err := m.goOn(ctx, failures()); err != nil {
			return nil, err
		}
	}
	for {
		again, err := m.retry(ctx, failures())
		if err != nil {
			return nil, err
		}
		if len(again) == 0 {
			return failures(), nil
		}
		if more, err := m.goOn(ctx, failures()); err != nil || !more {
			return failures(), err
		}
	}
}

// goOn builds what was not started, or was stopped, because of failures that are no longer
// there. It says whether there was any.
func (m *making) goOn(ctx context.Context, failed []error) (bool, error) {
	rest := m.plan
	rest.Jobs = nil
	var indexes []int
	for i, err := range failed {
		switch {
		case errors.Is(err, dispatch.ErrNotStarted), errors.Is(err, dispatch.ErrStopped), m.waited(i, err):
			indexes = append(indexes, i)
			rest.Jobs = append(rest.Jobs, m.plan.Jobs[i])
		case err != nil && !m.mayFail(m.plan.Jobs[i].Platform):
			return false, nil
		}
	}
	if len(indexes) == 0 {
		return false, nil
	}
	b := &batch{run: m.run, service: m.service, index: m.index, number: m.index, plan: rest}
	if err := m.crew.build(ctx, []*batch{b}); err != nil {
		return false, err
	}
	for k, i := range indexes {
		m.plan.Jobs[i], m.built[i] = b.plan.Jobs[k], b.built[k]
		m.image.Platforms[i].done(b.plan.Jobs[k], b.built[k], b.outcomes[k])
	}
	return true, nil
}

// unblocked says whether something was not built because of a base that is there by now: it was built a second time.
func (m *making) unblocked(failed []error) bool {
	for i, err := range failed {
		if m.waited(i, err) {
			return true
		}
	}
	return false
}

// waited says whether a job was not built because of a base, and all that it stands on is there.
func (m *making) waited(i int, err error) bool {
	return errors.As(err, new(*NotBuiltError)) && m.crew.bases.ready(m.service, m.plan.Jobs[i].Platform)
}
