package archbuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/template"
	"github.com/archbuild/archbuild/wrong"
)

// Explanation is why one reference became what it became on one platform.
type Explanation struct {
	Image    string            `json:"image"`
	Platform platform.Platform `json:"platform"`
	Use      string            `json:"use,omitempty"`
	Rule     string            `json:"rule,omitempty"`
	Tried    []resolve.Step    `json:"tried"`
	Error    string            `json:"error,omitempty"`
	hint     string
}

// Explain tells of every use of a reference in the templates what was tried for
// it, in order. The reference may be the one written or the one it became. What
// could not be resolved is explained as well, and is an *UnresolvedError.
func Explain(ctx context.Context, opts Options, ref string) ([]Explanation, error) {
	opts.DryRun = true
	r, host, services, err := opts.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer closeAll(services)
	at, err := opts.locate(ctx, host)
	if err != nil {
		return nil, err
	}
	defer at.close()
	var list []Explanation
	for _, s := range services {
		r := r.with(s)
		from, err := r.sources(s)
		if err != nil {
			return nil, err
		}
		for _, a := range r.requests(s, at.everywhere()) {
			request, err := r.crossed(ctx, s, at, a.Request, from)
			if err != nil {
				return nil, err
			}
			answers, _, failed := r.resolve(ctx, s, request, from)
			if err := unrelated(failed); err != nil {
				return nil, err
			}
			origins, err := plan.Origins(request, answers)
			if err != nil {
				return nil, err
			}
			list = append(list, explanations(ref, origins, answers, failed)...)
		}
	}
	if len(list) == 0 {
		return nil, r.noSuchImage(services, at, ref)
	}
	var failed []error
	for _, e := range list {
		if e.Error != "" {
			failed = append(failed, &UnresolvedError{e})
		}
	}
	return list, errors.Join(failed...)
}

// noSuchImage says why there is nothing to explain.
func (r run) noSuchImage(services []service, at place, ref string) error {
	for _, s := range services {
		for _, request := range r.requests(s, at.everywhere()) {
			for _, target := range request.Targets {
				uses, err := request.Template.Uses(template.Env{Target: target.Platform, Build: request.Build, Args: target.Args, TargetStage: target.Stage})
				i := slices.IndexFunc(uses, func(u template.Use) bool { return !u.Needed && (u.Image == ref || u.Written == ref) })
				if err != nil || i < 0 {
					continue
				}
				of := request.Template.References[uses[i].Reference]
				err = fmt.Errorf("--explain %s: it stands at %s:%d, in a stage that the build does not need", ref, request.Template.File, of.Line)
				return &wrong.Usage{err, "name a stage that needs it with --target"}
			}
		}
	}
	return &wrong.Usage{fmt.Errorf("--explain %s: no such image in the plan", ref), "`archbuild plan` lists the images"}
}

// UnresolvedError is an explanation that ends without an image.
type UnresolvedError struct{ Explanation }

func (e *UnresolvedError) Error() string {
	return fmt.Sprintf("%s on %s: no image was found", e.Image, e.Platform)
}

// Hint is the cause's own.
func (e *UnresolvedError) Hint() string { return e.hint }

// unrelated is what went wrong that is about no image.
func unrelated(failed error) error {
	var list []error
	for _, err := range leaves(failed) {
		if !errors.As(err, new(*resolve.Error)) {
			list = append(list, err)
		}
	}
	return errors.Join(list...)
}

// explanations are those of the questions that a reference asks, or is the
// answer of, each once.
func explanations(ref string, origins []plan.Origin, answers plan.Answers, failed error) []Explanation {
	want, err := plan.ContextName(ref)
	if err != nil {
		want = ref
	}
	same := func(image string) bool {
		name, err := plan.ContextName(image)
		return image == ref || err == nil && name == want
	}
	var list []Explanation
	for _, o := range origins {
		answer, ok := answers[o.Question]
		if o.Text != ref && !same(o.Written) && !same(o.Image) && !(ok && same(answer.Use)) {
			continue
		}
		e := Explanation{Image: o.Image, Platform: o.Platform, Use: answer.Use, Rule: answer.Rule}
		e.Tried = append(before(o), answer.Trail...)
		if !ok && !e.blame(failed) {
			continue
		}
		if !slices.ContainsFunc(list, e.equal) {
			list = append(list, e)
		}
	}
	return list
}

// before are the steps from what is written to what is asked for.
func before(o plan.Origin) []resolve.Step {
	var steps []resolve.Step
	if o.Base != "" {
		steps = append(steps, resolve.Step{Image: o.Written, Rule: "as written", Outcome: fmt.Sprintf("%s of %s, at %s:%d", o.Where, o.Base, o.File, o.Line)})
	}
	if o.Text != "" {
		steps = append(steps, resolve.Step{Image: o.Text, Rule: o.String(), Outcome: "is " + o.Written + " with its arguments"})
	}
	if o.Overruled != "" {
		steps = append(steps, resolve.Step{Image: o.Written, Rule: o.Overruled, Outcome: "passed over: the command line names the image"})
	}
	if o.Rule != "" && o.Written != o.Image {
		steps = append(steps, resolve.Step{Image: o.Written, Rule: o.Rule, Outcome: "becomes " + o.Image})
	}
	return steps
}

// blame finds the error about an image, and what was tried for it.
func (e *Explanation) blame(failed error) bool {
	for _, err := range leaves(failed) {
		var about *resolve.Error
		if errors.As(err, &about) && about.Image == e.Image && slices.Contains(about.Platforms, e.Platform) {
			e.Tried, e.Error, e.hint = append(e.Tried, about.Trail...), about.Err.Error(), wrong.Hint(err)
			return true
		}
	}
	return false
}

func (e Explanation) equal(o Explanation) bool {
	return e.Image == o.Image && e.Platform == o.Platform && slices.Equal(e.Tried, o.Tried)
}

// WriteExplanations prints them, a paragraph each.
func WriteExplanations(w io.Writer, list []Explanation) error {
	for _, e := range list {
		fmt.Fprintf(w, "%s on %s\n", ui.Line(e.Image), e.Platform)
		for i, step := range e.Tried {
			fmt.Fprintf(w, "  %d. %s\n", i+1, ui.Line(step.String()))
		}
		switch {
		case e.Error != "" && len(e.Tried) > 0: // the steps have said it
			fmt.Fprintf(w, "  so: nothing that serves %s\n", e.Platform)
			continue
		case e.Error != "":
			fmt.Fprintf(w, "  so: %s\n", ui.Line(e.Error))
			continue
		}
		fmt.Fprintf(w, "  so: %s (%s)\n", ui.Line(e.Use), ui.Line(e.Rule))
	}
	return nil
}
