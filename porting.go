package archbuild

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/port"
	"github.com/archbuild/archbuild/verify"
	"github.com/archbuild/archbuild/wrong"
)

// PortOptions is what a user can say of porting. Options has one path: the folder of a
// Dockerfile, or the file.
type PortOptions struct {
	Options
	// Write applies the edits.
	Write bool
	// Compare builds this machine's platform from the file as it is and as it is
	// ported, and holds the images against each other.
	Compare bool
}

// PortedFinding is a finding, and whether it was edited.
type PortedFinding struct {
	lint.Finding
	Edited bool `json:"edited"`
}

// Ported is what became of a Dockerfile.
type Ported struct {
	// File and Config are the Dockerfile and its archbuild.yaml, as paths.
	File   string `json:"file"`
	Config string `json:"config"`
	// Findings about the file as it was.
	Findings []PortedFinding `json:"findings"`
	// Gaps are values to fill in; their lines are those of the ported files.
	Gaps []port.Gap `json:"gaps"`
	// Left are the findings that the ported file still has, those for information left out.
	Left []lint.Finding `json:"left"`
	// Diff is what changes, as `git apply` reads it.
	Diff string `json:"diff"`
	// Written are the files that were written.
	Written []string `json:"written"`
	// Compared is how the images differ, the first being that of the file as it was.
	Compared *verify.Comparison `json:"compared,omitempty"`
	// Notes tell what could not be looked at.
	Notes []string `json:"-"`
}

// Port turns the findings of lint about a Dockerfile into edits. Without Write
// nothing is written. That something is left to do is no error: see Ported.Fail.
func Port(ctx context.Context, opts PortOptions) (Ported, error) {
	p := porting{}
	out, err := p.prepare(ctx, opts)
	if err != nil {
		return out, err
	}
	defer p.service.context.close()
	if opts.Compare {
		if out.Compared, err = p.compare(ctx); err != nil {
			return out, err
		}
		if out.Compared.Failed() {
			return out, &PortDifferenceError{*out.Compared}
		}
	}
	if opts.Write && ctx.Err() == nil {
		out.Written, err = p.write()
		return out, err
	}
	return out, ctx.Err()
}

// porting is the work on one PATH.
type porting struct {
	run
	service
	host   detect.HostFacts
	config string // path of archbuild.yaml
	before []byte // its bytes, nil when it is not there
	result port.Result
	ported service
	// looked are the edited files that lint saw last, left what it found in them.
	looked port.Result
	left   []lint.Finding
}

// prepare reads, looks, edits and looks again.
func (p *porting) prepare(ctx context.Context, opts PortOptions) (Ported, error) {
	var out Ported
	var err error
	if len(opts.Paths) != 1 {
		return out, &wrong.Usage{fmt.Errorf("one Dockerfile is ported at a time, and %d paths are given", len(opts.Paths)), "archbuild port PATH, where PATH is a Dockerfile or the folder of one"}
	}
	if err := opts.refuseProject("port"); err != nil {
		return out, err
	}
	if p.run, err = opts.check(); err != nil {
		return out, err
	}
	if p.host, err = opts.host(ctx); err != nil {
		return out, err
	}
	if p.service, err = p.readToPort(ctx, opts.Paths[0], p.host); err != nil {
		return out, err
	}
	if opts.Write && !p.hasFolder() {
		p.service.context.close()
		return out, &wrong.Usage{fmt.Errorf("%s is in no folder that could be written to", p.template.File), "leave --write out, and apply the diff where the file is"}
	}
	out, err = p.port(ctx)
	if err != nil {
		p.service.context.close()
		return Ported{}, err
	}
	return out, nil
}

