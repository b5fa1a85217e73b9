package archbuild

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/internal/config"
	"github.com/archbuild/archbuild/internal/ignore"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/template"
	"github.com/archbuild/archbuild/wrong"
)

// source is a Dockerfile as it was read.
type source struct {
	// file is its path, as messages show it.
	file     string
	template *template.Template
	// ignore is its own ignore file (NAME.dockerignore), nil when it has none.
	ignore []byte
}

func (o Options) readSource(at files, file string) (source, error) {
	s := source{file: file}
	content, err := at.read(file, o.maxBytes())
	if err != nil {
		return s, &wrong.Read{What: "the Dockerfile", Err: err}
	}
	if s.template, err = template.ParseLimited(file, content, o.limits()); err != nil {
		return s, err
	}
	s.ignore, err = at.ignore(file + ignore.File)
	return s, err
}

func (o Options) limits() template.Limits {
	return template.Limits{Bytes: o.MaxBytes, Instructions: o.MaxInstructions}
}

func (o Options) maxBytes() int64 {
	if o.MaxBytes > 0 {
		return int64(o.MaxBytes)
	}
	return template.MaxBytes
}

// of is the Dockerfile that a platform is built from: its own, else the template.
func (s service) of(p platform.Platform) source {
	if own, ok := s.own[p]; ok {
		return own
	}
	return s.source
}

// readOwn reads the files that archbuild.yaml names for single platforms.
func (o Options) readOwn(at files, folder string, named []config.Dockerfile) (map[platform.Platform]source, error) {
	own := map[platform.Platform]source{}
	var failed []error
	for _, d := range named {
		one, err := o.readSource(at, filepath.Join(folder, d.Path))
		if errors.Is(err, os.ErrNotExist) {
			err = &wrong.File{fmt.Errorf("%s:%d: %s: no such file", filepath.Join(folder, "archbuild.yaml"), d.Line, d.Path), "name a Dockerfile beside archbuild.yaml, or leave the platform out to have the template rewritten"}
		}
		own[d.Platform] = one
		failed = append(failed, err)
	}
	return own, errors.Join(failed...)
}

// withoutTemplate takes files called Dockerfile.ARCH where there is no
// Dockerfile. missing is the error that says so.
func (o Options) withoutTemplate(at files, folder string, platforms []platform.Platform, missing error) (map[platform.Platform]source, error) {
	own := map[platform.Platform]source{}
	for _, p := range platforms {
		file := filepath.Join(folder, rewrite.Name("Dockerfile", p.Suffix()))
		if _, err := at.stat(file); err != nil {
			return nil, missing
		}
		one, err := o.readSource(at, file)
		if err != nil {
			return nil, err
		}
		own[p] = one
	}
	return own, nil
}

// placed is a request, and where it will be carried out.
type placed struct {
	plan.Request
	place place
}

// where tells of each platform where it is built.
type where func(platform.Platform) place

// everywhere is one place for all platforms.
func (p place) everywhere() where { return func(platform.Platform) place { return p } }

// requests are what is to be planned: the template for its platforms, then each
// file of a single one; on every node by itself.
func (r run) requests(s service, on where) []placed {
	r = r.with(s)
	var list []placed
	for _, target := range s.targets {
		from, at := s.of(target.Platform), on(target.Platform)
		i := slices.IndexFunc(list, func(q placed) bool { return q.Template == from.template && q.place.name == at.name })
		if i < 0 {
			i = len(list)
			list = append(list, placed{place: at, Request: plan.Request{
				Name: s.name, Template: from.template, PlatformsFrom: s.platformsFrom,
				Build: at.platform, Node: at.name, Contexts: slices.Concat(r.contextKeys(), s.standKeys(), s.waiting), ContextImages: r.contextImages(),
				ContextOnbuild: s.standOnbuild(),
				Runs:           at.runs, Overruled: r.overruled(s), AllowForeign: r.AllowForeign,
			}})
		}
		list[i].Targets = append(list[i].Targets, target)
	}
	return list
}

