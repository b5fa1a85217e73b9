package archbuild

import (
	"context"
	"errors"
	"fmt"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/resolve"
	"github.com/archbuild/archbuild/template"
)

// crossing gives what is to be planned for each platform. With --cross it knows
// which stages move, by edits in words that the author can keep.
func (w rewriter) requestsByPlatform(ctx context.Context) (map[platform.Platform]plan.Request, error) {
	from, err := w.sources(w.service)
	if err != nil {
		return nil, err
	}
	var failed []resolve.CrossFailure
	if w.Cross != crossOff {
		if failed, err = crossFailures(w.service); err != nil {
			return nil, err
		}
	}
	deciding := w.run.crossing(w.service, w.place, from, failed)
	deciding.idiom = true
	all := map[platform.Platform]plan.Request{}
	for _, a := range w.requests(w.service, w.place.everywhere()) {
		request := a.Request
		if w.Cross != crossOff {
			request = deciding.of(ctx, request)
		}
		for _, target := range request.Targets {
			all[target.Platform] = request
		}
	}
	return all, nil
}

// stays tells of the stages that run programs and stay where they are. Where they
// may not, that is an error.
func (w rewriter) stays(done *Rewritten, uses []template.Use) error {
	var failed []error
	for _, d := range w.crossed {
		stage := w.template.Stages[d.Stage]
		if d.Move || w.template.FirstRun(d.Stage, uses) == 0 {
			continue
		}
		said := plan.Stage{
			Index: d.Stage, Name: stage.Name, Line: stage.Line, Cross: &plan.Crossing{Kind: string(d.Kind), Why: d.Why, Line: d.Line},
		}
		if mode, by := w.crossWord(w.service, w.template, d.Stage); mode == crossRequire {
			failed = append(failed, said.Stay(w.file, done.Platform, by))
			continue
		}
		warning := RewriteWarning{
			Line: stage.Line, Where: "FROM", Reference: w.template.References[stage.Base].Text, file: w.file, harmless: true,
			Message: fmt.Sprintf("stage %s stays on the target platform: %s", said.Label(), said.Cross),
		}
		done.warn(warning)
	}
	return errors.Join(failed...)
}
