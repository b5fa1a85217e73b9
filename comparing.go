package archbuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/verify"
	"github.com/archbuild/archbuild/wrong"
)

// Compared is one platform that was built in two ways: with stages on the build
// platform, and with every stage where its FROM has it.
type Compared struct {
	Name     string            `json:"name"`
	Platform platform.Platform `json:"platform"`
	// Stages that were moved.
	Stages []string `json:"stages"`
	// Cross and Emulated are the digests of the images, CrossSeconds and EmulatedSeconds
	// how long they took.
	Cross           string  `json:"cross"`
	Emulated        string  `json:"emulated"`
	CrossSeconds    float64 `json:"crossSeconds"`
	EmulatedSeconds float64 `json:"emulatedSeconds"`
	// A difference's first is the cross-built image, its second the emulated one.
	verify.Comparison
}

// Compare builds each PATH for each platform in both ways and holds the results
// against each other. Nothing is written but to the state folder. A difference that
// matters is a *DifferenceError; that no stage moves is a *NothingMovesError.
func Compare(ctx context.Context, opts Options) ([]Compared, error) {
	if opts.Cross == "" || opts.Cross == crossOff {
		return nil, &wrong.Usage{errors.New("compare has to know what to compare"), "archbuild compare --cross PATH"}
	}
	if err := opts.refuseProject("compare"); err != nil {
		return nil, err
	}
	r, err := opts.check()
	if err != nil {
		return nil, err
	}
	r.resuming = nil // how long both take is to be told
	host, err := opts.host(ctx)
	if err != nil {
		return nil, err
	}
	services, err := r.read(ctx, host)
	if err != nil {
		return nil, err
	}
	defer closeAll(services)
	at, err := opts.locate(ctx, host)
	if err != nil {
		return nil, err
	}
	defer at.close()
	roster, plans, err := r.choose(ctx, services, places{list: []place{at}})
	if err != nil {
		return nil, err
	}
	if err := r.askMoves(services, plans); err != nil {
		return nil, err
	}
	crew := roster.crew()
	defer crew.close()
	release, err := r.store.Hold(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	var list []Compared
	var failed []error
	for i, s := range services {
		c := comparing{run: r.with(s), service: s, crew: crew, index: i}
		more, err := c.both(ctx, plans[i])
		list, failed = append(list, more...), append(failed, opts.explainDisk(err))
	}
	return list, errors.Join(failed...)
}

// comparing is the work on one service.
type comparing struct {
	run
	service
	*crew
	index int
}

// both builds those platforms of a plan of which stages move in both ways.
func (c comparing) both(ctx context.Context, p plan.Plan) ([]Compared, error) {
	moving := p
	moving.Jobs = slices.DeleteFunc(slices.Clone(p.Jobs), func(job plan.Job) bool { return !job.Moves() })
	if len(moving.Jobs) == 0 {
		return nil, &NothingMovesError{Name: c.service.name, Plan: p}
	}
	still := c.run
	still.Cross = crossOff
	s := c.service
	s.targets = slices.DeleteFunc(slices.Clone(s.targets), func(t plan.Target) bool {
		return !slices.ContainsFunc(moving.Jobs, func(job plan.Job) bool { return job.Platform == t.Platform })
	})
	emulated, err := still.plan(ctx, s, c.places.list[0])
	if err != nil {
		return nil, fmt.Errorf("without --cross: %w", err)
	}
	first, firstTimes, err := c.images(ctx, moving)
	if err != nil {
		return nil, err
	}
	second, secondTimes, err := c.images(ctx, emulated)
	if err != nil {
		return nil, err
	}
	var list []Compared
	var failed []error
	for i, job := range moving.Jobs {
		one := Compared{
			Name: c.service.name, Platform: job.Platform, Stages: builtCross(job).Stages,
			Cross: first[i].Descriptor.Digest.String(), Emulated: second[i].Descriptor.Digest.String(),
			CrossSeconds: firstTimes[i], EmulatedSeconds: secondTimes[i],
		}
		a, err := c.image(first[i])
		if err != nil {
			return list, err
		}
		b, err := c.image(second[i])
		if err != nil {
			return list, err
		}
		if one.Comparison, err = verify.Compare(ctx, a, b); err != nil {
			return list, err
		}
		list = append(list, one)
		if one.Failed() {
			failed = append(failed, &DifferenceError{one})
		}
	}
	return list, errors.Join(failed...)
}

// images builds a plan and gives the image of each job, and how long it took.
func (c comparing) images(ctx context.Context, p plan.Plan) ([]manifest.Result, []float64, error) {
	b := &batch{run: c.run, service: c.service, index: c.index, plan: p}
	if err := c.build(ctx, []*batch{b}); err != nil {
		return nil, nil, err
	}
	built := b.built
	if err := builder.Errors(built); err != nil {
		return nil, nil, err
	}
	var results []manifest.Result
	var times []float64
	for i, job := range p.Jobs {
		result, err := manifest.FromExport(manifest.Store{Dir: c.store.Dir}, job.Platform, built[i].Descriptor)
		if err != nil {
			return nil, nil, err
		}
		results, times = append(results, result), append(times, built[i].Elapsed.Round(time.Millisecond).Seconds())
	}
	return results, times, nil
}

// NothingMovesError says that there are no two ways to build something.
type NothingMovesError struct {
	Name string
	Plan plan.Plan
}

func (e *NothingMovesError) Error() string {
	var why []string
	for _, job := range e.Plan.Jobs {
		for _, stage := range job.Stages {
			if stage.Cross != nil {
				why = append(why, fmt.Sprintf("stage %s stays for %s: %s", stage.Label(), job.Platform, stage.Cross))
			}
		}
	}
	if len(why) == 0 {
		why = []string{"everything runs natively"}
	}
	return fmt.Sprintf("%s: no stage moves to %s, so there is nothing to compare: %s", e.Name, e.Plan.BuildPlatform, strings.Join(why, "; "))
}

// Hint names the verb that says more.
func (e *NothingMovesError) Hint() string {
	return "archbuild plan PATH --platform … says of each stage why"
}

// DifferenceError says that two images of one platform are not the same.
type DifferenceError struct{ Compared Compared }

func (e *DifferenceError) Error() string {
	n := 0
	for _, d := range e.Compared.Differences {
		if d.Severity == verify.SeverityError {
			n++
		}
	}
	return fmt.Sprintf("%s for %s: %d difference%s between the cross-built and the emulated image", e.Compared.Name, e.Compared.Platform, n, ui.Plural(n))
}

// Hint names the way to leave a stage where it is.
func (e *DifferenceError) Hint() string {
	return fmt.Sprintf("if they matter, leave the stage on the target platform: cross: {%s: off} in archbuild.yaml", e.Compared.Stages[0])
}

// ExitStatus is 3, as whenever an image is not what it is said to be.
func (e *DifferenceError) ExitStatus() int { return 3 }

// shownDifferences is how many differences of a platform are spelled out; --json has all.
const shownDifferences = 50

// WriteCompared prints what Compare found, a paragraph a platform.
func WriteCompared(w io.Writer, list []Compared) error {
	for _, c := range list {
		took := func(seconds float64) string { return ui.Duration(time.Duration(seconds * float64(time.Second))) }
		_, err := fmt.Fprintf(w, "%s for %s: stage %s in %s, emulated in %s; %d file%s, %d program%s compared\n", ui.Line(c.Name), c.Platform,
			ui.Line(strings.Join(c.Stages, ", ")), took(c.CrossSeconds), took(c.EmulatedSeconds), c.Files, ui.Plural(c.Files), c.Programs, ui.Plural(c.Programs))
		if err != nil {
			return err
		}
		if len(c.Differences) == 0 {
			fmt.Fprintln(w, "  no difference")
		}
		for i, d := range c.Differences {
			if i == shownDifferences {
				fmt.Fprintf(w, "  and %d more\n", len(c.Differences)-i)
				break
			}
			fmt.Fprintf(w, "  %s: %s\n", d.Severity, ui.Line(d.String()))
		}
	}
	return nil
}
