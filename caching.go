package archbuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tonistiigi/go-csvvalue"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// checkCaches finds what several builds, or several platforms, cannot write side by side.
func (r run) checkCaches() error {
	var failed []error
	for i, c := range r.cacheTo {
		same := func(other builder.Cache) bool { return cacheName(other) == cacheName(c) }
		if c.Attrs["ref"]+c.Attrs["dest"] != "" && slices.ContainsFunc(r.cacheTo[:i], same) {
			failed = append(failed, &wrong.Usage{fmt.Errorf("the cache %s is to be written twice", c.Attrs["ref"]+c.Attrs["dest"]), "name it once: --cache is --cache-from and --cache-to"})
		}
		key := map[string]string{builder.CacheLocal: "dest", builder.CacheRegistry: "ref", builder.CacheGHA: "scope"}[c.Type]
		if name := c.Attrs[key]; key != "" && r.imageCount() > 1 && r.of == nil && manifest.Expand(name, "") == name {
			failed = append(failed, &wrong.Usage{fmt.Errorf("the cache type=%s,%s=%s would be the same for %d %s", c.Type, key, name, r.imageCount(), r.imagesWord()), "put {name} into it: " + key + "=" + name + "-{name}"})
		}
	}
	return errors.Join(failed...)
}

// checkCachesOf finds parts of caches that could have no tag.
func (r run) checkCachesOf(s service) error {
	r = r.with(s)
	var failed []error
	for _, c := range cachesOf(r.cacheTo, s) {
		long := slices.IndexFunc(s.targets, func(t plan.Target) bool { return builder.PlatformRef(c.Attrs["ref"], t.Platform) == "" })
		if c.Type == builder.CacheRegistry && long >= 0 && (len(s.targets) > 1 || r.Record != "") {
			failed = append(failed, &wrong.Usage{fmt.Errorf("--cache-to %s: its tag is too long: the part of %s has the platform behind it", c.Attrs["ref"], s.targets[long].Platform), "shorten the tag: with the platform it has at most 128 characters"})
		}
	}
	return errors.Join(failed...)
}

// sharedKeys pins bases by their index, as docker buildx build does, where caches come
// from others or go to them: a step's key depends on that digest. Otherwise the
// platform's own manifest is the better one, since it stays when other platforms change.
func (r run) sharedKeys(p plan.Plan) plan.Plan {
	if len(r.cacheFrom)+len(r.cacheTo) == 0 {
		return p
	}
	byIndex := func(list []plan.Base) []plan.Base {
		list = slices.Clone(list)
		for i, base := range list {
			if base.Index != "" {
				list[i].Digest = base.Index
			}
		}
		return list
	}
	p.Jobs = slices.Clone(p.Jobs)
	for i := range p.Jobs {
		job := &p.Jobs[i]
		job.Bases, job.Onbuild, job.Contexts = byIndex(job.Bases), byIndex(job.Onbuild), byIndex(job.Contexts)
	}
	return p
}

// cachesOf are those of one service, {name} filled in.
func cachesOf(list []builder.Cache, s service) []builder.Cache {
	var filled []builder.Cache
	for _, c := range list {
		attrs := maps.Clone(c.Attrs)
		for _, key := range []string{"ref", "src", "dest", "scope"} {
			if attrs[key] != "" {
				attrs[key] = manifest.Expand(attrs[key], s.name)
			}
		}
		filled = append(filled, builder.Cache{Type: c.Type, Attrs: attrs})
	}
	return filled
}

// openCaches prepares the caches for the sessions of a run. The caller calls done after them.
func (r run) openCaches(ctx context.Context, s service, p plan.Plan) (caches *builder.Caches, done func(), err error) {
	if len(r.cacheFrom)+len(r.cacheTo) == 0 {
		return nil, func() {}, nil
	}
	if err := os.MkdirAll(r.store.Scratch(), 0o700); err != nil {
		return nil, nil, fmt.Errorf("making a folder for caches: %w", err)
	}
	scratch, err := os.MkdirTemp(r.store.Scratch(), "caches-")
	if err != nil {
		return nil, nil, fmt.Errorf("making a folder for caches: %w", err)
	}
	done = func() { os.RemoveAll(scratch) }
	var platforms []platform.Platform
	for _, job := range p.Jobs {
		platforms = append(platforms, job.Platform)
	}
	caches, warnings, err := builder.NewCaches(r.readCaches(ctx, s, p), r.writtenCaches(ctx, s, p), platforms, scratch)
	for _, warning := range warnings {
		r.cacheWarning(warning)
	}
	if err != nil {
		done()
		return nil, nil, &CacheError{To: "outside the node", Err: err}
	}
	return caches, done, nil
}

// withRef is the attributes of a cache in a registry, under another reference.
func withRef(attrs map[string]string, ref string) map[string]string {
	attrs = maps.Clone(attrs)
	attrs["ref"] = ref
	return attrs
}

// warn is where warnings go: nowhere between the lines of JSON.
func (r run) warn() io.Writer {
	if r.progressMode() == "rawjson" {
		return io.Discard
	}
	return r.Stderr
}

// cacheNotes tell where results of steps are looked for and where they go.
func (r run) cacheNotes(s service, p plan.Plan) []string {
	var notes []string
	for _, text := range slices.Concat(r.CacheFrom, r.Cache) {
		if fields, err := csvvalue.Fields(text, nil); err == nil && text != "" {
			notes = append(notes, "steps are also looked for in the cache "+secretless(fields))
		}
	}
	for _, c := range cachesOf(r.cacheTo, s) {
		notes = append(notes, r.writtenNote(s, p, c))
	}
	return notes
}

// writtenNote tells where one cache is written.
func (r run) writtenNote(s service, p plan.Plan, c builder.Cache) string {
	name := c.Attrs["ref"]
	switch c.Type {
	case builder.CacheInline:
		return "the cache is kept in the image"
	case builder.CacheGHA:
		return "the cache of each platform goes to a scope of its own in GitHub's cache"
	case builder.CacheLocal:
		return "the cache of all platforms goes to the folder " + fromHere(c.Attrs["dest"])
	}
	var parts []string
	for _, job := range p.Jobs {
		parts = append(parts, builder.PlatformRef(name, job.Platform))
	}
	if r.severalWrite(s, p) {
		return fmt.Sprintf("the cache of each platform goes to %s, and all that are there are joined as %s", strings.Join(parts, ", "), name)
	}
	return fmt.Sprintf("the cache goes to %s; where other platforms have theirs beside it, to %s, and all are joined as %[1]s", name, strings.Join(parts, ", "))
}

// fromHere is a folder as a user here would write it.
func fromHere(folder string) string {
	here, err := os.Getwd()
	if err != nil {
		return folder
	}
	if name, err := filepath.Rel(here, folder); err == nil && filepath.IsLocal(name) {
		return name
	}
	return folder
}
