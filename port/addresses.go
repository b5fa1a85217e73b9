package port

import (
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/archbuild/archbuild/template"
)

// isURL says whether a source is fetched, also when a variable holds its beginning.
func (w *work) isURL(stage, step int, text string) bool {
	return strings.Contains(text, "://") || strings.HasPrefix(text, "$") && strings.Contains(w.expand(stage, step, text, 0), "://")
}

// mostNested is how many variables may be put into each other.
const mostNested = 5

// expand fills in what ENV, and ARG with their defaults, say before a step. What is not
// known is empty.
func (w *work) expand(stage, step int, text string, depth int) string {
	full, _ := w.t.Expand(text, func(name string) (string, bool) {
		if depth == mostNested {
			return "", true
		}
		for i := step - 1; i >= 0; i-- {
			switch c := w.steps[stage][i].Command.(type) {
			case *instructions.EnvCommand:
				for _, p := range c.Env {
					if p.Key == name {
						return w.expand(stage, i, p.Value, depth+1), true
					}
				}
			case *instructions.ArgCommand:
				for _, a := range c.Args {
					if a.Key == name && a.Value != nil {
						return w.expand(stage, i, *a.Value, depth+1), true
					}
				}
			}
		}
		value, _ := w.t.Global(template.Env{}, name)
		return value, true
	})
	return full
}