// port makes the edits.
func (p *porting) port(ctx context.Context) (Ported, error) {
	p.config = filepath.Join(filepath.Dir(p.file), port.ConfigName)
	out := Ported{File: p.file, Config: p.config, Findings: []PortedFinding{}, Gaps: []port.Gap{}, Left: []lint.Finding{}, Written: []string{}}
	var err error
	if p.before, err = p.beside.optional(p.config); err != nil {
		return out, err
	}
	found, notes, err := p.findings(ctx, p.service)
	if err != nil {
		return out, err
	}
	out.Notes = notes
	asked, end := p.inquiry(ctx)
	defer end()
	p.result, err = port.Dockerfile(port.Request{
		Template: p.template, Findings: found, Platforms: p.wanted(), Written: p.writtenFor(), Config: p.before,
		Images: asked.images(), Index: asked.index(), Has: p.has, Again: p.lookAgain(ctx),
	})
	if ctx.Err() != nil { // what was not answered is no answer
		return out, context.Cause(ctx)
	}
	if err != nil {
		return out, err
	}
	for _, g := range p.result.Gaps {
		if g.File == port.ConfigName {
			g.File = p.config
		}
		out.Gaps = append(out.Gaps, g)
	}
	left, err := p.finish(ctx)
	if err != nil {
		return out, err
	}
	out.Findings = whichEdited(found, left, p.result)
	for _, f := range left {
		if f.Severity != lint.Info {
			out.Left = append(out.Left, f)
		}
	}
	out.Diff = p.diff()
	return out, nil
}

// wanted are the platforms that are built from the template, and not from files of their own.
func (p *porting) wanted() []platform.Platform {
	var list []platform.Platform
	for _, t := range p.targets {
		if p.of(t.Platform).template == p.template {
			list = append(list, t.Platform)
		}
	}
	return list
}

// writtenFor is the platform that the file was written for: archbuild.yaml's default,
// else amd64.
func (p *porting) writtenFor() platform.Platform {
	if p.service.config.Default != (platform.Platform{}) {
		return p.service.config.Default
	}
	return PortingPlatforms[0]
}

// findings of lint about the template of a service.
func (p *porting) findings(ctx context.Context, s service) ([]lint.Finding, []string, error) {
	facts, notes, err := p.lintFacts(ctx, s, p.host)
	if err != nil {
		return nil, nil, err
	}
	var list []lint.Finding
	for _, f := range facts {
		if f.Template == s.template {
			list = append(list, p.judge(s, f)...)
		}
	}
	return list, notes, nil
}

// has tells whether the context has a file or folder.
func (p *porting) has(path string) bool {
	at := p.service.context.files()
	if at.tree == nil {
		path = filepath.Join(p.Paths[0], path)
		if info, err := os.Stat(p.Paths[0]); err == nil && !info.IsDir() {
			path = filepath.Join(filepath.Dir(p.Paths[0]), strings.TrimPrefix(path, p.Paths[0]))
		}
	}
	_, err := at.stat(path)
	return err == nil
}

// PortDifferenceError says that a ported file makes another image than before.
type PortDifferenceError struct{ Compared verify.Comparison }

func (e *PortDifferenceError) Error() string {
	n := 0
	for _, d := range e.Compared.Differences {
		if d.Severity == verify.SeverityError {
			n++
		}
	}
	return fmt.Sprintf("%d difference%s between the image of the Dockerfile as it is and the ported one", n, ui.Plural(n))
}

// Hint says what to do with them.
func (e *PortDifferenceError) Hint() string {
	return "if they do not matter, port again without --compare; else leave the edits out that make them"
}

// ExitStatus is 3, as whenever an image is not what it is said to be.
func (e *PortDifferenceError) ExitStatus() int { return 3 }

// PortLeftError says that somebody has to do the rest.
type PortLeftError struct{ Errors, Gaps int }

func (e *PortLeftError) Error() string {
	var parts []string
	if e.Errors > 0 {
		parts = append(parts, fmt.Sprintf("%d finding%s of severity error that port does not edit", e.Errors, ui.Plural(e.Errors)))
	}
	if e.Gaps > 0 {
		parts = append(parts, fmt.Sprintf("%d gap%s to fill in", e.Gaps, ui.Plural(e.Gaps)))
	}
	return strings.Join(parts, ", ")
}

// Hint names the next step.
func (e *PortLeftError) Hint() string {
	if e.Gaps > 0 {
		return "look for MISSING in the ported files and write what it says; what else is left says how to mend it"
	}
	return "write what each finding says, then see `archbuild lint PATH`"
}

// Fail is a *PortLeftError when the ported file does not serve all platforms yet.
func (p Ported) Fail() error {
	e := &PortLeftError{Gaps: len(p.Gaps)}
	for _, f := range p.Left {
		if f.Severity == lint.Error {
			e.Errors++
		}
	}
	if e.Errors+e.Gaps == 0 {
		return nil
	}
	return e
}
