package archbuild

import (
	"fmt"
	"slices"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/template"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// addNotes warn of addresses of ADD whose query provenance would tell. BuildKit takes passwords out of
// what it tells, and leaves queries in, with the values of build arguments.
func (r run) addNotes(s service, p plan.Plan) []string {
	if r.provenance == "" {
		return nil
	}
	var notes []string
	for _, job := range p.Jobs {
		for _, note := range toldAdds(s.of(job.Platform).template, job) {
			if !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
		}
	}
	return notes
}

// toldAdds are those of a job's stages.
func toldAdds(t *template.Template, job plan.Job) []string {
	var notes []string
	for _, stage := range job.Stages {
		values := newStageValues(t, job)
		for _, step := range t.Steps(stage.Index) {
			values.set(step.Command)
			add, ok := step.Command.(*instructions.AddCommand)
			if !ok {
				continue
			}
			// It is shown as it is written: values of arguments are nobody's business.
			for _, source := range add.SourcePaths {
				if (builder.Remote{Address: values.expand(source)}).HasToken() {
					notes = append(notes, fmt.Sprintf("%s:%d: provenance tells the query of %s to all who get the image: if it holds a token, leave --provenance out, or fetch the file in a RUN with a secret", t.File, step.Line, builder.Remote{Address: source}.Shown()))
				}
			}
		}
	}
	return notes
}
