package archbuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/internal/ui"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/plan"
	"github.com/archbuild/archbuild/platform"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/tonistiigi/go-csvvalue"
)

// parseCaches reads --cache-from or --cache-to: REF[,REF…], or type=TYPE,KEY=VALUE….
func (o Options) parseCaches(flag string, list []string) ([]builder.Cache, error) {
	var caches []builder.Cache
	var failed []error
	for _, text := range list {
		if text == "" {
			continue
		}
		fields, err := csvvalue.Fields(text, nil)
		if err == nil && !strings.Contains(text, "=") {
			for _, ref := range fields {
				c := builder.Cache{Type: builder.CacheRegistry, Attrs: map[string]string{"ref": ref}}
				failed = append(failed, checkCache(flag, ref, c))
				caches = append(caches, c)
			}
			continue
		}
		c := builder.Cache{Attrs: map[string]string{}}
		for _, field := range fields {
			key, value, ok := strings.Cut(field, "=")
			if !ok && err == nil {
				err = fmt.Errorf("%q is not KEY=VALUE", field)
			}
			if key = strings.ToLower(key); key == "type" {
				c.Type = value
				continue
			}
			c.Attrs[key] = value
		}
		if err != nil {
			failed = append(failed, &UsageError{fmt.Errorf("%s %s: %w", flag, secretless(fields), err), cacheHint(flag)})
			continue
		}
		if c.Type == builder.CacheGHA {
			o.addGHA(c.Attrs)
		}
		failed = append(failed, checkCache(flag, secretless(fields), c))
		caches = append(caches, c)
	}
	return caches, errors.Join(failed...)
}

// secretless is the text of a cache without tokens and keys; those of kinds that
// archbuild does not have are not shown either.
func secretless(fields []string) string {
	kept := slices.DeleteFunc(slices.Clone(fields), func(field string) bool {
		key, _, _ := strings.Cut(strings.ToLower(field), "=")
		return strings.Contains(key, "token") || strings.Contains(key, "secret")
	})
	return joinFields(kept)
}

func cacheHint(flag string) string {
	if flag == cacheFromFlag {
		return "write --cache-from REF, or type=registry,ref=REF or type=local,src=FOLDER"
	}
	return "write --cache-to type=inline, type=registry,ref=REF[,mode=max] or type=local,dest=FOLDER[,mode=max]"
}

const (
	cacheFromFlag = "--cache-from"
	cacheToFlag   = "--cache-to"
)

// checkCache looks at one cache; text is how messages call it. Folders become absolute.
func checkCache(flag, text string, c builder.Cache) error {
	wrong := func(format string, args ...any) error {
		return &UsageError{fmt.Errorf("%s %s: %w", flag, text, fmt.Errorf(format, args...)), cacheHint(flag)}
	}
	folder := map[string]string{cacheFromFlag: "src", cacheToFlag: "dest"}[flag]
	switch c.Type {
	case builder.CacheInline:
		if flag == cacheFromFlag {
			return &UsageError{fmt.Errorf("%s %s: an inline cache is found in its image", flag, text), "name the image: --cache-from type=registry,ref=IMAGE"}
		}
	case builder.CacheRegistry:
		if c.Attrs["ref"] == "" {
			return wrong("it needs ref=REF")
		}
		if _, err := reference.ParseNormalizedNamed(manifest.Expand(c.Attrs["ref"], "name")); err != nil {
			return wrong("ref %q: %w", c.Attrs["ref"], err)
		}
	case builder.CacheLocal:
		if c.Attrs[folder] == "" {
			return wrong("it needs %s=FOLDER", folder)
		}
		path, err := filepath.Abs(c.Attrs[folder])
		if err != nil {
			return wrong("%w", err)
		}
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return wrong("%s is a file", c.Attrs[folder])
		}
		c.Attrs[folder] = path
	case builder.CacheGHA:
	case "":
		return wrong("it needs a type")
	default:
		return wrong("archbuild has no cache of type %s", c.Type)
	}
	return checkCacheWords(wrong, c.Attrs)
}

