package archbuild

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/wrong"
)

// RewriteOptions is what a user can say of writing Dockerfiles. Options has one
// path: a Dockerfile, the folder of one, or "-" for standard input. With its
// Offline, rules count without proof, and what only a registry can tell is left
// as it is.
type RewriteOptions struct {
	Options
	// Out is the folder to write to, or "-" for standard output, which takes one
	// platform. Empty is beside the template; of standard input standard output.
	Out string
	// Pin writes digests.
	Pin bool
	// CacheIDs gives ids to cache mounts, one for each platform.
	CacheIDs bool
	// Strict makes a failure of what is otherwise left as it is with a warning. It
	// says nothing of images that Target, if there is one, does not need, nor of
	// those that Offline leaves unproven, unless they are pinned by digest.
	Strict bool
	// Diff, JSON and Check write no file, at most one of them is set; only JSON
	// together with Out does. Check fails with a *StaleError for every file that is
	// not there or says something else.
	Diff, JSON, Check bool
}

// Rewriting is what came of a template.
type Rewriting struct {
	// Platforms in the order they were asked for.
	Platforms []Rewritten
	// Files that were written or found to say the same already.
	Files []RewrittenFile
	// Skipped are the platforms that the template itself leaves out.
	Skipped []Skipped
	// Warnings tell what was left as it is, in the order of the file.
	Warnings []RewriteWarning
}

// Rewritten is the template for one platform.
type Rewritten struct {
	// File is the template as the user named it; "-" is standard input.
	File     string            `json:"file"`
	Platform platform.Platform `json:"platform"`
	// Dockerfile is the name of the result: Dockerfile.arm64.
	Dockerfile string           `json:"dockerfile"`
	Edits      []rewrite.Edit   `json:"edits"`
	Warnings   []RewriteWarning `json:"warnings"`
	// Content is the whole file.
	Content []byte `json:"-"`
	// source is the template's own content.
	source []byte
	// skipped is the rule in the file that leaves this platform out.
	skipped string
}

// Rewrite makes Dockerfile.ARCH, and its ignore file when the template has one,
// for each platform. Nothing is written unless all of them can be made; each
// file is written whole, and one that says the same already is not touched.
func Rewrite(ctx context.Context, opts RewriteOptions) (Rewriting, error) {
	opts.Outputs, opts.Push = nil, false
	if opts.Cross == "" {
		opts.Cross = crossOff
	}
	if err := opts.checkModes(); err != nil {
		return Rewriting{}, err
	}
	if err := opts.refuseProject("rewrite"); err != nil {
		return Rewriting{}, err
	}
	r, err := opts.check()
	if err != nil {
		return Rewriting{}, err
	}
	host, err := opts.host(ctx)
	if err != nil {
		return Rewriting{}, err
	}
	s, err := r.rewriteSource(ctx, host)
	if err != nil {
		return Rewriting{}, err
	}
	defer s.context.close()
	if opts.Out == "" && !s.hasFolder() {
		opts.Out = "-"
	}
	if err := opts.checkTargets(s); err != nil {
		return Rewriting{}, err
	}
	if err := r.checkForeign([]service{s}); err != nil {
		return Rewriting{}, err
	}
	// What a file says depends on the node's platform alone, not on what it can run.
	at, err := opts.rewritePlace(host.Platform)
	if err != nil {
		return Rewriting{}, err
	}
	done, err := rewriter{run: r, service: s, place: at, build: at.platform, pin: opts.Pin, cacheIDs: opts.CacheIDs}.all(ctx)
	if err != nil {
		return Rewriting{}, err
	}
	result := Rewriting{Warnings: mergeWarnings(done)}
	if result.Platforms, result.Skipped, err = withoutSkipped(done); err != nil {
		return Rewriting{}, err
	}
	if err := refused(result.Warnings, opts.Strict); err != nil {
		return Rewriting{}, err
	}
	if result.Files, err = opts.deliver(r, s, result.Platforms); err != nil || opts.Deps == "" {
		return result, err
	}
	rules, err := r.rewriteRules(s, result.Files)
	return result, errors.Join(err, renew(result.Files), r.writeDeps(rules))
}

// deliver does with the files what was asked for.
func (o RewriteOptions) deliver(r run, s service, done []Rewritten) ([]RewrittenFile, error) {
	folder := o.Out
	if folder == "" {
		folder = filepath.Dir(s.file)
	}
	switch {
	case o.Check:
		return nil, checkFresh(rewrittenFiles(s, done), folder)
	case o.Diff, o.JSON && (o.Out == "" || o.Out == "-"):
		return nil, nil
	case o.Out == "-":
		return nil, ui.WriteExact(r.Stdout, done[0].Content)
	}
	return writeFiles(rewrittenFiles(s, done), folder)
}

// checkModes looks at flags that exclude each other.
func (o RewriteOptions) checkModes() error {
	var modes []string
	for _, flag := range []struct {
		name string
		set  bool
	}{{"--diff", o.Diff}, {"--json", o.JSON}, {"--check", o.Check}} {
		if flag.set {
			modes = append(modes, flag.name)
		}
	}
	switch {
	case len(o.Paths) != 1:
		return &wrong.Usage{fmt.Errorf("one Dockerfile is rewritten at a time, and %d paths are given", len(o.Paths)), "archbuild rewrite PATH, where PATH is a Dockerfile or the folder of one"}
	case len(modes) > 1:
		return &wrong.Usage{fmt.Errorf("%s and %s exclude each other", modes[0], modes[1]), "leave one of them out"}
	case len(modes) == 1 && o.Out == "-":
		return &wrong.Usage{fmt.Errorf("%s and -o - exclude each other", modes[0]), "leave one of them out"}
	case o.Deps != "" && (len(modes) == 1 || o.Out == "-"):
		return &wrong.Usage{errors.New("--deps needs files to write rules for, and none is written"), "leave --deps out, or name a folder with -o"}
	case o.Diff && o.Out != "":
		return &wrong.Usage{errors.New("--diff writes no files, so -o has no meaning"), "leave one of them out"}
	}
	return nil
}

// checkTargets looks whether there is somewhere to go for every platform.
func (o RewriteOptions) checkTargets(s service) error {
	switch {
	case o.Out != "-" || o.Diff || o.JSON:
		return nil
	case o.Check:
		return &wrong.Usage{errors.New("--check needs files to compare with, and the Dockerfile comes from no folder"), "name the folder that holds them with -o"}
	case len(s.targets) != 1:
		return &wrong.Usage{fmt.Errorf("standard output takes one file, but there are %d platforms", len(s.targets)), "name one with --platform, or a folder with -o"}
	}
	return nil
}
