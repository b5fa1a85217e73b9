package archbuild

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/template"
)

// judge is what there is to find in a Dockerfile: what BuildKit refuses, and what the
// rules say.
func (r run) judge(s service, f lint.Facts) []lint.Finding {
	return append(r.refusedUses(s, f), lint.Dockerfile(f)...)
}

// refusedUses are the references of a Dockerfile that name no image: a build for one of
// the platforms ends there. Those that wait for a --build-arg, or for what a placeholder stands for, do not count, and neither
// does a file for another frontend, which may read them in another way.
func (r run) refusedUses(s service, f lint.Facts) []lint.Finding {
	if foreignSyntax(f.Template.Syntax) {
		return nil
	}
	var list []lint.Finding
	at := place{platform: f.Build, name: engineName}
	for _, placed := range r.requests(s, at.everywhere()) {
		if placed.Template != f.Template {
			continue
		}
		for _, target := range placed.Targets {
			uses, err := f.Template.Uses(placed.Env(target))
			if err != nil || slices.ContainsFunc(uses, func(u template.Use) bool { return u.Needed && u.Skip }) {
				continue
			}
			for _, use := range uses {
				if len(use.Missing) == 0 && !strings.Contains(use.Image, "%%") && f.Template.Refused(use) {
					list = append(list, invalid(f.Template, use))
				}
			}
		}
	}
	return lint.Sort(list)
}

// invalid is the finding about a use, in the words that a plan has for it.
func invalid(t *template.Template, use template.Use) lint.Finding {
	return lint.Finding{
		ID: lint.Invalid, Severity: lint.Error, File: t.File, Line: use.Problem.Line,
		Message: use.Problem.Message, Fix: use.Problem.Advice,
	}
}

// lintSyntax tells of a Dockerfile that another program would read.
func (r run) lintSyntax(_ context.Context, _ service, _ detect.HostFacts, f *lint.Facts) ([]string, error) {
	syntax := f.Template.Syntax
	asks := func(t plan.Target) bool { return !r.trustsSyntax(plan.Job{Platform: t.Platform, Frontend: syntax}) }
	if syntax == "" || !slices.ContainsFunc(f.Targets, asks) {
		return nil, nil
	}
	return []string{fmt.Sprintf("%s: # syntax=%s is another frontend than Docker's; the file is read as a Dockerfile all the same. A build needs --allow-syntax %[2]s", f.Template.File, syntax)}, nil
}
