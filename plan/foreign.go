package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// A stage whose FROM has a --platform stays on that platform whatever is built.
// With $BUILDPLATFORM that is meant: such a stage compiles for others, and to copy
// from it is fine. A platform written out means that an image for another one
// carries its programs, when the final stage is such a stage or copies from it.

// ForeignStageError says that an image would hold programs of another platform.
type ForeignStageError struct {
	File     string
	Line     int
	Platform platform.Platform
	// Path leads from the final stage to the foreign one, a clause for each step.
	Path []string
	// Foreign is the stage by name or number, Fixed its platform.
	Foreign string
	Fixed   platform.Platform
}

func (e *ForeignStageError) Error() string {
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text())
}

// Text is the message without the place.
func (e *ForeignStageError) Text() string {
	way := e.Path[0]
	for i, step := range e.Path[1:] {
		if i > 0 {
			way += ", which"
		}
		way += " " + step
	}
	if len(e.Path) > 1 {
		way += ", which"
	}
	return fmt.Sprintf("the image for %s would hold programs for %s: %s is fixed to %s at %s:%d",
		e.Platform, e.Fixed, way, e.Fixed, e.File, e.Line)
}

// At is the place, for those who show errors beside the code.
func (e *ForeignStageError) At() (file string, line int) { return e.File, e.Line }

// Hint offers the three ways out.
func (e *ForeignStageError) Hint() string {
	if len(e.Path) == 1 {
		return fmt.Sprintf("take --platform out of that FROM, or --allow-foreign-stage %s if the result shall be for %s", e.Foreign, e.Fixed)
	}
	return fmt.Sprintf("take --platform out of that FROM, write $BUILDPLATFORM there if the stage compiles for $TARGETPLATFORM, or --allow-foreign-stage %s if what is copied suits every platform", e.Foreign)
}

// stageLabel is how the user calls a stage: its name, else its number.
func (req Request) stageLabel(index int) string {
	if name := req.Template.Stages[index].Name; name != "" {
		return name
	}
	return strconv.Itoa(index)
}

// allowed says whether --allow-foreign-stage names the stage, or one it starts from.
func (w *walk) allowed(stage int) bool {
	for {
		named := func(name string) bool {
			i, ok := w.Template.Stage(name)
			return ok && i == stage
		}
		if slices.ContainsFunc(w.AllowForeign, named) {
			return true
		}
		base := w.uses[w.Template.Stages[stage].Base]
		if base.Kind != template.StageKind {
			return false
		}
		stage = base.Target
	}
}

// Foreign is the *ForeignStageError that Make would refuse a target with, or nil.
func Foreign(req Request, target Target) error {
	uses, err := req.Template.Uses(req.Env(target))
	if err != nil {
		return err
	}
	return req.foreign(target, uses)
}

// foreign looks for stages of another platform that the image would hold.
func (req Request) foreign(target Target, uses []template.Use) error {
	stages := req.Template.Stages
	other := slices.ContainsFunc(stages, func(s template.Stage) bool {
		return s.PlatformFlag != "" && uses[s.Base].Needed && !uses[s.Base].Platform.Serves(target.Platform)
	})
	if !other {
		return nil
	}
	w := walk{Request: req, target: target, uses: uses, seen: make([]bool, len(stages))}
	return w.from(req.finalStage(target))
}

// platformsIfMoved gives the platform of each stage if the node were of another platform:
// those that differ depend on $BUILDPLATFORM, in whatever way it is written.
func (req Request) platformsIfMoved(target Target) []platform.Platform {
	other := platform.Platform{OS: "linux", Arch: "s390x"}
	if req.Build == other {
		other.Arch = "ppc64le"
	}
	req.Build = other
	uses, err := req.Template.Uses(req.Env(target))
	if err != nil {
		return nil // not possible: it went well before
	}
	list := make([]platform.Platform, len(req.Template.Stages))
	for i, s := range req.Template.Stages {
		list[i] = uses[s.Base].Platform
	}
	return list
}

