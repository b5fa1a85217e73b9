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
	none := State{Socket: l.socket, Root: l.root, Log: l.log, BuildKit: BuildKit}
	c, err := dial(ctx, l.liveSocket())
	if errors.Is(err, errNotRunning) {
		return none, nil
	}
	if err != nil {
		return none, err
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
	if uid := os.Geteuid(); uid != 0 {
		return &RootError{UID: uid}
	}
	gate, err := waitLock(ctx, l.gate)
	if err != nil {
		return err
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
	return l.sweep()
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
// too long it kills the recorded process.
func (l layout) waitEnd(ctx context.Context, r record, patience time.Duration) (*os.File, error) {
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	lock, err := waitLock(patient, l.lock)
	if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return lock, err
	}
	if !killIf(r.PID, r.isAlive) {
		return nil, fmt.Errorf("the engine of %s does not end, and its process is not known", l.state)
	}
	killed, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return waitLock(killed, l.lock)
}
