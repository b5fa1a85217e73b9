package archbuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// A cache that several platforms write has a part for each, under a tag of its own
// (REF-linux-arm64), and one of all of them, REF. Who builds one platform, as a leg of a
// matrix does, replaces its own part alone. A job reads the whole if that has what is in
// its platform's part, else that part and the build platform's, whose stages it has in common.

// cacheTags are what a run knows of caches in registries. It is asked for once.
type cacheTags struct {
	mu sync.Mutex
	// found is what a reference names, empty for nothing; failed, that nobody could tell.
	found  map[string]digest.Digest
	failed map[string]error
	// apart are the caches that were found to have parts.
	apart map[string]bool
	// told are the warnings that were printed.
	told map[string]bool
}

func newCacheTags() *cacheTags {
	return &cacheTags{found: map[string]digest.Digest{}, failed: map[string]error{}, apart: map[string]bool{}, told: map[string]bool{}}
}

// patience with the registry of a cache: it is there to save time.
const cachePatience = 10 * time.Second

// lookFor asks registries for those references that were not asked for yet.
func (r run) lookFor(ctx context.Context, refs []string) {
	ctx, cancel := context.WithTimeout(ctx, cachePatience)
	defer cancel()
	t, waits := r.cacheTags, r.waits()
	var wg sync.WaitGroup
	for _, ref := range slices.Compact(slices.Sorted(slices.Values(refs))) {
		if _, known := t.answer(ref); known || ref == "" {
			continue
		}
		wg.Go(func() {
			defer waits.watch(ref)()
			desc, err := r.registry.Head(ctx, ref)
			t.mu.Lock()
			defer t.mu.Unlock()
			if err == nil || isMissing(err) {
				t.found[ref] = desc.Digest
				return
			}
			t.failed[ref] = err
		})
	}
	wg.Wait()
}

// answer tells what a reference names, and whether that is known.
func (t *cacheTags) answer(ref string) (found digest.Digest, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found, known = t.found[ref]
	return found, known || t.failed[ref] != nil
}

func (t *cacheTags) failure(ref string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed[ref]
}

// cacheWarning prints a line, once.
func (r run) cacheWarning(text string) {
	r.cacheTags.mu.Lock()
	defer r.cacheTags.mu.Unlock()
	if !r.cacheTags.told[text] {
		r.cacheTags.told[text] = true
		fmt.Fprintf(r.warn(), "archbuild: warning: %s\n", ui.Line(text))
	}
}

// partsOf are the references of the parts of a cache in a registry.
func partsOf(ref string, platforms []platform.Platform) []string {
	var refs []string
	for _, p := range platforms {
		if part := builder.PlatformRef(ref, p); part != "" {
			refs = append(refs, part)
		}
	}
	return refs
}

// readCaches are the caches to read for a plan, as far as they are there: a build that
// names one that is not there would say so in an error of BuildKit's.
func (r run) readCaches(ctx context.Context, s service, p plan.Plan) []builder.Cache {
	caches := cachesOf(r.cacheFrom, s)
	if r.Offline {
		return caches
	}
	platforms := cachePlatforms(p)
	var refs []string
	for _, c := range caches {
		if c.Type == builder.CacheRegistry {
			refs = append(append(refs, c.Attrs["ref"]), partsOf(c.Attrs["ref"], platforms)...)
		}
	}
	r.lookFor(ctx, refs)
	if ctx.Err() != nil {
		return nil
	}
	var there []builder.Cache
	for _, c := range caches {
		if c.Type != builder.CacheRegistry {
			there = append(there, c)
			continue
		}
		for _, part := range r.thereOf(ctx, s, p, c) {
			same := func(has builder.Cache) bool { return has.For == part.For && maps.Equal(has.Attrs, part.Attrs) }
			if !slices.ContainsFunc(there, same) {
				there = append(there, part)
			}
		}
	}
	return there
}

// cachePlatforms are those that stages of a plan run for: its own and those of its nodes.
func cachePlatforms(p plan.Plan) []platform.Platform {
	var platforms []platform.Platform
	for _, job := range p.Jobs {
		for _, of := range []platform.Platform{job.Platform, job.BuildPlatform} {
			if of.OS != "" && !slices.Contains(platforms, of) {
				platforms = append(platforms, of)
			}
		}
	}
	return platforms
}

// thereOf is what each job reads of a cache in a registry. What this machine cannot find out,
// a node elsewhere may, or a mirror; the private engine is on this machine.
func (r run) thereOf(ctx context.Context, s service, p plan.Plan, c builder.Cache) []builder.Cache {
	ref := c.Attrs["ref"]
	if err := r.cacheTags.failure(ref); err != nil {
		insecure, _ := strconv.ParseBool(c.Attrs["registry.insecure"]) // of which our client knows nothing
		elsewhere := slices.ContainsFunc(p.Jobs, func(job plan.Job) bool { return job.Node != engineName })
		if elsewhere || insecure || r.registry.HasMirrors(hostOf(ref)) {
			return []builder.Cache{c}
		}
		r.cacheWarning(fmt.Sprintf("the cache %s is not read: %s", ref, cacheReason(err)))
		return nil
	}
	var there []builder.Cache
	for _, job := range p.Jobs {
		for _, name := range r.forJob(ctx, ref, job, cachePlatforms(p)) {
			there = append(there, builder.Cache{Type: c.Type, Attrs: withRef(c.Attrs, name), For: job.Platform})
		}
	}
	written := func(to builder.Cache) bool { return to.Type == c.Type && to.Attrs["ref"] == ref }
	if len(there) == 0 && !slices.ContainsFunc(cachesOf(r.cacheTo, s), written) { // the first run has none to read
		r.cacheWarning(fmt.Sprintf("the cache %s is not read: there is none of this name", ref))
	}
	return there
}