// joinPlans puts the plans of one service's Dockerfiles together, its platforms
// in the order they were asked for.
func joinPlans(s service, parts []plan.Plan) plan.Plan {
	all := parts[0]
	var jobs []plan.Job
	for _, target := range s.targets {
		for _, part := range parts {
			for _, job := range part.Jobs {
				if job.Platform == target.Platform {
					jobs = append(jobs, job)
				}
			}
		}
	}
	all.Jobs = jobs
	templates := []string{all.Template}
	for _, part := range parts[1:] {
		if !slices.Contains(templates, part.Template) {
			templates = append(templates, part.Template)
		}
		for _, note := range part.Notes {
			if !slices.Contains(all.Notes, note) {
				all.Notes = append(all.Notes, note)
			}
		}
	}
	all.Template = strings.Join(templates, ", ")
	return all
}

// rewrites are the names, below the context, of the files that archbuild would
// write for a plan. They never travel in the context: they would go stale unseen.
func rewrites(s service, p plan.Plan) []string {
	var names []string
	for _, job := range p.Jobs {
		path := filepath.Join(filepath.Dir(s.file), s.archName(job.Platform))
		if s.context.whole != nil && s.beside.tree != nil {
			below, err := filepath.Rel(s.context.at, path)
			if err != nil || !filepath.IsLocal(below) {
				continue
			}
			path = below
		}
		if s.beside.tree != nil {
			names = append(names, filepath.ToSlash(path), rewrite.DockerignoreName(filepath.ToSlash(path)))
			continue
		}
		path, err := filepath.Abs(path)
		if err != nil || s.context.Folder == "" {
			continue
		}
		if name, err := filepath.Rel(s.context.Folder, path); err == nil && filepath.IsLocal(name) {
			names = append(names, name, rewrite.DockerignoreName(name))
		}
	}
	return names
}

// stale names the files beside the template that look like rewrites of it and
// say something else: they are not used.
func (r run) stale(s service, p plan.Plan) []string {
	var names []string
	if fromStdin(s.file) {
		return nil
	}
	for _, job := range p.Jobs {
		if _, own := s.own[job.Platform]; own {
			continue
		}
		path := filepath.Join(filepath.Dir(s.file), s.archName(job.Platform))
		there, err := s.beside.optional(path)
		if err != nil || there == nil {
			continue
		}
		out, err := rewrite.Template(s.template, r.fillings(s.source, job), replacements(job, false))
		if job.Moves() && standsOnBuild(s.template, there) { // --cross, in words for people
			continue
		}
		if err == nil && !bytes.Equal(out.Bytes, there) && !isRewrite(job, out.Bytes, there) && !hasCacheIDs(s.template, out, job.BuildPlatform, job, there) {
			names = append(names, filepath.Base(path))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: not used, and not what archbuild would write; name it under dockerfiles: in archbuild.yaml to build from it", strings.Join(names, ", "))}
}

// standsOnBuild says whether a file puts a stage on the build platform that the
// template does not.
func standsOnBuild(t *template.Template, there []byte) bool {
	found, err := template.Parse(t.File, there)
	if err != nil || len(found.Stages) != len(t.Stages) {
		return false
	}
	for i, stage := range found.Stages {
		if t.Stages[i].PlatformFlag == "" && strings.Contains(stage.PlatformFlag, "BUILDPLATFORM") {
			return true
		}
	}
	return false
}

// isRewrite says whether a file differs from what a build takes only where
// `archbuild rewrite` says more: in images of stages that the job does not need,
// and in digests.
func isRewrite(job plan.Job, built, there []byte) bool {
	want, err := template.Parse("Dockerfile", built)
	if err != nil {
		return false
	}
	found, err := template.Parse("Dockerfile", there)
	if err != nil || len(found.References) != len(want.References) {
		return false
	}
	a, b := 0, 0
	for i, ref := range want.References {
		other := found.References[i]
		decided := !job.IsMoved(ref.Stage) && (ref.Kind == template.StageKind || slices.ContainsFunc(job.Bases, func(base plan.Base) bool { return base.Reference == i }))
		name, _, _ := strings.Cut(ref.Text, "@")
		otherName, _, _ := strings.Cut(other.Text, "@")
		if decided && name != otherName || !bytes.Equal(built[a:ref.Span.Start], there[b:other.Span.Start]) {
			return false
		}
		a, b = ref.Span.End, other.Span.End
	}
	return bytes.Equal(built[a:], there[b:])
}