// walk follows what becomes part of an image through its stages.
type walk struct {
	Request
	target Target
	uses   []template.Use
	moved  []platform.Platform // see platformsIfMoved; nil until it is asked for
	seen   []bool
}

// step is a stage on the way and how it was reached.
type step struct {
	stage, before int // before is an index in the list of steps, -1 for the first
	// line of the COPY, or 0 where it is what the stage before starts from.
	line int
}

// tell puts a step in words.
func (w *walk) tell(s step) string {
	name := w.stageLabel(s.stage)
	switch {
	case s.before < 0:
		return fmt.Sprintf("stage %s (final)", name)
	case s.line == 0:
		return "starts from stage " + name
	}
	return fmt.Sprintf("copies from stage %s at line %d", name, s.line)
}

// from looks at all that a stage holds, the nearest first.
func (w *walk) from(final int) error {
	steps := []step{{stage: final, before: -1}}
	w.seen[final] = true
	for at := 0; at < len(steps); at++ {
		s := steps[at].stage
		if w.replaced(w.target, s, w.uses) {
			continue
		}
		use := &w.uses[w.Template.Stages[s].Base]
		if !use.Platform.Serves(w.target.Platform) {
			if !w.allowed(s) && (at == 0 || w.fixed(s)) {
				return w.error(steps, at)
			}
			continue // meant to be so: what it copies it copies to compile with
		}
		steps = w.holds(steps, at)
	}
	return nil
}

// fixed says whether a stage is on its platform whatever the node is.
func (w *walk) fixed(stage int) bool {
	base := w.uses[w.Template.Stages[stage].Base]
	if base.Kind == template.StageKind {
		return w.fixed(base.Target)
	}
	switch flag := w.Template.Stages[stage].PlatformFlag; {
	case flag == "": // moved: it makes what the target needs
		return false
	case flag == "$BUILDPLATFORM" || flag == "${BUILDPLATFORM}":
		return base.Platform != w.Build
	case !strings.Contains(flag, "$"):
		return true
	}
	if w.moved == nil {
		w.moved = w.platformsIfMoved(w.target)
	}
	return w.moved[stage] == base.Platform
}

// holds adds the stages that the stage of one step starts from and copies from,
// what ONBUILD of the stage it starts from copies included.
func (w *walk) holds(steps []step, at int) []step {
	stage := steps[at].stage
	base := &w.uses[w.Template.Stages[stage].Base]
	if base.Kind != template.StageKind {
		return w.copies(steps, at, stage, "COPY --from")
	}
	steps = w.add(steps, step{stage: base.Target, before: at})
	steps = w.copies(steps, at, stage, "COPY --from")
	return w.copies(steps, at, base.Target, "ONBUILD COPY --from")
}

// copies adds what the instructions of one kind in a stage copy from.
func (w *walk) copies(steps []step, at, stage int, where string) []step {
	from, to := w.Template.ReferencesIn(stage)
	for i := from; i < to; i++ {
		if use, ref := &w.uses[i], &w.Template.References[i]; use.Kind == template.StageKind && ref.Where == where {
			steps = w.add(steps, step{stage: use.Target, before: at, line: ref.Line})
		}
	}
	return steps
}

// add adds a stage that was not come past before.
func (w *walk) add(steps []step, next step) []step {
	if w.seen[next.stage] {
		return steps
	}
	w.seen[next.stage] = true
	return append(steps, next)
}

// error tells the way to the last of some steps.
func (w *walk) error(steps []step, at int) error {
	stage := steps[at].stage
	fixed := stage
	for w.uses[w.Template.Stages[fixed].Base].Kind == template.StageKind {
		fixed = w.uses[w.Template.Stages[fixed].Base].Target
	}
	e := &ForeignStageError{
		File: w.Template.File, Line: w.Template.Stages[fixed].Line, Platform: w.target.Platform, Foreign: w.stageLabel(stage),
		Fixed: w.uses[w.Template.Stages[stage].Base].Platform,
	}
	for ; at >= 0; at = steps[at].before {
		e.Path = append(e.Path, w.tell(steps[at]))
	}
	slices.Reverse(e.Path)
	return e
}
