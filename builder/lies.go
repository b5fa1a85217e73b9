package builder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/archbuild/archbuild/builder/guard"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

// A node's word is not taken for anything that can be looked at. What it names as its result
// has to have come from it, byte by byte, and is judged by those bytes.

// LieError says that what a node handed over is not what it says it is.
type LieError struct {
	// Node that said so; empty where it was a former run's.
	Node     string
	Platform platform.Platform
	Err      error
}

func (e *LieError) Error() string {
	who := "node " + e.Node
	if e.Node == "" {
		who = "a former run"
	}
	return fmt.Sprintf("%s: what %s handed over is refused: %v", e.Platform, who, e.Err)
}

// Unwrap gives what is wrong.
func (e *LieError) Unwrap() error { return e.Err }

// Hint says whom to look at.
func (e *LieError) Hint() string {
	if e.Node == "" {
		return "build it anew: --resume=false"
	}
	return "find out what runs on that node before you trust it again, and build on another one: --node ADDRESS"
}

// ExitStatus is 3, as whenever an image is not what it is said to be.
func (e *LieError) ExitStatus() int { return 3 }

// openResults opens the store that receives the results.
func (from *Sources) openResults() error {
	if from.Store == "" {
		return nil
	}
	store, err := openStore(from.Store)
	if err == nil {
		from.results, from.handed = guard.NewResults(store, from.Refused), guard.NewHanded(store, from.Refused)
	}
	return err
}

// Brought says whether the node came with a blob in this session. What it names beside is not
// its own to give: it may be what another node built, for somebody else.
func (s *Session) Brought(d digest.Digest) bool { return s.results != nil && s.results.Brought(d) }

// watched is a context for one job that ends when the node, though it answers, lets the job
// rest: all steps have ended, or a blob has begun, and nothing comes. A step that runs may be
// silent for as long as it likes. The caller calls done.
func (s *Session) watched(ctx context.Context, job plan.Job, opts Options, watch *watcher) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	watch.refuse = func(err error) { cancel(&LieError{Node: s.node.Name, Platform: job.Platform, Err: err}) }
	watch.begin()
	ended := make(chan struct{})
	done = func() { close(ended); cancel(nil) }
	if opts.Patience <= 0 {
		return ctx, done
	}
	go func() {
		for {
			select {
			case <-ended:
				return
			case <-time.After(min(opts.Patience/4, 5*time.Second)):
			}
			if s.rests(watch, opts.Patience) {
				cancel(&LostError{Node: s.node.Name, Platform: job.Platform, Err: &RestError{After: opts.Patience}})
				return
			}
		}
	}()
	return ctx, done
}

// solve is BuildKit's Solve, which ends only when the node has ceased to speak. One that goes
// on when the job has been given up is left speaking: to nobody, until its client is closed.
func (s *Session) solve(ctx context.Context, opt client.SolveOpt, watch *watcher) (response *client.SolveResponse, err error) {
	ended := make(chan struct{})
	var said *client.SolveResponse
	var failed error
	go func() {
		defer close(ended)
		said, failed = s.node.Client.Solve(ctx, nil, opt, watch.channel())
		watch.wait()
	}()
	select {
	case <-ended:
		return said, failed
	case <-ctx.Done():
	}
	patience := leaving
	if refusal(ctx) != nil {
		patience = 0
	}
	select {
	case <-ended:
		return said, failed
	case <-time.After(patience):
		watch.deafen()
		return nil, context.Cause(ctx)
	}
}

// leaving is how long a node may take to end a job that was given up.
const leaving = 10 * time.Second

// refusal is why a job that has ended counts for nothing; nil where it counts.
func refusal(ctx context.Context) error {
	if lie := new(LieError); errors.As(context.Cause(ctx), &lie) {
		return lie
	}
	return nil
}

// rests says whether a job has stood still for so long, with nothing left that it may wait for.
func (s *Session) rests(watch *watcher, most time.Duration) bool {
	busy, heard := watch.busy()
	if s.results != nil {
		waits, since := s.results.Waiting()
		busy = busy && !waits
		if since.After(heard) {
			heard = since
		}
	}
	return !busy && time.Since(heard) >= most
}

// RestError says that a node answers, and does nothing.
type RestError struct{ After time.Duration }

func (e *RestError) Error() string {
	return fmt.Sprintf("it answers, but no step runs there, and nothing of the image has come for %s", e.After)
}

// believable is how many steps a build can have. The largest Dockerfiles have some thousand; what is
// shown of them is bounded by mostSteps.
const believable = 20_000

// errEndless is told of a node that speaks of more than a build can have.
var errEndless = errors.New("it tells of more steps than any build has")
