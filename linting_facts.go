package archbuild

import (
	"context"
	"slices"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/lint"
)

// lintFacts are the facts of each Dockerfile of a service: of the template, then of the
// files of single platforms. Each of looks fills in what it knows, and notes what it
// could not look at.
func (r run) lintFacts(ctx context.Context, s service, host detect.HostFacts) ([]lint.Facts, []string, error) {
	var list []lint.Facts
	var notes []string
	for _, target := range s.targets {
		of := s.of(target.Platform).template
		i := slices.IndexFunc(list, func(f lint.Facts) bool { return f.Template == of })
		if i < 0 {
			i = len(list)
			list = append(list, lint.Facts{Template: of, Build: host.Platform})
		}
		list[i].Targets = append(list[i].Targets, target)
	}
	looks := []func(context.Context, service, detect.HostFacts, *lint.Facts) ([]string, error){
		r.lintSyntax, r.lintBases, r.lintConfigured, r.lintContents,
	}
	for i := range list {
		for _, look := range looks {
			more, err := look(ctx, s, host, &list[i])
			if err != nil {
				return nil, nil, err
			}
			notes = append(notes, more...)
		}
	}
	return list, notes, nil
}
