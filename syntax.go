package archbuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/resolve"
	"github.com/distribution/reference"
	dockerfile "github.com/moby/buildkit/frontend/dockerfile/version"
)

// syntaxOf is the frontend that a job asks for: BUILDKIT_SYNTAX, else the
// template's # syntax= line.
func syntaxOf(p plan.Plan, job plan.Job) string {
	if image, _, _ := strings.Cut(strings.TrimSpace(job.Args["BUILDKIT_SYNTAX"]), " "); image != "" {
		return image
	}
	return p.Syntax
}

// chooseFrontends decides who reads the file of each job, and says so. On a
// node that is not of this program's BuildKit the line counts as it stands.
func chooseFrontends(p plan.Plan, current bool) []string {
	var notes []string
	for i, job := range p.Jobs {
		syntax := syntaxOf(p, job)
		if syntax == "" {
			continue
		}
		note := fmt.Sprintf("# syntax=%s is served by the frontend inside BuildKit, nothing is pulled for it", syntax)
		if !current || !builtinSyntax(syntax) {
			p.Jobs[i].Frontend = syntax
			note = fmt.Sprintf("# syntax=%s is another frontend: the node fetches and trusts it", syntax)
		}
		if !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	return notes
}

// builtinSyntax says whether the engine's own frontend reads a file with this
// `# syntax=`: none, or docker/dockerfile in a version that it has itself.
func builtinSyntax(syntax string) bool {
	if syntax == "" {
		return true
	}
	named, err := reference.ParseNormalizedNamed(syntax)
	if err != nil || named.Name() != "docker.io/docker/dockerfile" {
		return false
	}
	tagged, ok := named.(reference.Tagged)
	if !ok {
		_, pinned := named.(reference.Digested)
		return !pinned
	}
	major, rest, _ := strings.Cut(tagged.Tag(), ".")
	if major == "latest" || major == "1" && rest == "" {
		return true
	}
	text, _, _ := strings.Cut(rest, ".")
	minor, err := strconv.Atoi(text) // "-labs" and the like are no number
	return err == nil && major == "1" && !strings.Contains(rest, "-") && minor <= ownSyntax()
}

// ownSyntax is the minor version of the docker/dockerfile 1.x inside this BuildKit.
func ownSyntax() int {
	_, rest, _ := strings.Cut(dockerfile.Version(), ".")
	text, _, _ := strings.Cut(rest, ".")
	minor, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return minor
}

// foreignFrontends looks whether another frontend is there, and leaves the file
// that it reads alone: what archbuild reads there may mean something else to it.
// A base that needs mapping is then an error, unless the user says that the file
// is a Dockerfile all the same.
func (r run) foreignFrontends(ctx context.Context, s service, p plan.Plan, from resolve.Registry) error {
	var failed []error
	for _, job := range p.Jobs {
		if job.Frontend == "" {
			continue
		}
		if !r.trustsSyntax(job) {
			failed = append(failed, &SyntaxError{File: s.of(job.Platform).template.File, Frontend: job.Frontend, Untrusted: r.Untrusted})
			continue
		}
		question := resolve.Question{Image: job.Frontend, Platform: job.BuildPlatform}
		_, _, err := resolve.All(ctx, from, resolve.Rules{Mode: resolve.Keep, Offline: r.Offline}, []resolve.Question{question})
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: # syntax=%s: %w", s.of(job.Platform).template.File, job.Frontend, err))
			continue
		}
		if r.ForceRewrite {
			continue
		}
		for _, bases := range [][]plan.Base{job.Bases, job.Onbuild} {
			for j, base := range bases {
				if base.Mapped() {
					failed = append(failed, &FrontendError{File: s.of(job.Platform).template.File, Line: base.Line, Frontend: job.Frontend, Base: base})
				}
				bases[j].Digest = "" // goes to the node as it is written
			}
		}
	}
	return joinedOnce(failed)
}

// trustsSyntax says whether the program that reads the file of a job may do so: Docker's own, one that
// --allow-syntax names, or one that the command line itself asks for. An argument of a project's file is no leave.
func (r run) trustsSyntax(job plan.Job) bool {
	named, err := reference.ParseNormalizedNamed(job.Frontend)
	if err == nil && named.Name() == "docker.io/docker/dockerfile" {
		return true
	}
	said := r.args
	if r.of != nil {
		flags := r.Options
		flags.BuildArgs = r.saidArgs
		said, _ = flags.parseBuildArgs() // which was told already, if it is wrong
	}
	given, _, _ := strings.Cut(strings.TrimSpace(said.of(job.Platform)["BUILDKIT_SYNTAX"]), " ")
	return given == job.Frontend || slices.Contains(r.AllowSyntax, job.Frontend)
}

// SyntaxError says that a file asks for a frontend that nobody has allowed: a program that reads the
// Dockerfile, decides what is built, and can ask for whatever the build may have.
type SyntaxError struct {
	File, Frontend string
	// Untrusted says that the build is one of --untrusted, which no leave goes with.
	Untrusted bool
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s: # syntax=%s has another program than Docker's read the file, and decide what is built", e.File, e.Frontend)
}

// Hint names the flag that gives consent.
func (e *SyntaxError) Hint() string {
	if e.Untrusted {
		return "if you trust it, and all that the file runs, give --allow-syntax " + e.Frontend + " in place of --untrusted"
	}
	return "if you trust it, give --allow-syntax " + e.Frontend
}

// joinedOnce is errors.Join with equal messages said once.
func joinedOnce(list []error) error {
	var kept []error
	for _, err := range list {
		if err != nil && !slices.ContainsFunc(kept, func(k error) bool { return k.Error() == err.Error() }) {
			kept = append(kept, err)
		}
	}
	return errors.Join(kept...)
}

// FrontendError says that a base needs mapping in a file that another frontend reads.
type FrontendError struct {
	File     string
	Line     int
	Frontend string
	Base     plan.Base
}

func (e *FrontendError) Error() string {
	return fmt.Sprintf("%s:%d: %s would have to become %s, but # syntax=%s is another frontend, which may read the file in another way", e.File, e.Line, e.Base.From, e.Base.To, e.Frontend)
}

// At is the place, for those who show errors beside the code.
func (e *FrontendError) At() (file string, line int) { return e.File, e.Line }

// Hint names the flag that gives consent.
func (e *FrontendError) Hint() string {
	return "if it reads Dockerfiles as BuildKit does, give --force-rewrite"
}
