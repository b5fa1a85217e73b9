package builder

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/archbuild/archbuild/platform"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/progress/progressui"
	"github.com/opencontainers/go-digest"
)

// Display shows the progress of all jobs on one terminal, by BuildKit's own
// progressui. Each step's name starts with its job's: a platform, and what else is
// needed to tell it from others. What it shows is harmless and bounded, whatever nodes send: it
// draws on a terminal itself.
type Display struct {
	limits Limits
	// bytes of output that have been shown.
	bytes atomic.Int64

	statuses chan *client.SolveStatus
	done     chan struct{}
	err      error
	// A job that was given up may still speak when the display has ended.
	mu    sync.RWMutex
	ended bool
}

// NewDisplay shows progress on out. Mode is auto, tty, plain, rawjson or quiet;
// tty on something that is no terminal is an error.
func NewDisplay(out io.Writer, mode string, limits Limits) (*Display, error) {
	shown, err := progressui.NewDisplay(out, progressui.DisplayMode(mode))
	if err != nil {
		return nil, &ProgressError{Mode: mode, Err: err}
	}
	d := &Display{limits: limits, statuses: make(chan *client.SolveStatus), done: make(chan struct{})}
	go func() {
		defer close(d.done)
		// The display ends when its channel is closed, after every job has
		// ended: what a cancelled job still says is worth seeing.
		_, d.err = shown.UpdateFrom(context.Background(), d.statuses)
		for range d.statuses { // a failing display must not block the build
		}
	}()
	return d, nil
}

// Close ends the display. What jobs say after it is not heard.
func (d *Display) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return
	}
	d.ended = true
	close(d.statuses)
	<-d.done
}

func (d *Display) show(status *client.SolveStatus) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if !d.ended {
		d.statuses <- status
	}
}

// Say shows a line among the steps: what was decided while they ran.
func (d *Display) Say(text string) {
	now := time.Now()
	d.show(&client.SolveStatus{Vertexes: []*client.Vertex{{
		Digest: digest.FromString(text + now.String()), Name: "[archbuild] " + text, Started: &now, Completed: &now,
	}}})
}

// watcher passes one job's statuses on, under names that tell the platform,
// and keeps what the summary and errors need.
type watcher struct {
	display *Display
	// name is the job's; platform is how BuildKit itself calls it in some names.
	name, platform string
	in             chan *client.SolveStatus
	ended          chan struct{}
	shown          *shown

	mu    sync.Mutex
	steps map[digest.Digest]step
	// running are the steps that have not ended, as the display knows them.
	running map[digest.Digest]*client.Vertex
	failed  digest.Digest
	// caching says that what failed is the writing of a cache.
	caching bool
	tail    map[digest.Digest][]byte
	warns   []client.VertexWarning
	// runs is called once, when a step runs.
	runs func()
	// refuse is called when the node tells of more than there can be.
	refuse func(error)
	told   told
}

type step struct{ completed, cached bool }

// tailBytes of a step's output are kept for the error message.
const tailBytes = 4 << 10

// job watches one job. No two at the same time have one name.
func (d *Display) job(name string, on platform.Platform) *watcher {
	w := &watcher{
		display: d, name: name, platform: on.String(),
		in: make(chan *client.SolveStatus), ended: make(chan struct{}), shown: newShown(d.limits, &d.bytes),
		steps: map[digest.Digest]step{}, running: map[digest.Digest]*client.Vertex{}, tail: map[digest.Digest][]byte{},
		told: newTold(),
	}
	go func() {
		defer close(w.ended)
		for status := range w.in {
			if !w.listen(status) {
				continue // it is refused
			}
			fit := w.shown.status(status)
			w.note(fit)
			w.remember(status.Logs)
			named := w.named(fit)
			w.follow(named)
			w.display.show(named)
		}
	}()
	return w
}

func (w *watcher) channel() chan *client.SolveStatus { return w.in }

func (w *watcher) wait() { <-w.ended }

// warned are the warnings of the job.
func (w *watcher) warned() []client.VertexWarning {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.warns)
}

func (w *watcher) follow(status *client.SolveStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range status.Vertexes {
		switch {
		case v.Completed != nil:
			delete(w.running, v.Digest)
		case v.Started != nil:
			w.running[v.Digest] = v
		}
	}
}

