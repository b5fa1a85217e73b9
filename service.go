package archbuild

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/template"
	"github.com/opencontainers/go-digest"
)

// service takes one plan through rewrite, builder, verify and manifest. What fails
// because a stage was moved to the build platform is built a second time without.
func (r run) service(ctx context.Context, node *builder.Node, at place, s service, p plan.Plan) (Image, error) {
	image := newImage(s, p)
	image.Tags = r.tagsOf(s)
	dockerfiles, err := r.rewritten(s, p)
	if err != nil {
		return image, err
	}
	leg, err := r.leg(ctx, s, p)
	if err != nil {
		return image, err
	}
	release, err := r.store.hold(ctx)
	if err != nil {
		return image, err
	}
	defer release()
	built, err := r.build(ctx, node, s, p, dockerfiles)
	image.note(built)
	if err != nil && (len(built) == 0 || ctx.Err() != nil) {
		return image, err
	}
	a := &attempt{run: r, service: s, place: at, node: node, plan: p, built: built, image: &image, again: map[int]string{}, was: p.Jobs}
	a.plan.Jobs = slices.Clone(p.Jobs)
	results, err := a.settle(ctx)
	r.tellWarnings(s, a.built)
	if ctx.Err() == nil { // what was built is worth keeping, whatever becomes of the image
		err = errors.Join(err, r.finishCaches(ctx, s, a.built))
	}
	if err != nil {
		return image, err
	}
	if r.Record != "" {
		return image, leg.deliver(ctx, a.plan, results, &image)
	}
	index, err := manifest.Assemble(ctx, manifest.Store{Dir: r.store.dir}, results, r.annotations, r.profile)
	if err != nil {
		return image, err
	}
	image.Digest = index.Descriptor.Digest.String()
	return image, r.deliver(ctx, s, index, results, a.built, &image)
}

// rewritten is every Dockerfile.ARCH of the plan with its ignore file, by name.
// The bases in them are pinned: what was proven is what the node gets.
func (r run) rewritten(s service, p plan.Plan) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, job := range r.sharedKeys(p).Jobs {
		from := s.of(job.Platform)
		text, err := r.rewrittenOf(s, p, job)
		if err != nil {
			return nil, err
		}
		files[job.Dockerfile] = text
		if from.ignore != nil {
			files[rewrite.DockerignoreName(job.Dockerfile)] = from.ignore
		}
	}
	return files, nil
}

// dockerfileOf is the Dockerfile.ARCH of one job, as it goes to the node.
func (r run) dockerfileOf(s service, p plan.Plan, job plan.Job) ([]byte, error) {
	p.Jobs = []plan.Job{job}
	shared := r.sharedKeys(p)
	return r.rewrittenOf(s, shared, shared.Jobs[0])
}

func (r run) rewrittenOf(s service, p plan.Plan, job plan.Job) ([]byte, error) {
	from := s.of(job.Platform)
	out, err := rewrite.Crossed(from.template, job.Crossed, r.fillings(from, p, job), replacements(job, true))
	if err == nil {
		out, err = rewrite.CacheIDs(from.template, out, jobCacheIDs(job))
	}
	if err != nil {
		return nil, fmt.Errorf("rewriting for %s: %w", job.Platform, err)
	}
	return out.Bytes, nil
}

// fillings are the values of placeholders. A file that another frontend reads is
// left alone.
func (r run) fillings(from source, p plan.Plan, job plan.Job) []template.Filling {
	if job.Frontend != "" && !r.ForceRewrite {
		return nil
	}
	return from.template.Fillings(template.Env{Target: job.Platform, Build: p.BuildPlatform, Args: job.Args})
}

// replacements are the edits of a job; pinned ones name digests as well, but for
// those of ONBUILD instructions, which the builder pins.
func replacements(job plan.Job, pinned bool) []rewrite.Replacement {
	var list []rewrite.Replacement
	for _, base := range job.Bases {
		to := base.To
		if pinned && !base.Fires() {
			to = base.Pinned()
		}
		if to != base.From {
			list = append(list, rewrite.Replacement{Reference: base.Reference, New: to, Rule: base.Rule})
		}
	}
	return list
}

// build gives the result of every job: one that is recorded, else it is built.
func (r run) build(ctx context.Context, node *builder.Node, s service, p plan.Plan, dockerfiles map[string][]byte) ([]builder.Result, error) {
	return r.resumed(ctx, s, p, func(jobs []plan.Job) ([]builder.Result, error) {
		return r.solve(ctx, node, s, p, jobs, dockerfiles)
	})
}

// solve runs some jobs of the plan in one session.
func (r run) solve(ctx context.Context, node *builder.Node, s service, p plan.Plan, jobs []plan.Job, dockerfiles map[string][]byte) ([]builder.Result, error) {
	p = r.sharedKeys(p)
	caches, done, err := r.openCaches(ctx, s, p)
	if err != nil {
		return nil, err
	}
	defer done()
	sources, err := r.offered(s, p, dockerfiles)
	if err != nil {
		return nil, err
	}
	sources.Caches = caches
	session, err := builder.Start(ctx, node, sources)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	defer r.grouped("building " + s.name)()
	display, err := builder.NewDisplay(r.progressOut(), r.progressMode())
	if err != nil {
		return nil, err
	}
	options := r.builderOptions(s, p)
	options.Caches = caches
	options.Ended = func(job plan.Job, result builder.Result) { r.record(ctx, s, p, job, result, node.Name) }
	results := session.Build(ctx, r.sharedKeys(plan.Plan{Jobs: jobs}).Jobs, options, display)
	if ctx.Err() != nil {
		return results, context.Cause(ctx)
	}
	return results, builder.Errors(results)
}

// deliver writes every output, pushes, and then writes the files that name the result.
func (r run) deliver(ctx context.Context, s service, index manifest.Index, results []manifest.Result, built []builder.Result, image *Image) error {
	tags := r.tagsOf(s)
	var pushes []manifest.Output
	for _, out := range r.outputsOf(s) {
		if out.Type == manifest.TypeImage {
			pushes = append(pushes, out)
			continue
		}
		if out.Loads() {
			loaded, err := r.load(ctx, out, index, tags)
			if err != nil {
				return err
			}
			image.Loaded = append(image.Loaded, loaded)
			continue
		}
		written, err := index.Write(ctx, out, tags, r.Stdout)
		if err != nil {
			return err
		}
		image.Outputs = append(image.Outputs, written)
		for _, name := range written.Skipped {
			fmt.Fprintf(r.Stderr, "archbuild: warning: %s: device node left out: only root can make it\n", ui.Line(name))
		}
	}
	for _, out := range pushes {
		pushed, err := index.Push(ctx, r.registry, out.Named(tags), manifest.PushOptions{
			ByDigest: out.ByDigest, IfMatch: digest.Digest(r.IfMatch), ChildTags: r.ChildTags, Journal: manifest.Journal{Dir: r.journal()},
		})
		image.Pushed = join(image.Pushed, pushed)
		if err != nil {
			return err
		}
	}
	metadata, err := r.metadata(s, index, results, built)
	image.metadata = metadata
	return errors.Join(err,
		r.writeFile(r.IIDFile, s.name, []byte(image.ID())),
		r.writeFile(r.MetadataFile, s.name, metadata),
	)
}

// writeFile writes a small file that the user named, {name} filled in.
func (r run) writeFile(pattern, name string, content []byte) error {
	if pattern == "" {
		return nil
	}
	return writeWhole(manifest.Expand(pattern, name), content)
}
