package builder

import (
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

// told is how much a node has told of a job.
type told struct {
	// known are the vertices, and whether they have not ended; open is how many that are.
	known map[digest.Digest]bool
	open  int
	// at is when a step was last seen to run; at first, when the job began.
	at time.Time
	// deaf says that nobody listens any more.
	deaf bool
}

func newTold() told {
	return told{known: map[digest.Digest]bool{}, at: time.Now()}
}

// listen notes what the node has told. It is false once that is more than a build has to tell.
func (w *watcher) listen(status *client.SolveStatus) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := &w.told
	if t.deaf {
		return false
	}
	if t.open > 0 {
		t.at = time.Now()
	}
	for _, v := range status.Vertexes {
		if len(v.Digest) > longestID {
			continue // no digest is
		}
		was, is := t.known[v.Digest], v.Completed == nil
		t.known[v.Digest] = is
		switch {
		case is && !was:
			t.open++
			t.at = time.Now()
		case was && !is:
			t.open--
		}
	}
	if t.deaf = len(t.known) > believable; t.deaf && w.refuse != nil {
		w.refuse(errEndless)
	}
	return !t.deaf
}

// deafen has nothing heard any more of what the node tells.
func (w *watcher) deafen() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told.deaf = true
}

// busy says whether a step is known that has not ended, and when one was last seen to run.
func (w *watcher) busy() (busy bool, last time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.told.open > 0, w.told.at
}

// begin forgets the time that was spent waiting for a turn.
func (w *watcher) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told.at = time.Now()
}
