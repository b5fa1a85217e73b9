package plan

import (
	"fmt"
	"slices"

	"github.com/archbuild/archbuild/plan/cross"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// Crossing is what was decided about running a stage on the build platform.
type Crossing struct {
	Moved bool `json:"moved"`
	// Recipe by which a moved stage makes what the target needs: "go".
	Recipe string `json:"recipe,omitempty"`
	// Kind of reason for a stage to stay, one word for programs to go by.
	Kind string `json:"kind,omitempty"`
	// Why it is safe to move the stage, or why it stays.
	Why string `json:"why"`
	// Line that the reason is about, or 0.
	Line int `json:"line,omitempty"`
}

// String is the reason with its line.
func (c Crossing) String() string {
	if c.Line == 0 {
		return c.Why
	}
	return fmt.Sprintf("line %d: %s", c.Line, c.Why)
}

// Decisions are those about the stages of a target; none where nothing moves.
func (req Request) Decisions(target Target) []cross.Decision {
	if req.Cross == nil {
		return nil
	}
	return req.Cross(target)
}

// moved lists the stages that move.
func moved(decisions []cross.Decision) []int {
	var list []int
	for _, d := range decisions {
		if d.Move {
			list = append(list, d.Stage)
		}
	}
	return list
}

// Env is what a template is evaluated for.
func (req Request) Env(target Target) template.Env {
	return template.Env{
		Target: target.Platform, Build: req.Build, Args: target.Args, TargetStage: target.Stage,
		Moved: moved(req.Decisions(target)), Overruled: req.Overruled,
	}
}

// crossed notes in a stage what was decided about it.
func (s *Stage) crossed(decisions []cross.Decision, build platform.Platform) {
	i := slices.IndexFunc(decisions, func(d cross.Decision) bool { return d.Stage == s.Index })
	if i < 0 || s.How == "" || s.How == None {
		return
	}
	d := decisions[i]
	if !d.Move && s.How == Native { // its author has moved it
		return
	}
	s.Cross = &Crossing{Moved: d.Move, Recipe: d.Recipe, Kind: string(d.Kind), Why: d.Why, Line: d.Line}
	if d.Move && s.How == Native && s.Platform == build {
		s.How, s.Reason = Cross, d.Why
	}
}

// slowest says whether one way to run programs is slower than another.
func slower(a, b How) bool {
	order := []How{None, Native, Cross, Emulated, Impossible}
	return slices.Index(order, a) > slices.Index(order, b)
}

// Moves says whether a stage of the job runs on the build platform by decision.
func (j Job) Moves() bool { return len(moved(j.Crossed)) > 0 }

// IsMoved says of one stage, by its index, whether it does.
func (j Job) IsMoved(stage int) bool { return slices.Contains(moved(j.Crossed), stage) }

// StayedError says that a stage which has to be native or cross is emulated.
type StayedError struct {
	File     string
	Line     int
	Platform platform.Platform
	// Stage is the stage by name or number, By what asks for it: "--cross=require".
	Stage, By string
	// Why it is emulated, a clause.
	Why string
}

func (e *StayedError) Error() string {
	return fmt.Sprintf("%s:%d: stage %s would be emulated for %s, which %s forbids: %s", e.File, e.Line, e.Stage, e.Platform, e.By, e.Why)
}

// At is the place, for those who show errors beside the code.
func (e *StayedError) At() (file string, line int) { return e.File, e.Line }

// Hint names the ways out.
func (e *StayedError) Hint() string {
	return fmt.Sprintf("change that line, give --node a BuildKit for %s, or let the stage be emulated: cross: {%s: off} in archbuild.yaml", e.Platform, e.Stage)
}

// Stay makes an error of a stage that may not be emulated.
func (s Stage) Stay(file string, on platform.Platform, by string) error {
	e := &StayedError{File: file, Line: s.Line, Platform: on, Stage: s.Label(), By: by, Why: s.Reason}
	if s.Cross != nil {
		e.Why = s.Cross.Why
		if s.Cross.Line > 0 {
			e.Line = s.Cross.Line
		}
	}
	return e
}

// Label is how the user calls the stage: its name, else its number.
func (s Stage) Label() string {
	if s.Name != "" {
		return s.Name
	}
	return fmt.Sprint(s.Index)
}
