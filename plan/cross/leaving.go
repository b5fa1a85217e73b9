package cross

import (
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/archbuild/archbuild/template"
)

// leaving looks at what a stage that stays takes out of those that move.
func (a *analysis) leaving(stage int) {
	if a.moves(stage) {
		return
	}
	// The variables of the stage change from line to line, so it is gone through again.
	w := &walk{analysis: a, stage: stage, used: map[string]bool{}, args: map[string]bool{}}
	w.state = state{vars: map[string]value{}, dir: "/"}
	for _, step := range a.stepsOf(stage) {
		w.line = step.Line
		switch c := step.Command.(type) {
		case *instructions.EnvCommand, *instructions.ArgCommand:
			w.instruction(step)
		case *instructions.CopyCommand:
			for _, source := range c.SourcePaths {
				a.out(w, c.From, w.expand(source), c.Parents)
			}
		case *instructions.RunCommand:
			for _, m := range w.mountsOf(c) {
				if m.From != "" {
					a.out(w, m.From, m.Source, false)
				}
			}
		}
	}
}

// out is one path that a stage that stays, in which by is, takes from another one.
func (a *analysis) out(by *walk, from, source string, parents bool) {
	if from == "" {
		return
	}
	kind, stage := by.source(from)
	if kind != template.StageKind || !a.moves(stage) || a.walks[stage] == nil {
		return
	}
	w := a.walks[stage]
	name := path.Clean("/" + source)
	if parents {
		name = path.Clean("/" + strings.ReplaceAll(source, "/./", "/"))
	}
	w.leaves = append(w.leaves, name)
	w.out(name, by.line)
}

// out judges a path that leaves the stage.
func (w *walk) out(name string, line int) {
	switch {
	case !known(name):
		w.stay(OutputNotRecipe, line, "which path leaves is not known")
		return
	case namesArchitecture(name):
		w.stay(NamesArchitecture, line, "%s names an architecture", name)
	}
	dir, glob := name, ""
	if i := strings.IndexAny(name, "*?["); i >= 0 {
		dir = path.Dir(name[:i] + "x")
		glob = strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
	}
	at := w.facts.at(dir)
	switch own := len(exact(w.facts, name)) > 0 || freed(w.facts, dir); {
	case isSame(name):
		return
	case isSystem(dir) && !own:
		w.stay(TargetPackagesLeave, line, "%s leaves, which is the system's", name)
		return
	case len(at) == 0 && len(w.facts.under(dir)) == 0:
		w.stay(OutputNotRecipe, line, "%s leaves, and nothing is known to write it", name)
		return
	}
	if glob == "" && bundled(name) {
		w.stay(NodeModulesLeave, line, "%s leaves, which holds node_modules", name)
	}
	for _, f := range at {
		w.outFact(f, name, line)
	}
	for _, f := range w.facts.under(dir) {
		if glob == "" || matches(glob, strings.TrimPrefix(strings.TrimPrefix(f.path, dir), "/")) {
			w.outFact(f, name, line)
		}
	}
}

// outFact judges one thing that leaves within a path.
func (w *walk) outFact(f fact, name string, line int) {
	if f.native {
		kind := f.kind
		if kind == NodeModulesLeave || kind == TargetPackagesLeave || kind == RunsTargetCode {
			w.stay(kind, line, "%s leaves with %s", name, f.path)
			return
		}
		w.stay(kind, line, "%s leaves, and what is in %s is not known", name, f.path)
	}
	if f.made != nil {
		f.made.leaves = true
		f.made.taken = append(f.made.taken, name)
	}
}

// freed tells whether a folder in one of the system's is the stage's own: one of a
// recipe's output in a folder that no base fills.
func freed(list facts, dir string) bool {
	for _, f := range list.at(dir) {
		if !f.native && f.path != "/" && !isSystem(f.path) {
			return true
		}
	}
	return false
}

// matches tells whether a pattern may match a path, or a folder above it.
func matches(glob, name string) bool {
	parts, names := strings.Split(glob, "/"), strings.Split(name, "/")
	for i, part := range parts {
		if i >= len(names) {
			return true
		}
		if ok, err := path.Match(part, names[i]); err == nil && !ok {
			return false
		}
	}
	return true
}

// bundled tells whether a path is an output of a JavaScript tool that takes
// node_modules along.
func bundled(name string) bool {
	for _, part := range strings.Split(name, "/") {
		if part == "node_modules" || part == "standalone" || part == ".output" {
			return true
		}
	}
	return path.Base(name) == ".next"
}
