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

// attempt is one service's plan and what became of its jobs.
type attempt struct {
	run
	service
	place
	node  *builder.Node
	plan  plan.Plan
	built []builder.Result
	image *Image
	// again are the jobs that were built a second time, and why, by index.
	again map[int]string
	// was are the jobs as they were planned first.
	was []plan.Job
}

// settle has built again what failed because of a moved stage, and checks every
// platform. The error is that of all that failed for good.
func (a *attempt) settle(ctx context.Context) ([]manifest.Result, error) {
	failed := make([]error, len(a.built))
	for i, b := range a.built {
		failed[i] = b.Err
	}
	if _, err := a.retry(ctx, failed); err != nil {
		return nil, err
	}
	if err := builder.Errors(a.built); err != nil {
		return nil, err
	}
	results, failed := a.check(ctx, a.service, a.plan, a.built, a.image)
	indexes, err := a.retry(ctx, failed)
	if err != nil {
		return nil, err
	}
	for _, i := range indexes {
		if failed[i] = a.built[i].Err; failed[i] == nil {
			results[i], failed[i] = a.checkJob(ctx, a.service, a.plan.Jobs[i], a.built[i], &a.image.Platforms[i])
		}
	}
	a.remember(failed)
	return results, errors.Join(failed...)
}

// retry builds those jobs again, emulated, that moved stages may have failed. errs are
// the failures by job. It returns the jobs that it built.
func (a *attempt) retry(ctx context.Context, errs []error) ([]int, error) {
	why := map[int]string{}
	for i, job := range a.plan.Jobs {
		if errs[i] != nil && ctx.Err() == nil && job.Moves() && a.mayBeCross(i, errs) {
			why[i] = firstLine(errs[i])
		}
	}
	if len(why) == 0 {
		return nil, nil
	}
	r, s := a.run, a.service
	r.emulated, s.targets = map[platform.Platform]string{}, nil
	var indexes []int
	for i, job := range a.plan.Jobs {
		if why[i] == "" {
			continue
		}
		indexes = append(indexes, i)
		r.emulated[job.Platform] = "it failed on " + a.plan.BuildPlatform.String() + ": " + why[i]
		j := slices.IndexFunc(a.service.targets, func(t plan.Target) bool { return t.Platform == job.Platform })
		s.targets = append(s.targets, a.service.targets[j])
		fmt.Fprintf(a.Stderr, "archbuild: warning: %s: what was to run on %s (stage %s) failed: %s\n", job.Platform, a.plan.BuildPlatform, strings.Join(builtCross(job).Stages, ", "), ui.Line(why[i]))
	}
	p, err := r.plan(ctx, s, a.place)
	if err != nil { // it cannot be emulated, so the first failure counts
		fmt.Fprintf(a.Stderr, "archbuild: warning: it cannot be emulated either: %s\n", ui.Line(firstLine(err)))
		return nil, nil
	}
	fmt.Fprintln(a.Stderr, "archbuild: building again, emulated: "+platformList(p))
	dockerfiles, err := r.rewritten(s, p)
	if err != nil {
		return nil, err
	}
	built, err := r.build(ctx, a.node, s, p, dockerfiles)
	if len(built) == 0 || ctx.Err() != nil {
		return nil, err
	}
	for k, i := range indexes {
		a.was[i], a.again[i] = a.plan.Jobs[i], why[i]
		a.plan.Jobs[i], a.built[i] = p.Jobs[k], built[k]
		at := &a.image.Platforms[i]
		at.How, at.Cross.Failed = p.Jobs[k].How, why[i]
		at.note(built[k])
	}
	return indexes, nil
}

// mayBeCross says whether moved stages can be what a job failed by: a step failed,
// in no line in which a job without any failed as well, or a program was found that they
// should not have made. All other programs for the wrong machine come from elsewhere.
func (a *attempt) mayBeCross(index int, errs []error) bool {
	mine := new(builder.Error)
	if !errors.As(errs[index], &mine) {
		return errors.As(errs[index], new(*CrossError))
	}
	for i, err := range errs {
		other := new(builder.Error)
		if !a.plan.Jobs[i].Moves() && errors.As(err, &other) && other.Line == mine.Line {
			return false
		}
	}
	return true
}

// remember writes into archbuild.lock what did well emulated only, so that the next
// run does not try again.
func (a *attempt) remember(failed []error) {
	var list []resolve.CrossFailure
	for i, job := range a.was {
		if a.again[i] == "" || failed[i] != nil {
			continue
		}
		t := a.of(job.Platform).template
		for _, d := range job.Crossed {
			if d.Move {
				list = append(list, resolve.CrossFailure{
					Dockerfile: t.Name, Digest: templateDigest(t), Stage: stageLabel(t.Stages[d.Stage], d.Stage), Platform: job.Platform, Reason: a.again[i],
				})
			}
		}
	}
	if len(list) == 0 {
		return
	}
	if !a.hasFolder() {
		fmt.Fprintf(a.Stderr, "archbuild: warning: the next run will try again: there is no folder that %s could be written to\n", lockName)
		return
	}
	file := a.lockFile()
	lock, _, err := a.readLock()
	if err == nil {
		err = writeWhole(file, lock.WithCrossed(list).Format())
	}
	if err != nil {
		fmt.Fprintf(a.Stderr, "archbuild: warning: the next run will try again: %s\n", ui.Line(err.Error()))
		return
	}
	fmt.Fprintf(a.Stderr, "archbuild: %s remembers that; the stage stays emulated until the Dockerfile changes, or archbuild lock PATH --update\n", ui.Line(file))
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
