package archbuild

import (
	"fmt"

	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/outside"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/template"
)

// rewritten is every Dockerfile.ARCH of the plan with its ignore file, by name.
func (r run) rewritten(s service, p plan.Plan) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, job := range r.sharedKeys(p).Jobs {
		from := s.of(job.Platform)
		text, err := r.rewrittenOf(s, job)
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
func (r run) dockerfileOf(s service, job plan.Job) ([]byte, error) {
	return r.rewrittenOf(s, r.sharedKeys(plan.Plan{Jobs: []plan.Job{job}}).Jobs[0])
}

func (r run) rewrittenOf(s service, job plan.Job) ([]byte, error) {
	from := s.of(job.Platform)
	out, err := rewrite.Crossed(from.template, job.Crossed, r.fillings(from, job), replacements(job, true))
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
func (r run) fillings(from source, job plan.Job) []template.Filling {
	if job.Frontend != "" && !r.ForceRewrite {
		return nil
	}
	return from.template.Fillings(template.Env{Target: job.Platform, Build: job.BuildPlatform, Args: job.Args})
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

// writeFile writes a small file that the user named, {name} filled in.
func (r run) writeFile(pattern, name string, content []byte) error {
	if pattern == "" {
		return nil
	}
	return outside.WriteWhole(manifest.Expand(pattern, name), content)
}