// checkCacheWords looks at the attributes that take one word of a few.
func checkCacheWords(wrong func(string, ...any) error, attrs map[string]string) error {
	if mode := attrs["mode"]; mode != "" && mode != "min" && mode != "max" {
		return wrong("mode is min or max, not %q", mode)
	}
	for _, key := range []string{"oci-mediatypes", "image-manifest", "ignore-error", "force-compression", "reset", "registry.insecure"} {
		if value, said := attrs[key]; said {
			if _, err := strconv.ParseBool(value); err != nil {
				return wrong("%s is true or false, not %q", key, value)
			}
		}
	}
	return nil
}

// addGHA adds where GitHub's cache is, as its runners tell.
func (o Options) addGHA(attrs map[string]string) {
	set := func(key string, names ...string) {
		for _, name := range names {
			if value := o.Getenv(name); value != "" && attrs[key] == "" {
				attrs[key] = value
			}
		}
	}
	set("token", "ACTIONS_RUNTIME_TOKEN")
	second, _ := strconv.ParseBool(o.Getenv("ACTIONS_CACHE_SERVICE_V2"))
	if attrs["version"] == "2" || attrs["version"] == "" && second {
		set("url_v2", "ACTIONS_RESULTS_URL")
	}
	set("url", "ACTIONS_CACHE_URL", "ACTIONS_RESULTS_URL")
}

// checkCaches finds what several builds, or several platforms, cannot write side by side.
func (r run) checkCaches() error {
	var failed []error
	for _, c := range r.cacheTo {
		key := map[string]string{builder.CacheLocal: "dest", builder.CacheRegistry: "ref", builder.CacheGHA: "scope"}[c.Type]
		if name := c.Attrs[key]; key != "" && len(r.Paths) > 1 && manifest.Expand(name, "") == name {
			failed = append(failed, &UsageError{fmt.Errorf("--cache-to type=%s,%s=%s would be the same for %d folders", c.Type, key, name, len(r.Paths)), "put {name} into it: " + key + "=" + name + "-{name}"})
		}
	}
	return errors.Join(failed...)
}

