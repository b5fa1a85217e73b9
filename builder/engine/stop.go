package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// drainTimeout is how long the builds of an engine that ends may take to let go
// of their containers. What they leave is swept.
const drainTimeout = 10 * time.Second

// stopTimeout is how long an engine may take to end by itself: it first ends
// the builds that run on it.
const stopTimeout = drainTimeout + 5*time.Second

// Status says what is known of the engine of a state folder. It starts nothing
// and changes nothing. No engine is no error: Running is false then.
func Status(ctx context.Context, o Options) (State, error) {
	l, err := newLayout(o)
	if err != nil {
		return State{}, err
	}
	if err := l.stopped(); err != nil {
		return State{}, err
	}
	none := State{Socket: l.socket, Root: l.root, Log: l.log, BuildKit: BuildKit}
	c, err := dial(ctx, l.liveSocket())
	if errors.Is(err, errNotRunning) {
		return none, nil
	}
	if err != nil {
		return none, l.unusable(err)
	}
	defer c.Close()
	s, err := ask(ctx, c)
	if err == nil {
		return s, nil
	}
	if err := l.explain(ctx, err); !errors.Is(err, errNotRunning) {
		return none, err
	}
	return none, nil
}

// Stop ends the engine of a state folder, with the builds that run on it, and
// waits until it has gone. One that does not go by itself is killed. Afterwards
// no process, container, control group, mount or socket of it is left, also of
// one that had been killed before. The caches stay. No engine is no error.
func Stop(ctx context.Context, o Options) error {
	l, err := newLayout(o)
	if err != nil {
		return err
	}
	// A folder that may not be looked into can hold an engine.
	if _, err := os.Stat(l.run); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// Who owns the folder says which process is to be ended, and what removed.
	if err := checkOwner(l.state); err != nil {
		return &StateError{Dir: l.state, Err: err}
	}
	gate, err := l.gateForStop(ctx)
	if err != nil {
		return l.unusable(err)
	}
	defer gate.Close()
	r, err := l.readRecord()
	if err != nil {
		return err
	}
	patience := stopTimeout
	if !l.askToEnd(ctx) {
		patience = time.Second
	}
	lock, err := l.waitEnd(ctx, r, patience)
	if err != nil {
		return err
	}
	defer lock.Close()
	if filepath.IsAbs(r.Socket) {
		l.socket = r.Socket
	}
	l.hide()
	err = l.sweep()
	if errors.Is(err, fs.ErrPermission) && ownPower().plain {
		return l.sweepInside(ctx, o.withDefaults())
	}
	return err
}

// sweepInside sweeps with the rights of an engine: files of a build can belong
// to any of a plain user's users. The caller holds the state lock.
func (l layout) sweepInside(ctx context.Context, o Options) error {
	facts, err := check(ctx)
	if err != nil {
		return err
	}
	_, err = l.start(ctx, o, facts, append(l.childArgs(State{}), "-sweep"))
	return err
}

// gateForStop takes the gate. An engine that was stopped by a signal while it
// held the gate is killed: it would hold it on.
func (l layout) gateForStop(ctx context.Context) (*os.File, error) {
	for {
		short, cancel := context.WithTimeout(ctx, 3*time.Second)
		gate, err := waitLock(short, l.gate)
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return gate, err
		}
		if r, err := l.readRecord(); err == nil && l.stopped() != nil {
			killIf(r.PID, r.isAlive)
		}
	}
}

// askToEnd asks the engine to end and says whether it has heard. One that has
// not is dying, hanging or not there.
func (l layout) askToEnd(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	c, err := dial(ctx, l.liveSocket())
	if err != nil {
		return false
	}
	defer c.Close()
	_, err = ask(ctx, c, keyRetire, retireNow)
	return err == nil
}

// waitEnd takes the state lock once the engine has let go of it. When that takes
// too long it kills the recorded process. One that starts just now has the lock
// for a while before it is recorded.
func (l layout) waitEnd(ctx context.Context, r record, patience time.Duration) (*os.File, error) {
	lock, err := l.waitFree(ctx, patience)
	if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return lock, err
	}
	// One that was killed is gone when the kernel has come to it, which takes long on a very busy machine.
	for began := time.Now(); time.Since(began) < startTimeout && ctx.Err() == nil; {
		if now, err := l.readRecord(); err == nil && now.PID != 0 {
			r = now
		}
		killIf(r.PID, r.isAlive)
		if lock, err := l.waitFree(ctx, time.Second); err == nil {
			return lock, nil
		}
		killIf(r.Keeper, r.keeperIsAlive)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, fmt.Errorf("the engine of %s does not end", l.state)
}

// waitFree takes the state lock within a time.
func (l layout) waitFree(ctx context.Context, patience time.Duration) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return waitLock(ctx, l.lock)
}
