package cross

import (
	"cmp"
	"slices"

	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
)

// Request is one job: a template for one target on a node of one build platform.
type Request struct {
	Template *template.Template
	Target   platform.Platform
	Build    platform.Platform
	// Stage is --target; empty is the last one.
	Stage string
	// Args are the values of --build-arg.
	Args map[string]string
	// Files are those of the context; nil when none of them can be looked at.
	Files Files
	// Base tells what is known of the image of a reference (an index in
	// Template.References). Nil, or false: nothing is.
	Base func(reference int) (Base, bool)
	// Contexts are names given by --build-context. What stands for them is not known.
	Contexts []string
	// Off tells which stages may not move, whatever they hold, and why: a clause.
	// Nil means none.
	Off func(stage int) (why string, off bool)
	// Force tells which stages move whatever the rules say, for tests that show the
	// harm. Nil means none.
	Force func(stage int) bool
	// Idiom asks for the edits that people adopt in their own file, with ARG TARGETARCH,
	// in place of those for one target.
	Idiom bool
}

// Base is what is known of an image that a stage starts from.
type Base struct {
	// Platforms that it serves; empty when that is not known.
	Platforms []platform.Platform
	// Env of its config, NAME=VALUE.
	Env []string
	// Onbuild instructions of its config.
	Onbuild []string
}

// Files are the files of a context. Paths are relative to its root, with slashes;
// the root is ".". What .dockerignore leaves out is not there.
type Files interface {
	// Read gives the content of a file.
	Read(name string) ([]byte, bool)
	// List gives the names in a folder, sorted, those of folders with a slash behind them.
	List(dir string) ([]string, bool)
}

// Decision says whether one stage moves to the build platform.
type Decision struct {
	// Stage is the index in Template.Stages.
	Stage int
	Move  bool
	// Recipe that the stage moves by: "go", "node", "java", "site", "files".
	Recipe string
	// Kind, Why and Line say why it stays, or Why why it may move. Line is the first
	// one of an instruction.
	Kind Kind
	Why  string
	Line int
	// Obstacles are all reasons that were found for it to stay; the first is the one
	// above.
	Obstacles []Obstacle
	// Edits of the RUNs of a stage that moves, in the order of the file.
	Edits []Edit
	// Audit lists the paths that are copied out of a stage that moves; a program of the
	// build platform in them means that the stage should have stayed.
	Audit []string
}

// Obstacle is one reason for a stage to stay.
type Obstacle struct {
	Kind Kind
	Line int
	Why  string
}

// Edit is a change of the template's source.
type Edit struct {
	// Span that is replaced; an insertion when it is empty.
	Span template.Span
	New  string
	Line int
	Rule string
}

// most stages that are looked at: their number takes the time to its square.
const most = 200

// Decide gives a decision for each stage that the target needs, in the order of the
// file. There is none when the target is the build platform, or when one of them is no Linux.
func Decide(r Request) []Decision {
	if r.Target == r.Build || r.Target.OS != "linux" || r.Build.OS != "linux" {
		return nil
	}
	uses, err := r.Template.Uses(template.Env{Target: r.Target, Build: r.Build, Args: r.Args, TargetStage: r.Stage})
	if err != nil {
		return nil
	}
	a := &analysis{Request: r, uses: uses, stays: map[int][]Obstacle{}, looked: map[string]bool{}, work: 50_000, steps: map[int][]template.Step{}}
	a.tables = []map[string]handler{packageCommands, fileCommands, readCommands, goCommands, nodeCommands, javaCommands, siteCommands}
	for _, reached := range r.Template.Reached(uses) {
		a.needed = append(a.needed, reached.Stage)
	}
	if len(a.needed) > most {
		return nil
	}
	a.final = a.needed[len(a.needed)-1]
	if i, ok := r.Template.Stage(r.Stage); ok && r.Stage != "" {
		a.final = i
	}
	a.stays[a.final] = []Obstacle{{Kind: TargetStage, Line: r.Template.Stages[a.final].Line, Why: "it is the image"}}
	for a.again(false) || a.again(true) {
	}
	list := make([]Decision, 0, len(a.needed))
	for _, stage := range a.needed {
		list = append(list, a.decision(stage))
	}
	return list
}

// analysis is the work on one Request.
type analysis struct {
	Request
	uses   []template.Use
	needed []int
	final  int
	// stays are the stages that were found to stay, and why.
	stays map[int][]Obstacle
	// walks of all needed stages, as of the last round.
	walks map[int]*walk
	// looked remembers which folders hold no Go file that uses cgo.
	looked map[string]bool
	// work is how many commands may still be looked at, in all rounds.
	work int
	// steps of the stages, once they were asked for.
	steps map[int][]template.Step
	// tables are all commands that have a handler; the first are package managers.
	tables []map[string]handler
}

// moves tells whether a stage is still taken to move.
func (a *analysis) moves(stage int) bool {
	return len(a.stays[stage]) == 0 || a.forced(stage)
}

// stepsOf lists the instructions of a stage.
func (a *analysis) stepsOf(stage int) []template.Step {
	if _, ok := a.steps[stage]; !ok {
		a.steps[stage] = a.Template.Steps(stage)
	}
	return a.steps[stage]
}

func (a *analysis) forced(stage int) bool { return a.Force != nil && a.Force(stage) }

// again looks at all stages as if those that were not found to stay moved. It
// reports whether another stage was found, for then those that touch it have to be
// looked at again. What go makes is judged last, when it is known what leaves and what
// takes it.
func (a *analysis) again(last bool) bool {
	a.walks = map[int]*walk{}
	for _, stage := range a.needed {
		a.walks[stage] = a.walk(stage)
	}
	for _, stage := range a.needed {
		a.leaving(stage)
	}
	for _, stage := range a.needed {
		a.tools(stage)
		if last {
			a.cgo(stage)
		}
	}
	more := false
	for _, stage := range a.needed {
		if found := a.walks[stage].obstacles; len(a.stays[stage]) == 0 && len(found) > 0 {
			a.stays[stage] = found
			more = true
		}
	}
	return more
}

// decision puts together what was found of a stage.
func (a *analysis) decision(stage int) Decision {
	w := a.walks[stage]
	d := Decision{Stage: stage, Move: a.moves(stage), Obstacles: a.stays[stage]}
	if len(d.Obstacles) > 0 {
		first := d.Obstacles[0]
		d.Kind, d.Why, d.Line = first.Kind, first.Why, first.Line
	}
	if !d.Move {
		return d
	}
	d.Recipe = w.recipe()
	if d.Why == "" {
		d.Why, d.Line = recipes[d.Recipe], w.firstLine
	}
	d.Edits = a.edits(w)
	d.Audit = slices.Compact(slices.Sorted(slices.Values(w.leaves)))
	return d
}

// recipes says why a stage may move by each of them.
var recipes = map[string]string{
	"go":    "go compiles for the target by itself",
	"node":  "what leaves is made of text by JavaScript tools",
	"java":  "what leaves is for the Java machine, whatever the platform",
	"site":  "what leaves are pages made of text",
	"files": "what leaves is the same on every platform",
}

// order sorts edits by their place; of two at one place the first stays first.
func order(edits []Edit) []Edit {
	slices.SortStableFunc(edits, func(x, y Edit) int { return cmp.Compare(x.Span.Start, y.Span.Start) })
	return edits
}
