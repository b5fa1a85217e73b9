package archbuild

import (
	"fmt"
	"slices"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/template"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// PrivilegeError says that a RUN asks for more than it may have.
type PrivilegeError struct {
	File string
	Line int
	// Source is the line, Name the privilege as --allow has it.
	Source, Name string
}

func (e *PrivilegeError) Error() string {
	return fmt.Sprintf("%s:%d: RUN asks for %s\n  %4d | %s", e.File, e.Line, e.Name, e.Line, e.Source)
}

// Hint names the flag.
func (e *PrivilegeError) Hint() string {
	return "--allow " + e.Name + " lets it, if you trust the Dockerfile and what it runs"
}

// ExitStatus is 2: the leave has to come from the command line.
func (e *PrivilegeError) ExitStatus() int { return 2 }

// checkPrivileges looks whether some needed stage asks for a privilege that the
// command line does not allow: BuildKit says only that it is not allowed.
func (r run) checkPrivileges(services []service, plans []plan.Plan) error {
	var failed []error
	for i, s := range services {
		r := r.with(s)
		for _, job := range plans[i].Jobs {
			if job.Frontend != "" {
				continue // its own words
			}
			t := s.of(job.Platform).template
			for _, stage := range job.Stages {
				failed = append(failed, r.checkStage(t, stage.Index)...)
			}
		}
	}
	return joinedOnce(failed)
}

func (r run) checkStage(t *template.Template, stage int) []error {
	var failed []error
	for _, step := range t.Steps(stage) {
		run, ok := step.Command.(*instructions.RunCommand)
		if !ok {
			continue
		}
		var asked []string
		if instructions.GetSecurity(run) == instructions.SecurityInsecure {
			asked = append(asked, securityInsecure)
		}
		if instructions.GetNetwork(run) == instructions.NetworkHost {
			asked = append(asked, networkHost)
		}
		for _, name := range asked {
			if !slices.Contains(r.allow, name) {
				failed = append(failed, &PrivilegeError{File: t.File, Line: step.Line, Source: t.LineText(step.Line), Name: name})
			}
		}
	}
	return failed
}
