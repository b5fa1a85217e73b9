package archbuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/plan/cross"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/template"
	"github.com/archbuild/archbuild/verify"
)

// What is planned on the build platform has to prove itself: it must build, its
// programs must be for the target, and what is said to be the same everywhere must
// hold no programs. What does not is built again, emulated.

// BuiltCross is what is told of the stages of a platform that were moved.
type BuiltCross struct {
	// Stages that were planned on the build platform, by name or number.
	Stages []string `json:"stages"`
	// Failed is why the platform was built again, emulated; empty when all was well.
	Failed string `json:"failed,omitempty"`
}

// builtCross is nil where nothing was moved.
func builtCross(job plan.Job) *BuiltCross {
	if !job.Moves() {
		return nil
	}
	b := &BuiltCross{}
	for _, stage := range job.Stages {
		if job.IsMoved(stage.Index) {
			b.Stages = append(b.Stages, stage.Label())
		}
	}
	return b
}

// CrossError says that an image holds a program that a stage on the build platform
// should not have made.
type CrossError struct {
	Platform platform.Platform
	Program  verify.Program
	// Stage that it comes from, if that is known.
	Stage string
}

func (e *CrossError) Error() string {
	from := ""
	if e.Stage != "" {
		from = ", from stage " + e.Stage
	}
	return fmt.Sprintf("%s: %s is a program for %s%s", e.Platform, e.Program.Path, e.Program.Found, from)
}

// Hint names the word that keeps the stage where it was.
func (e *CrossError) Hint() string {
	return "leave the stage on the target platform: --cross=off, or cross: {STAGE: off} in archbuild.yaml"
}

// ExitStatus is 3, as whenever an image is not what its label says.
func (e *CrossError) ExitStatus() int { return 3 }

// auditCross looks at every program that a build with moved stages added: one for
// another machine, or any at all that a stage of a recipe for data has made, means
// that a stage should have stayed.
func (r run) auditCross(ctx context.Context, s service, job plan.Job, result manifest.Result) error {
	img, err := r.image(result)
	if err != nil {
		return err
	}
	base, err := baseLayers(img, job)
	if err != nil {
		return err
	}
	programs, err := verify.Programs(ctx, img, verify.Options{Platform: job.Platform, BaseLayers: base, Allow: r.allowed(s), Memory: r.verdicts()})
	if err != nil {
		return err
	}
	t := s.of(job.Platform).template
	for _, program := range programs {
		from, sure := copiedFrom(t, job, program.Path)
		data := from >= 0 && slices.ContainsFunc(job.Crossed, func(d cross.Decision) bool { return d.Stage == from && d.Move && d.Recipe != "go" })
		if !program.Foreign && !data || sure && !job.IsMoved(from) {
			continue
		}
		e := &CrossError{Platform: job.Platform, Program: program}
		if from >= 0 {
			e.Stage = stageLabel(t.Stages[from], from)
		}
		return e
	}
	return nil
}

// copiedFrom finds the stage that a file of the image was copied from: -1 when it
// is none. It is not sure of what RUN may have written.
func copiedFrom(t *template.Template, job plan.Job, file string) (stage int, sure bool) {
	c, ok := t.Origin(finalStage(t, job), file)
	if !ok {
		return -1, false
	}
	if from, ok := t.Stage(c.From); ok && c.From != "" {
		return from, true
	}
	return -1, true
}

// finalStage is the stage that a job builds.
func finalStage(t *template.Template, job plan.Job) int {
	if i, ok := t.Stage(job.Target); ok && job.Target != "" {
		return i
	}
	return len(t.Stages) - 1
}

// mayBeCross says whether moved stages can be what a job failed by: a step failed,
// in no line in which a job without any failed as well, or a program was found that they
// should not have made. All other programs for the wrong machine come from elsewhere.
func (m *making) mayBeCross(index int, errs []error) bool {
	if nodes, _ := builder.IsNodes(errs[index]); nodes {
		return false
	}
	mine := new(builder.Error)
	if !errors.As(errs[index], &mine) {
		return errors.As(errs[index], new(*CrossError))
	}
	for i, err := range errs {
		other := new(builder.Error)
		if !m.plan.Jobs[i].Moves() && errors.As(err, &other) && other.Line == mine.Line {
			return false
		}
	}
	return true
}

// remember writes into archbuild.lock what did well emulated only, so that the next
// run does not try again.
func (m *making) remember(failed []error) {
	var list []resolve.CrossFailure
	for i, job := range m.was {
		if m.again[i] == "" || failed[i] != nil {
			continue
		}
		t := m.of(job.Platform).template
		for _, d := range job.Crossed {
			if d.Move {
				list = append(list, resolve.CrossFailure{
					Dockerfile: t.Name, Digest: templateDigest(t), Stage: stageLabel(t.Stages[d.Stage], d.Stage), Platform: job.Platform, Reason: m.again[i],
				})
			}
		}
	}
	if len(list) == 0 {
		return
	}
	if !m.hasFolder() {
		fmt.Fprintf(m.Stderr, "archbuild: warning: the next run will try again: there is no folder that %s could be written to\n", lockName)
		return
	}
	file := m.lockFile()
	lock, _, err := m.readLock()
	if err == nil {
		err = outside.WriteWhole(file, lock.WithCrossed(list).Format())
	}
	if err != nil {
		fmt.Fprintf(m.Stderr, "archbuild: warning: the next run will try again: %s\n", ui.Line(err.Error()))
		return
	}
	fmt.Fprintf(m.Stderr, "archbuild: %s remembers that; the stage stays emulated until the Dockerfile changes, or archbuild lock PATH --update\n", ui.Line(file))
}

// firstLine is what an error says in one line.
func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	const long = 300
	if len(text) > long {
		text = strings.ToValidUTF8(text[:long], "") + "…"
	}
	return text
}
