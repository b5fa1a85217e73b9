package archbuild

import (
	"fmt"
	"slices"
	"strings"

	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/template"
)

// jobCacheIDs are the edits of a job that keep its caches apart.
func jobCacheIDs(job plan.Job) []rewrite.CacheID {
	var ids []rewrite.CacheID
	for _, id := range job.CacheIDs {
		ids = append(ids, rewrite.CacheID{Mount: id.Mount, ID: id.ID, Rule: "caches are kept apart"})
	}
	return ids
}

// leaveCaches takes back the edits in files that are left to another frontend.
func (r run) leaveCaches(p plan.Plan) (notes []string) {
	for i := range p.Jobs {
		if job := &p.Jobs[i]; job.Frontend != "" && !r.ForceRewrite {
			notes = append(notes, job.LeaveCaches()...)
		}
	}
	return slices.Compact(notes)
}

// writtenCacheIDs are the ids that --cache-ids writes: those of all stages but the
// ones that the file itself puts on the build platform. Unlike a build's they do
// not depend on the machine, as a file that is kept may be built on another one.
func writtenCacheIDs(t *template.Template, env template.Env) (ids []rewrite.CacheID, left []template.CacheMount, err error) {
	mounts := t.CacheMounts()
	if len(mounts) == 0 {
		return nil, nil, nil
	}
	uses, err := t.Uses(env)
	if err != nil {
		return nil, nil, err
	}
	shared, err := t.OfBuild(env)
	if err != nil {
		return nil, nil, err
	}
	for i, m := range mounts {
		id, ok := plan.IDFor(uses[t.Stages[m.Stage].Base].Platform, m.Target)
		switch {
		case shared[m.Stage]:
		case m.ID != "" || m.Onbuild || !ok || m.Span == (template.Span{}):
			left = append(left, m)
		default:
			ids = append(ids, rewrite.CacheID{Mount: i, ID: id, Rule: "--cache-ids"})
		}
	}
	return ids, left, nil
}

// withCacheIDs does what --cache-ids asks for, and tells of what it leaves.
func (w rewriter) withCacheIDs(done *Rewritten, out rewrite.Output) (rewrite.Output, error) {
	if !w.cacheIDs || w.leftAlone() {
		return out, nil
	}
	ids, left, err := writtenCacheIDs(w.template, w.env)
	if err != nil {
		return out, err
	}
	for _, m := range left {
		warning := RewriteWarning{Line: m.Line, Where: "RUN --mount", Reference: m.Target, file: w.file, harmless: true}
		switch {
		case strings.Contains(m.ID, "$"):
			continue
		case m.ID != "":
			warning.Message, warning.Hint = fmt.Sprintf("RUN --mount: id=%s stays, for all platforms", m.ID), fmt.Sprintf("id=%s-$TARGETARCH keeps them apart", m.ID)
		case m.Onbuild:
			warning.Message = fmt.Sprintf("ONBUILD RUN --mount: the cache of %s gets no id: the instruction becomes part of an image", m.Target)
		default:
			warning.Message, warning.Hint = fmt.Sprintf("RUN --mount: the cache of %s gets no id", m.Target), "write one: id=NAME-$TARGETARCH"
		}
		done.warn(warning)
	}
	return rewrite.CacheIDs(w.template, out, ids)
}

// hasCacheIDs says whether a file is what a build takes but for ids that
// --cache-ids writes.
func hasCacheIDs(t *template.Template, out rewrite.Output, build platform.Platform, job plan.Job, there []byte) bool {
	ids, _, err := writtenCacheIDs(t, template.Env{Target: job.Platform, Build: build, Args: job.Args})
	if err != nil || len(ids) == 0 {
		return false
	}
	out, err = rewrite.CacheIDs(t, out, ids)
	return err == nil && isRewrite(job, out.Bytes, there)
}