// forJob are the names under which a job reads a cache in a registry: one, if there is one
// that has it all. Of two that hold the same step BuildKit takes the one that answers first, and
// then does not find what only the other one has (solver.cacheManager.getIDFromDeps).
func (r run) forJob(ctx context.Context, ref string, job plan.Job, platforms []platform.Platform) []string {
	whole, _ := r.cacheTags.answer(ref)
	part := func(p platform.Platform) (name string, found digest.Digest) {
		name = builder.PlatformRef(ref, p)
		found, _ = r.cacheTags.answer(name)
		return name, found
	}
	joined, ours := r.joinedParts(ctx, ref, whole)
	has := func(found digest.Digest) bool { return found == "" || slices.Contains(joined, found) }
	ownName, own := part(job.Platform)
	buildName, build := part(job.BuildPlatform)
	var names []string
	switch {
	case whole != "" && has(own) && has(build):
		return []string{ref}
	case own != "":
		names = append(names, ownName)
		if whole != "" && !ours { // buildx has written it since
			names = append(names, ref)
		}
	case whole != "":
		names = append(names, ref)
	default:
		for _, p := range platforms {
			if name, found := part(p); found != "" && p != job.BuildPlatform {
				names = append(names, name)
			}
		}
	}
	if build != "" && job.BuildPlatform != job.Platform {
		names = append(names, buildName)
	}
	return names
}

// joinedParts are the parts that a cache was made of, itself if it is one, and whether
// archbuild has made it.
func (r run) joinedParts(ctx context.Context, ref string, whole digest.Digest) (joined []digest.Digest, ours bool) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil || whole == "" {
		return nil, false
	}
	_, data, err := r.registry.Get(ctx, reference.TrimNamed(named).String()+"@"+whole.String())
	if err != nil {
		return nil, false
	}
	joined = builder.PartsOfCache(data)
	return append(joined, whole), len(joined) > 0
}

// cacheReason is why a registry did not answer, in one line.
func cacheReason(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %s", cachePatience)
	}
	return firstLine(err)
}

// writtenCaches are the caches to write for a plan: apart where several platforms
// write, or one of several does.
func (r run) writtenCaches(ctx context.Context, s service, p plan.Plan) []builder.Cache {
	caches := cachesOf(r.cacheTo, s)
	for i, c := range caches {
		caches[i].Apart = r.isApart(ctx, s, p, c)
	}
	return caches
}

// isApart tells whether each platform's part of a cache has a place of its own: several
// are built, or one of several is, or there are parts of others already. What was found once
// holds for the run.
func (r run) isApart(ctx context.Context, s service, p plan.Plan, c builder.Cache) bool {
	key := cacheName(c)
	if c.Type != builder.CacheRegistry && c.Type != builder.CacheLocal {
		return false
	}
	r.cacheTags.mu.Lock()
	apart := r.cacheTags.apart[key] || r.severalWrite(s, p)
	r.cacheTags.mu.Unlock()
	if !apart {
		apart = r.hasOtherParts(ctx, p, c)
	}
	r.cacheTags.mu.Lock()
	defer r.cacheTags.mu.Unlock()
	r.cacheTags.apart[key] = apart
	return apart
}

// severalWrite says that more platforms than one are or will be written to a cache.
func (r run) severalWrite(s service, p plan.Plan) bool {
	if len(p.Jobs) > 1 || r.Record != "" {
		return true
	}
	return slices.ContainsFunc(s.config.Platforms, func(other platform.Platform) bool {
		return !slices.ContainsFunc(p.Jobs, func(job plan.Job) bool { return job.Platform == other })
	})
}

// hasOtherParts tells whether there are parts of other platforms than the plan's.
func (r run) hasOtherParts(ctx context.Context, p plan.Plan, c builder.Cache) bool {
	others := slices.DeleteFunc(platform.All(), func(of platform.Platform) bool {
		return slices.ContainsFunc(p.Jobs, func(job plan.Job) bool { return job.Platform == of })
	})
	if c.Type == builder.CacheLocal {
		return slices.ContainsFunc(others, func(of platform.Platform) bool {
			return builder.TaggedInFolder(c.Attrs["dest"], builder.PlatformTag(c.Attrs["tag"], of))
		})
	}
	if r.Offline {
		return false
	}
	refs := partsOf(c.Attrs["ref"], others)
	r.lookFor(ctx, refs)
	return slices.ContainsFunc(refs, func(ref string) bool {
		found, _ := r.cacheTags.answer(ref)
		return found != ""
	})
}

// cacheName tells caches to write from one another.
func cacheName(c builder.Cache) string {
	return c.Type + " " + c.Attrs["ref"] + c.Attrs["dest"] + " " + c.Attrs["tag"]
}

// legsOverwrite tells of legs without a record that would not know of one another.
func (r run) legsOverwrite(s service) string {
	r = r.with(s)
	unnamed := slices.ContainsFunc(s.targets, func(t plan.Target) bool { return !slices.Contains(s.config.Platforms, t.Platform) })
	shared := slices.ContainsFunc(r.cacheTo, func(c builder.Cache) bool { return c.Type == builder.CacheRegistry || c.Type == builder.CacheLocal })
	if len(s.targets) < 2 || !unnamed || !shared {
		return ""
	}
	return "each job will write its cache over that of the others, since nothing tells it that there are others: name the platforms in archbuild.yaml (platforms:), or give -t"
}
