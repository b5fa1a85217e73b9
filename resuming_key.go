package archbuild

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/builder/engine"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/rewrite"
	"github.com/archbuild/archbuild/template"
	"github.com/opencontainers/go-digest"
)

// recipeRules is part of every key: raise it when a change here, or in what builder asks
// of a node, lets the same digest stand for another image.
const recipeRules = 1

// jobRecipe is the digest of everything that decides what a job is built to, but for the
// contents of files: the Dockerfile as the node gets it, all that the node is asked for,
// where the stages run, and who builds it. Flags that only say whether caches are used do
// not count.
func (r run) jobRecipe(ctx context.Context, s service, p plan.Plan, job plan.Job) (digest.Digest, error) {
	r = r.with(s)
	r.NoCache, r.Pull = false, false
	r.frontend = maps.Clone(r.frontend)
	delete(r.frontend, "no-cache")
	dockerfile, err := r.dockerfileOf(s, job)
	if err != nil {
		return "", err
	}
	files := map[string][]byte{job.Dockerfile: dockerfile}
	if ignore := s.of(job.Platform).ignore; ignore != nil {
		files[rewrite.DockerignoreName(job.Dockerfile)] = ignore
	}
	from, err := r.offered(s, p, files)
	if err != nil {
		return "", err
	}
	options := r.builderOptions(s, p)
	if r.provenance == "" && !proxyNames.Match(dockerfile) && !job.HasTriggers() {
		options.Proxies = nil // they reach RUN alone, and no result depends on the way to it
	}
	if r.provenance == "" { // which tells every build argument
		options.CacheProject = "" // with another cache a step is quicker or slower, and its result the same
	}
	shared := r.sharedKeys(plan.Plan{Jobs: []plan.Job{job}}).Jobs[0]
	asked, err := from.Asked(ctx, shared, options)
	if err != nil {
		return "", err
	}
	var runs []string
	for _, stage := range job.Stages {
		runs = append(runs, fmt.Sprint(stage.Index, stage.Platform, stage.How))
	}
	return jsonDigest(struct {
		Rules               int
		Archbuild, BuildKit string
		On                  string
		Runs                []string
		Dockerfile, Ignore  []byte
		Asked               digest.Digest
	}{recipeRules, r.Version, engine.BuildKit, job.BuildPlatform.String(), runs, dockerfile, s.of(job.Platform).ignore, asked})
}

// proxyNames are build arguments that a Dockerfile may use as it uses others.
var proxyNames = regexp.MustCompile(`(?i)(http|https|ftp|no|all)_proxy`)

// neverResumed is why a job is built whatever is recorded; empty when there is no reason.
func (r run) neverResumed(s service, job plan.Job) string {
	switch {
	case r.Resume == resumeNever:
		return "--no-resume"
	case r.NoCache:
		return "--no-cache runs every step"
	case len(r.noCacheStages()) > 0:
		return "--no-cache-filter runs steps again"
	case r.Pull:
		return "--pull asks for every base again"
	case len(r.cacheTo) > 0:
		return "--cache-to has the cache written"
	}
	t := s.of(job.Platform).template
	return cmp.Or(r.looseContext(s), r.looseImage(job), looseTime(t, job), looseAdd(t, job))
}

// looseTime finds a SOURCE_DATE_EPOCH that stands for what somebody else says of the time.
func looseTime(t *template.Template, job plan.Job) string {
	epoch, said := job.Args[sourceDateEpoch]
	if !said {
		epoch, _ = t.Global(template.Env{Target: job.Platform, Build: job.BuildPlatform, Args: job.Args}, sourceDateEpoch)
	}
	if _, err := strconv.ParseInt(epoch, 10, 64); epoch == "" || err == nil {
		return ""
	}
	return "SOURCE_DATE_EPOCH=" + epoch + " is a time that may be another one now"
}

// looseContext names a context that may be another one at the same address.
func (r run) looseContext(s service) string {
	if fetched := s.context.Fetched; fetched != nil && fetched.Pin == "" {
		return "the node cannot tell which commit " + fetched.Shown() + " is"
	}
	for _, name := range slices.Sorted(maps.Keys(r.remote)) {
		address := r.remote[name]
		if remote := (builder.Remote{Address: address}); !strings.HasPrefix(address, imageScheme) && !remote.Pinned() {
			return "the context " + name + " names no commit: " + remote.Shown()
		}
	}
	return ""
}

// looseImage names an image that goes to the node without a digest.
func (r run) looseImage(job plan.Job) string {
	if job.Frontend != "" && !strings.Contains(job.Frontend, "@") {
		return "# syntax=" + job.Frontend + " has no digest"
	}
	if r.sbom != nil && !strings.Contains(r.sbom.image, "@") {
		return "the scanner " + r.sbom.image + " has no digest"
	}
	for _, base := range slices.Concat(job.Bases, job.Onbuild, job.Contexts) {
		if !strings.Contains(base.Pinned(), "@") {
			return base.To + " has no digest"
		}
	}
	return ""
}

// seenInputs are the contents that jobs had before they were built. A job that moves to
// another node has another recipe there, and sees the same files.
type seenInputs struct {
	mu   sync.Mutex
	seen map[seenJob]inputDigest
}

type seenJob struct {
	// template tells services apart.
	template *template.Template
	platform platform.Platform
}

func (k *seenInputs) put(s service, job plan.Job, seen inputDigest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen == nil {
		k.seen = map[seenJob]inputDigest{}
	}
	k.seen[seenJob{s.template, job.Platform}] = seen
}

func (k *seenInputs) get(s service, job plan.Job) (inputDigest, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	seen, ok := k.seen[seenJob{s.template, job.Platform}]
	return seen, ok
}
