package archbuild

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/detect"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/lint"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/template"
	"github.com/archbuild/archbuild/wrong"
)

// Linted is what keeps Dockerfiles from serving their platforms.
type Linted struct {
	// Findings by file and line; none is an empty list, never nil.
	Findings []lint.Finding
	// Files that were looked at, Dockerfiles of single platforms included.
	Files int
	// Platforms that they are to serve.
	Platforms []platform.Platform
	// Notes tell what could not be looked at, and of comments that suppress nothing.
	Notes []string
	// seen are the Dockerfiles that were looked at, each with its context.
	seen []string
}

// first says whether a Dockerfile was not looked at yet, and counts it then. Folders are
// told apart by where they are, so that ./a and a are one.
func (l *Linted) first(s service, file string) bool {
	if s.beside.tree == nil && !fromStdin(file) {
		if full, err := filepath.Abs(file); err == nil {
			file = full
		}
	}
	if key := s.context.Source() + "\x00" + file; !slices.Contains(l.seen, key) {
		l.seen = append(l.seen, key)
		l.Files++
		return true
	}
	return false
}

// PortingPlatforms are those that a Dockerfile is held against when nobody says
// for which it is meant.
var PortingPlatforms = []platform.Platform{{OS: "linux", Arch: "amd64"}, {OS: "linux", Arch: "arm64"}}

// Lint looks at the Dockerfile of every PATH, which may be the file itself too, and at
// what it takes from its context. Nothing is built. What was found is worth
// printing even when there is an error: one PATH that cannot be read leaves the others.
func Lint(ctx context.Context, opts Options) (Linted, error) {
	out := Linted{Findings: []lint.Finding{}}
	if err := opts.refuseProject("lint"); err != nil {
		return out, err
	}
	run, err := opts.check()
	if err != nil {
		return out, err
	}
	host, err := opts.host(ctx)
	if err != nil {
		return out, err
	}
	if len(run.Paths) == 0 {
		return out, &wrong.Usage{errors.New("no folder to look at was given"), "archbuild lint PATH, where PATH is the folder of a Dockerfile, or the file"}
	}
	if err := run.checkStdin(); err != nil {
		return out, err
	}
	var failed []error
	for _, path := range run.Paths {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		failed = append(failed, run.lintPath(ctx, path, host, &out))
	}
	out.Findings = lint.Sort(out.Findings)
	return out, joinedOnce(failed)
}

// lintPath looks at one PATH. A Dockerfile that cannot be read is a finding as well.
func (r run) lintPath(ctx context.Context, path string, host detect.HostFacts, out *Linted) error {
	if err := checkNear(path); err != nil {
		return err
	}
	s, err := r.readToPort(ctx, path, host)
	if invalid, rest := unreadable(err); err != nil {
		for _, f := range invalid {
			if out.first(s, f.File) {
				out.Findings = append(out.Findings, f)
			}
		}
		return rest
	}
	defer s.context.close()
	facts, notes, err := r.lintFacts(ctx, s, host)
	if err != nil {
		return err
	}
	for _, note := range notes {
		if !slices.Contains(out.Notes, note) {
			out.Notes = append(out.Notes, note)
		}
	}
	for _, f := range facts {
		if !out.first(s, f.Template.File) {
			continue
		}
		out.Notes = append(out.Notes, lint.Mistyped(f.Template)...)
		out.Findings = append(out.Findings, r.judge(s, f)...)
		for _, t := range f.Targets {
			if !slices.Contains(out.Platforms, t.Platform) {
				out.Platforms = append(out.Platforms, t.Platform)
			}
		}
	}
	return nil
}

// checkNear refuses a PATH that an engine would have to fetch: lint starts none.
func checkNear(path string) error {
	if _, err := os.Stat(path); err == nil || path == stdinName || !builder.IsRemote(path) {
		return nil
	}
	return &wrong.Usage{fmt.Errorf("%s: lint looks at files of this machine, and fetches none", builder.Remote{Address: path}.Shown()), "clone it or download it first, and name the folder: git clone ADDRESS FOLDER && archbuild lint FOLDER"}
}

// readToPort reads a PATH, which may be a Dockerfile itself. Where nothing names the
// platforms, they are PortingPlatforms.
func (r run) readToPort(ctx context.Context, path string, host detect.HostFacts) (service, error) {
	info, err := os.Stat(path)
	switch what := (files{}).oddity(path); {
	case path == stdinName:
	case err == nil && info.Mode().IsRegular() && r.File == "" && !isArchive(path):
		r.File, path = path, filepath.Dir(path)
		r.Paths = []string{path}
	case what != "" && (err != nil || !info.IsDir()):
		return service{}, &NoDockerfileError{Path: path}
	}
	s, err := r.readService(ctx, path, host)
	err = afterVerb(err, "PATH is a Dockerfile, or the folder of one")
	if err != nil || s.platformsFrom != "this machine" {
		return s, err
	}
	s.targets, s.platformsFrom = nil, "what most are ported for"
	if err := r.target(&s, PortingPlatforms); err != nil {
		s.context.close()
		return s, err
	}
	return s, nil
}

// unreadable are the findings for what BuildKit cannot read either, and the errors that
// are something else.
func unreadable(err error) (invalid []lint.Finding, rest error) {
	var others []error
	for _, e := range leaves(err) {
		var syntax *template.SyntaxError
		var limit *template.LimitError
		var mismatch *template.MismatchError
		if !errors.As(e, &syntax) && !errors.As(e, &limit) && !errors.As(e, &mismatch) {
			others = append(others, e)
			continue
		}
		var at interface{ At() (string, int) }
		errors.As(e, &at)
		file, line := at.At()
		message := strings.TrimPrefix(e.Error(), fmt.Sprintf("%s:%d: ", file, line))
		message, _, _ = strings.Cut(strings.TrimPrefix(message, file+": "), "\n")
		invalid = append(invalid, lint.Finding{ID: lint.Invalid, Severity: lint.Error, File: file, Line: max(line, 1), Message: message, Fix: wrong.Hint(e)})
	}
	return invalid, errors.Join(others...)
}

// LintError says that there are findings bad enough to fail.
type LintError struct {
	Errors, Warnings, Infos int
	// invalid says that there is nothing but what BuildKit refuses, too.
	invalid bool
}

func (e *LintError) Error() string {
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{{e.Errors, "error"}, {e.Warnings, "warning"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s%s", p.n, p.word, ui.Plural(p.n)))
		}
	}
	if e.Infos > 0 {
		parts = append(parts, fmt.Sprintf("%d for information", e.Infos))
	}
	return strings.Join(parts, ", ")
}

// Hint is the one thing to do next.
func (e *LintError) Hint() string {
	if e.invalid {
		return "write what each finding says; no platform can be built before. `archbuild lint --explain " + lint.Invalid + "` tells more"
	}
	return "write what each finding says, or see what `archbuild port PATH` would change; `archbuild lint --explain ID` tells more"
}

// Fail is a *LintError when a finding is as bad as a severity or worse.
func (l Linted) Fail(at lint.Severity) error {
	e := &LintError{invalid: true}
	fail := false
	for _, f := range l.Findings {
		e.invalid = e.invalid && f.ID == lint.Invalid
		fail = fail || f.Severity.AtLeast(at)
		switch f.Severity {
		case lint.Error:
			e.Errors++
		case lint.Warning:
			e.Warnings++
		case lint.Info:
			e.Infos++
		}
	}
	if !fail {
		return nil
	}
	return e
}