// leave ends on the display what runs no longer: a node that is lost does not say so, and
// its steps would be shown as running until all others have ended.
func (w *watcher) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	status := &client.SolveStatus{}
	for _, key := range slices.Sorted(maps.Keys(w.running)) {
		v := *w.running[key]
		v.Completed, v.Error = &now, context.Canceled.Error()
		status.Vertexes = append(status.Vertexes, &v)
	}
	clear(w.running)
	if len(status.Vertexes) > 0 {
		w.display.show(status)
	}
}

func (w *watcher) note(status *client.SolveStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range status.Vertexes {
		w.noteRunning(v)
		if isStep(v.Name) {
			seen := w.steps[v.Digest]
			w.steps[v.Digest] = step{seen.completed || v.Completed != nil, seen.cached || v.Cached}
		}
		if strings.HasPrefix(v.Name, "importing cache manifest from ") {
			continue // a build goes on without
		}
		if v.Error != "" && w.failed == "" && !strings.Contains(v.Error, context.Canceled.Error()) {
			w.failed, w.caching = v.Digest, strings.HasPrefix(v.Name, "exporting cache to ")
		}
	}
	for _, warning := range status.Warnings {
		w.warns = append(w.warns, *warning)
	}
}

// remember keeps the end of what each step has printed, also where it is not shown.
func (w *watcher) remember(logs []*client.VertexLog) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, log := range logs {
		if w.shown.step(log.Vertex) == nil {
			continue
		}
		data := log.Data[max(0, len(log.Data)-tailBytes):]
		kept := append(w.tail[log.Vertex], data...)
		w.tail[log.Vertex] = kept[max(0, len(kept)-tailBytes):]
	}
}

// failedCaching says that the steps went well, and a cache could not be written.
func (w *watcher) failedCaching() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.caching
}

// lastLines of the output of the step that failed.
func (w *watcher) lastLines(n int) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := lines(w.tail[w.failed])
	return list[max(0, len(list)-n):]
}

// named is the status with the platform in every name. The digests are made the
// platform's own as well, or the display would fold equal steps of several
// platforms into the first.
func (w *watcher) named(status *client.SolveStatus) *client.SolveStatus {
	out := &client.SolveStatus{}
	for _, v := range status.Vertexes {
		c := *v
		c.Digest, c.Name = w.own(v.Digest), w.label(v.Name)
		c.Inputs = nil
		for _, in := range v.Inputs {
			c.Inputs = append(c.Inputs, w.own(in))
		}
		if v.ProgressGroup != nil {
			group := v.ProgressGroup.CloneVT()
			group.Id = string(w.own(digest.Digest(group.Id)))
			group.Name = w.label(group.Name)
			c.ProgressGroup = group
		}
		out.Vertexes = append(out.Vertexes, &c)
	}
	for _, s := range status.Statuses {
		c := *s
		c.Vertex = w.own(s.Vertex)
		out.Statuses = append(out.Statuses, &c)
	}
	for _, l := range status.Logs {
		c := *l
		c.Vertex = w.own(l.Vertex)
		out.Logs = append(out.Logs, &c)
	}
	for _, warning := range status.Warnings {
		c := *warning
		c.Vertex = w.own(warning.Vertex)
		out.Warnings = append(out.Warnings, &c)
	}
	return out
}

func (w *watcher) own(d digest.Digest) digest.Digest {
	return digest.FromString(w.name + " " + d.String())
}

// label turns "[build 2/3] RUN x" into "[linux/arm64 build 2/3] RUN x".
func (w *watcher) label(name string) string {
	if rest, ok := strings.CutPrefix(name, "["); ok {
		return "[" + w.name + " " + strings.TrimPrefix(rest, w.platform+" ")
	}
	return "[" + w.name + "] " + name
}

// ProgressError says that progress cannot be shown as asked.
type ProgressError struct {
	Mode string
	Err  error
}

func (e *ProgressError) Error() string { return fmt.Sprintf("--progress %s: %v", e.Mode, e.Err) }

// Unwrap gives the cause.
func (e *ProgressError) Unwrap() error { return e.Err }

// Hint lists the modes.
func (e *ProgressError) Hint() string { return "use auto, tty, plain, rawjson or quiet" }