// checkCachesOf finds what the platforms of one folder cannot write together: BuildKit
// tells of one cache in a registry what it has become.
func (r run) checkCachesOf(s service) error {
	registries := 0
	for _, c := range r.cacheTo {
		if c.Type == builder.CacheRegistry {
			registries++
		}
	}
	if registries < 2 || len(s.targets) < 2 {
		return nil
	}
	return &UsageError{errors.New("--cache-to names several caches in registries, for several platforms"), "export to one, and copy it: skopeo copy docker://ONE docker://OTHER"}
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

// openCaches prepares the caches for a session. The caller calls done after it.
func (r run) openCaches(s service, p plan.Plan) (caches *builder.Caches, done func(), err error) {
	if len(r.cacheFrom)+len(r.cacheTo) == 0 {
		return nil, func() {}, nil
	}
	if err := os.MkdirAll(r.store.scratch(), 0o700); err != nil {
		return nil, nil, fmt.Errorf("making a folder for caches: %w", err)
	}
	scratch, err := os.MkdirTemp(r.store.scratch(), "caches-")
	if err != nil {
		return nil, nil, fmt.Errorf("making a folder for caches: %w", err)
	}
	done = func() { os.RemoveAll(scratch) }
	var platforms []platform.Platform
	for _, job := range p.Jobs {
		platforms = append(platforms, job.Platform)
	}
	caches, warnings, err := builder.NewCaches(cachesOf(r.cacheFrom, s), cachesOf(r.cacheTo, s), platforms, scratch)
	for _, warning := range warnings {
		fmt.Fprintf(r.warn(), "archbuild: warning: %s\n", ui.Line(warning))
	}
	if err != nil {
		done()
		return nil, nil, &CacheError{To: "outside the node", Err: err}
	}
	return caches, done, nil
}

// warn is where warnings go: nowhere between the lines of JSON.
func (r run) warn() io.Writer {
	if r.progressMode() == "rawjson" {
		return io.Discard
	}
	return r.Stderr
}

// CacheError says that the image is built but a cache for later builds is not whole.
type CacheError struct {
	To  string
	Err error
}

func (e *CacheError) Error() string { return fmt.Sprintf("writing the cache %s: %v", e.To, e.Err) }

// Unwrap gives the cause.
func (e *CacheError) Unwrap() error { return e.Err }

// Hint says how to do without.
func (e *CacheError) Hint() string {
	if hint := hintOf(e.Err); hint != "" {
		return hint
	}
	return "look whether the place can be written; add ignore-error=true to --cache-to if the build is good without it"
}

// finishCaches makes one cache of those that the platforms have written: under the
// name that was given there is one for all of them.
func (r run) finishCaches(ctx context.Context, s service, built []builder.Result) error {
	var failed []error
	for i, c := range cachesOf(r.cacheTo, s) {
		var parts []digest.Digest
		for _, result := range built {
			for _, export := range result.Caches {
				if export.To == i && !slices.Contains(parts, export.Manifest) {
					parts = append(parts, export.Manifest)
				}
			}
		}
		if len(parts) == 0 {
			continue
		}
		name := c.Attrs["ref"]
		var err error
		if c.Type == builder.CacheLocal {
			name = c.Attrs["dest"]
			reset, _ := strconv.ParseBool(c.Attrs["reset"])
			err = builder.FinishLocalCache(ctx, name, c.Attrs["tag"], parts, reset)
		} else if len(parts) > 1 {
			err = r.finishRegistryCache(ctx, name, parts)
		}
		if err == nil {
			continue
		}
		err = &CacheError{To: name, Err: err}
		if ignore, _ := strconv.ParseBool(c.Attrs["ignore-error"]); ignore {
			fmt.Fprintf(r.warn(), "archbuild: warning: %s\n", ui.Line(err.Error()))
			continue
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// finishRegistryCache merges caches that a repository holds by digest. Their blobs are
// there; only what lists them is read and written.
func (r run) finishRegistryCache(ctx context.Context, ref string, manifests []digest.Digest) error {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return err
	}
	repo := reference.TrimNamed(named).String()
	var parts []builder.CacheDocuments
	for _, dgst := range manifests {
		desc, data, err := r.registry.Get(ctx, repo+"@"+dgst.String())
		if err != nil {
			return err
		}
		config, err := builder.CacheConfig(data)
		if err != nil {
			return err
		}
		document, err := r.registry.Document(ctx, repo, config)
		if err != nil {
			return err
		}
		parts = append(parts, builder.CacheDocuments{Manifest: data, MediaType: desc.MediaType, Config: document})
	}
	merged, err := builder.MergeCaches(ctx, parts)
	if err != nil {
		return err
	}
	if err := r.uploadDocument(ctx, repo, merged.Config); err != nil {
		return err
	}
	_, err = r.registry.PutManifest(ctx, reference.TagNameOnly(named).String(), merged.Manifest, merged.MediaType)
	return err
}

// uploadDocument brings a small blob into a repository.
func (r run) uploadDocument(ctx context.Context, repo string, data []byte) error {
	_, err := r.registry.Upload(ctx, repo, registry.Blob{
		Digest: digest.FromBytes(data), Size: int64(len(data)),
		Open: func(_ context.Context, offset int64) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(data[offset:])), nil
		},
	})
	return err
}

// cacheNotes tell where results of steps are looked for and where they go.
func (r run) cacheNotes() []string {
	var notes []string
	for _, list := range []struct {
		words string
		texts []string
	}{{"steps are also looked for in the cache ", r.CacheFrom}, {"the cache of all platforms goes to ", r.CacheTo}} {
		for _, text := range list.texts {
			if fields, err := csvvalue.Fields(text, nil); err == nil && text != "" {
				notes = append(notes, list.words+secretless(fields))
			}
		}
	}
	return notes
}

// inlineCacheArg is a build argument that stands for --cache-to type=inline.
const inlineCacheArg = "BUILDKIT_INLINE_CACHE"

// withInlineCache is --cache-to with what a build argument asks for.
func (o Options) withInlineCache(args buildArgs) []string {
	wanted, _ := strconv.ParseBool(args.of(platform.Platform{})[inlineCacheArg])
	if !wanted {
		return o.CacheTo
	}
	return append(slices.Clone(o.CacheTo), "type="+builder.CacheInline)
}
