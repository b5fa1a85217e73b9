package archbuild

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/ci"
	"github.com/archbuild/archbuild/internal/config"
	"github.com/archbuild/archbuild/internal/treesum"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/wrong"
)

// inputs is what every leg of one run has in common: the files that say how to build,
// what was asked for, and the context. Which platforms are built does not count.
func (r run) inputs(ctx context.Context, s service) (ci.Inputs, error) {
	r = r.with(s)
	parts := map[string]digest.Digest{}
	for part, content := range map[string]any{ci.PartFiles: s.inputFiles(), ci.PartArguments: r.inputArguments()} {
		sum, err := jsonDigest(content)
		if err != nil {
			return ci.Inputs{}, err
		}
		parts[part] = sum
	}
	var err error
	if parts[ci.PartContext], err = r.inputContext(ctx, s); err != nil {
		return ci.Inputs{}, err
	}
	return ci.NewInputs(parts), nil
}

// inputsOf are the inputs of one of several services: those of the images that it stands on are a part of them.
func (r run) inputsOf(ctx context.Context, services []service, i int) (ci.Inputs, error) {
	own, err := r.inputs(ctx, services[i])
	bases := basesOf(services, i)
	if err != nil || len(bases) == 0 {
		return own, err
	}
	under := map[string]digest.Digest{}
	for _, base := range bases {
		in, err := r.inputs(ctx, services[base])
		if err != nil {
			return own, inService(services[base].name, err)
		}
		under[services[base].name] = in.Digest
	}
	if own.Parts[ci.PartBases], err = jsonDigest(under); err != nil {
		return own, err
	}
	return ci.NewInputs(own.Parts), nil
}

// basesOf are the services that one stands on, for any platform and through others, by their places in the list.
func basesOf(services []service, i int) []int {
	var found []int
	var follow func(int)
	follow = func(user int) {
		for _, st := range services[user].stands {
			if !slices.Contains(found, st.base) {
				found = append(found, st.base)
				follow(st.base)
			}
		}
	}
	follow(i)
	slices.Sort(found)
	return found
}

func jsonDigest(value any) (digest.Digest, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("adding up inputs: %w", err)
	}
	return digest.FromBytes(body), nil
}

// inputFiles are the template, files of single platforms that archbuild.yaml names, and
// that itself. Where there is no template each platform's file is its recipe's.
func (s service) inputFiles() any {
	type file struct{ Source, Ignore []byte }
	all := struct {
		Template file
		Own      map[platform.Platform]file
		Config   config.File
	}{Own: map[platform.Platform]file{}, Config: s.config}
	if len(s.config.Dockerfiles) == 0 && len(s.own) > 0 {
		return all
	}
	all.Template = file{s.template.Source, s.ignore}
	for p, own := range s.own {
		all.Own[p] = file{own.template.Source, own.ignore}
	}
	return all
}

// inputArguments are what the command line and the environment ask for.
func (r run) inputArguments() any {
	return struct {
		Args                                           buildArgs
		Labels, Frontend                               map[string]string
		Annotations, Bases, Contexts, Foreign, Attests []string
		Target, BasesMode, Cross, Provenance, SBOM     string
		Force                                          bool
	}{
		r.args, r.labels, r.frontend, r.Annotations, r.Bases, r.BuildContexts, r.AllowForeign, r.Attests,
		r.Target, r.BasesMode, r.Cross, r.Provenance, r.SBOM, r.ForceRewrite,
	}
}

// inputContext is the digest of what a build sees of the context and of the folders of
// --build-context. What a node fetches is known by its commit or digest.
func (r run) inputContext(ctx context.Context, s service) (digest.Digest, error) {
	all := map[string]digest.Digest{}
	var err error
	if fetched := s.context.Fetched; fetched != nil && fetched.Pin != "" {
		all["."] = digest.FromString(s.context.Source())
	} else if all["."], err = r.contextDigest(ctx, s); err != nil {
		return "", err
	}
	for name, folder := range r.folders {
		list, err := treesum.Tree{Folder: folder}.List(ctx)
		if err != nil {
			return "", &wrong.Read{What: "the context " + name, Err: err}
		}
		all["named "+name] = list.Digest.Digest()
	}
	return jsonDigest(all)
}

