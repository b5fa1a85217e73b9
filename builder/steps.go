package builder

import (
	"regexp"

	"github.com/opencontainers/go-digest"
)

// stepName is how the frontend calls an instruction: "[build 2/3] RUN …". What
// BuildKit does around it has no number: "[internal] load build context", "exporting …".
var stepName = regexp.MustCompile(`^\[(?:[^\[\]]* )?\d+/\d+\] (\S*)`)

// isStep tells a step that runs, or that a cache answers. FROM is none: nothing runs
// there, and whether the node has the base already says nothing of the work that was saved.
func isStep(name string) bool {
	found := stepName.FindStringSubmatch(name)
	return found != nil && found[1] != "FROM"
}

// ran are the steps that have ended, and whether a cache answered. Those that nothing
// asked for, since a later one was found, are not among them.
func (w *watcher) ran() map[digest.Digest]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	ended := map[digest.Digest]bool{}
	for d, s := range w.steps {
		if s.completed {
			ended[d] = s.cached
		}
	}
	return ended
}

// counts tells how many steps there are and how many a cache answered.
func counts(ran map[digest.Digest]bool) (steps, cached int) {
	for _, hit := range ran {
		if hit {
			cached++
		}
	}
	return len(ran), cached
}
