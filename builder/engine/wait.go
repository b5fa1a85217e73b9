package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// DefaultPatience is how long a run waits for the builds of other runs on an
// engine that does not fit it, unless told otherwise. Builds end.
const DefaultPatience = time.Hour

const (
	// hungTimeout is how long a run waits for an engine that a signal has stopped: a
	// debugger's, say.
	hungTimeout = 30 * time.Second
	// slowTimeout is how long it waits for one that nobody has stopped and that does
	// not answer all the same: the machine is busy.
	slowTimeout = 3 * time.Minute
	// quietTime is how long a run waits before it says what it waits for.
	quietTime = time.Second
	// lookAgain is the time between two looks while waiting.
	lookAgain = 200 * time.Millisecond
	// gateTime is how long others may hold the gate: to start an engine, say.
	gateTime = 5 * time.Second
)

// waiting is a run that waits until the engine can be used.
type waiting struct {
	options Options
	// began is since when each thing has been waited for.
	began map[string]time.Time
	said  map[string]bool
}

func newWaiting(o Options) *waiting {
	return &waiting{options: o, began: map[string]time.Time{}, said: map[string]bool{}}
}

// passed is how long a thing has been waited for.
func (w *waiting) passed(what string) time.Duration {
	if _, ok := w.began[what]; !ok {
		w.began[what] = time.Now()
	}
	return time.Since(w.began[what])
}

// say prints a line, once for each thing that is waited for.
func (w *waiting) say(what, line string) {
	if !w.said[what] {
		w.said[what] = true
		fmt.Fprintln(w.options.Log, line)
	}
}

// leave is how long to look whether the other clients of an engine are about to
// leave: the next looks are soon enough.
func (w *waiting) leave() time.Duration {
	if _, waits := w.began["builds"]; waits {
		return 0
	}
	return leaveTime
}

// on waits a moment if what err says may pass, and has said what it is after a
// while. Else, or when patience ends, the answer is err.
func (w *waiting) on(ctx context.Context, err error) error {
	limit, what, word := w.options.Patience, "", ""
	switch hung, busy := (*HungError)(nil), (*BusyError)(nil); {
	case errors.As(err, &hung):
		if what = "answer"; hung.Stopped {
			limit = min(limit, hungTimeout)
		} else {
			limit = min(limit, slowTimeout)
		}
		word = fmt.Sprintf("%v; waiting for it up to %s (%s)", hung, limit, hung.Hint())
	case errors.As(err, &busy):
		what = "builds"
		word = fmt.Sprintf("waiting: %v; --state FOLDER would have an engine beside it", busy)
	default:
		return err
	}
	passed := w.passed(what)
	if passed >= limit {
		return err
	}
	if passed >= quietTime {
		w.say(what, word)
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(lookAgain):
		return nil
	}
}

// gate takes the gate for a run. Who holds it does so for a moment, or starts an
// engine; an engine that was stopped in that moment holds it on.
func (w *waiting) gate(ctx context.Context, l layout) (*os.File, error) {
	for {
		short, cancel := context.WithTimeout(ctx, gateTime)
		gate, err := waitLock(short, l.gate)
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return gate, err
		}
		if err := l.stopped(); err != nil {
			return nil, err
		}
		w.say("gate", "waiting for another run of archbuild, which starts or ends the engine")
	}
}

// stopped gives a *HungError if the engine's process has been stopped by a
// signal, as ^Z and debuggers do. Such a process takes connections and never
// answers, so nobody need try.
func (l layout) stopped() error {
	r, err := l.readRecord()
	if err != nil || !r.isAlive() || !isStopped(r.PID) {
		return nil
	}
	return &HungError{PID: r.PID, Stopped: true, Stop: l.stop}
}

// isStopped says whether a process was stopped by a signal.
func isStopped(pid int) bool {
	fields, err := stat(pid)
	return err == nil && (fields[0] == "T" || fields[0] == "t")
}

// Watch says on log when the engine is stopped by a signal while this handle is
// used: what is asked of it then waits, and nothing else would tell why. The
// caller calls end.
func (h *Handle) Watch(log io.Writer) (end func()) {
	done := make(chan struct{})
	go func() {
		for stopped := false; ; {
			select {
			case <-done:
				return
			case <-time.After(quietTime):
			}
			if now := isStopped(h.State.PID); now != stopped {
				stopped = now
				if now {
					e := &HungError{PID: h.State.PID, Stopped: true, Stop: h.stop}
					fmt.Fprintf(log, "%v; the build waits for it (%s)\n", e, e.Hint())
				}
			}
		}
	}()
	return sync.OnceFunc(func() { close(done) })
}