func (r run) contextDigest(ctx context.Context, s service) (digest.Digest, error) {
	files, err := openContext(s)
	if err != nil {
		return "", &wrong.Read{What: "the context", Err: err}
	}
	defer files.end()
	files.hidden = append(files.hidden, r.recordNames(s)...)
	for _, path := range r.besides {
		if name, below := s.below(path); below {
			files.hidden = append(files.hidden, name)
		}
	}
	files.hidden = append(files.hidden, ".git") // Two checkouts of one commit differ in it.
	for _, p := range platform.All() {
		files.hidden = append(files.hidden, s.rewriteNames(p)...)
	}
	var printed fs.FileInfo
	if out, ok := ui.Below(r.Stdout).(*os.File); ok { // ci plan . > plan.json
		printed, _ = out.Stat()
	}
	tree := treesum.Tree{Folder: s.context.Folder, FS: files.tree, Ignore: files.ignore, LeftOut: func(name string, info fs.FileInfo) bool {
		return files.isHidden(name) || printed != nil && os.SameFile(info, printed)
	}}
	list, err := tree.List(ctx)
	if err != nil {
		return "", &wrong.Read{What: "the context", Err: err}
	}
	return list.Digest.Digest(), nil
}

// rewriteNames are the files of a platform that never travel in the context.
func (s service) rewriteNames(p platform.Platform) []string {
	return rewrites(s, plan.Plan{Jobs: []plan.Job{{Platform: p}}})
}

// below is a path as the context of a service has it, if it lies there.
func (s service) below(path string) (string, bool) {
	if s.context.Folder == "" || path == "" {
		return "", false
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", false
	}
	name, err := filepath.Rel(s.context.Folder, absolute)
	return filepath.ToSlash(name), err == nil && filepath.IsLocal(name) && name != "."
}

// recipeOf is the recipe of a job of one of several services, with the recipes of what it stands on. jobOf gives the job of
// another service for a platform.
func (r run) recipeOf(services []service, i int, job plan.Job, jobOf func(base int, p platform.Platform) (plan.Job, error)) (digest.Digest, error) {
	own, err := r.recipe(services[i], job)
	var under []string
	for _, st := range services[i].stands {
		if err != nil || st.on != job.Platform || st.name == "" {
			continue
		}
		var on plan.Job
		if on, err = jobOf(st.base, st.at); err != nil {
			return "", err
		}
		var of digest.Digest
		of, err = r.recipeOf(services, st.base, on, jobOf)
		under = append(under, st.key()+" "+of.String())
	}
	if err != nil || len(under) == 0 {
		return own, err
	}
	slices.Sort(under)
	return jsonDigest(struct {
		Own   digest.Digest
		Under []string
	}{own, slices.Compact(under)})
}

// recipe is the digest of what is one platform's own: its Dockerfile with every base
// pinned and every stage where it was decided to run, its arguments, its target.
func (r run) recipe(s service, job plan.Job) (digest.Digest, error) {
	r = r.with(s)
	from := s.of(job.Platform)
	out, err := rewrite.Crossed(from.template, job.Crossed, r.fillings(from, job), replacements(job, true))
	if err != nil {
		return "", fmt.Errorf("rewriting for %s: %w", job.Platform, err)
	}
	var pinned []string
	for _, base := range slices.Concat(job.Onbuild, job.Contexts) {
		pinned = append(pinned, strings.Join([]string{base.From, base.Context, base.Pinned()}, " "))
	}
	return jsonDigest(struct {
		Dockerfile, Ignore []byte
		Args               map[string]string
		Target, Frontend   string
		Pinned             []string
	}{out.Bytes, from.ignore, job.Args, job.Target, job.Frontend, pinned})
}
