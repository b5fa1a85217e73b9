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
)

// Explanation is why one reference became what it became on one platform.
type Explanation struct {
	Image    string            `json:"image"`
	Platform platform.Platform `json:"platform"`
	Use      string            `json:"use,omitempty"`
	Rule     string            `json:"rule,omitempty"`
	Tried    []resolve.Step    `json:"tried"`
	Error    string            `json:"error,omitempty"`
}

// Explain tells of every use of a reference in the templates what was tried for
// it, in order. The reference may be the one written or the one it became.
func Explain(ctx context.Context, opts Options, ref string) ([]Explanation, error) {
	opts.DryRun = true
	r, host, services, err := opts.begin(ctx)
	if err != nil {
		return nil, err
	}
	at, err := opts.locate(ctx, host)
	if err != nil {
		return nil, err
	}
	defer at.close()
	var list []Explanation
	for _, s := range services {
		from, err := r.sources(s)
		if err != nil {
			return nil, err
		}
		for _, request := range r.requests(s, at) {
			questions, err := plan.Questions(request)
			if err != nil {
				return nil, err
			}
			answers, _, err := resolve.All(ctx, from, r.rulesOf(s), questions)
			list = append(list, explanations(ref, questions, answers, err)...)
		}
	}
	if len(list) == 0 {
		return nil, &UsageError{fmt.Errorf("--explain %s: no such image in the plan", ref), "`archbuild plan` lists the images"}
	}
	return list, nil
}

func explanations(ref string, questions []resolve.Question, answers map[resolve.Question]resolve.Answer, failed error) []Explanation {
	want, err := plan.ContextName(ref)
	if err != nil {
		want = ref
	}
	same := func(image string) bool {
		name, err := plan.ContextName(image)
		return image == ref || err == nil && name == want
	}
	var list []Explanation
	for _, q := range questions {
		answer, ok := answers[q]
		if ok && (same(q.Image) || same(answer.Use)) {
			list = append(list, Explanation{Image: q.Image, Platform: q.Platform, Use: answer.Use, Rule: answer.Rule, Tried: answer.Trail})
		}
		if ok || !same(q.Image) {
			continue
		}
		for _, err := range leaves(failed) {
			var e *resolve.Error
			if errors.As(err, &e) && e.Image == q.Image && slices.Contains(e.Platforms, q.Platform) {
				list = append(list, Explanation{Image: q.Image, Platform: q.Platform, Tried: e.Trail, Error: e.Err.Error()})
			}
		}
	}
	return list
}

// WriteExplanations prints them, a paragraph each.
func WriteExplanations(w io.Writer, list []Explanation) error {
	for _, e := range list {
		fmt.Fprintf(w, "%s on %s\n", ui.Line(e.Image), e.Platform)
		for i, step := range e.Tried {
			fmt.Fprintf(w, "  %d. %s\n", i+1, ui.Line(step.String()))
		}
		if e.Error != "" {
			fmt.Fprintf(w, "  so: %s\n", ui.Line(e.Error))
			continue
		}
		fmt.Fprintf(w, "  so: %s (%s)\n", ui.Line(e.Use), ui.Line(e.Rule))
	}
	return nil
}
