package archbuild

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/archbuild/archbuild/internal/config"
	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/port"
	"github.com/archbuild/archbuild/template"
)

// lookAgain lints the files as they are edited, and keeps what it found.
func (p *porting) lookAgain(ctx context.Context) func(source, config []byte) (*template.Template, []lint.Finding, error) {
	return func(source, config []byte) (*template.Template, []lint.Finding, error) {
		var err error
		if p.ported, err = p.again(port.Result{Source: source, Config: config}); err != nil {
			return nil, nil, err
		}
		p.left, _, err = p.findings(ctx, p.ported)
		p.looked = port.Result{Source: source, Config: config}
		return p.ported.template, p.left, err
	}
}

// finish looks at what became of the files, and gives what lint finds there.
func (p *porting) finish(ctx context.Context) ([]lint.Finding, error) {
	var err error
	if p.ported, err = p.again(p.result); err != nil {
		return nil, err
	}
	if was := p.looked; was.Source != nil && bytes.Equal(was.Source, p.result.Source) && bytes.Equal(was.Config, p.result.Config) {
		return p.left, nil
	}
	found, _, err := p.findings(ctx, p.ported)
	return found, err
}

// again is the service as the edited files make it.
func (p *porting) again(result port.Result) (service, error) {
	s := p.service
	var err error
	if s.template, err = template.ParseLimited(p.template.File, result.Source, p.limits()); err != nil {
		return s, err
	}
	if result.Config != nil {
		if s.config, err = config.Load(p.config, result.Config); err != nil {
			return s, fmt.Errorf("%s cannot be extended: %w", p.config, err)
		}
	}
	for _, a := range result.Args {
		if got, ok := s.config.ArgsFor(a.Platform)[a.Name]; !ok {
			return s, fmt.Errorf("%s cannot be extended: %s for %s is %q", p.config, a.Name, a.Platform, got)
		}
	}
	var platforms []platform.Platform
	for _, t := range s.targets {
		platforms = append(platforms, t.Platform)
	}
	s.targets = nil
	return s, p.target(&s, platforms)
}

// whichEdited tells which findings about the file as it was are done: by their line, or, where a
// later round did them, because nothing of them is left.
func whichEdited(found, left []lint.Finding, result port.Result) []PortedFinding {
	list := []PortedFinding{}
	for _, f := range found {
		says := func(other lint.Finding) bool { return other.ID == f.ID && other.Message == f.Message }
		done := slices.ContainsFunc(result.Done, func(d lint.Finding) bool { return d.ID == f.ID && d.Line == f.Line })
		later := slices.ContainsFunc(result.Later, says) && !slices.ContainsFunc(left, says)
		list = append(list, PortedFinding{f, done || later})
	}
	return list
}
