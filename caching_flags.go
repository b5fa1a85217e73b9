package archbuild

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/tonistiigi/go-csvvalue"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/nearest"
	"github.com/archbuild/archbuild/manifest"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

// The flags about caches. The last one is both of the others.
const (
	cacheFromFlag = "--cache-from"
	cacheToFlag   = "--cache-to"
	cacheFlag     = "--cache"
)

// caches reads the flags about caches.
func (o Options) caches(args buildArgs) (from, to []builder.Cache, err error) {
	from, wrongFrom := o.parseCaches(cacheFromFlag, o.CacheFrom)
	to, wrongTo := o.parseCaches(cacheToFlag, o.withInlineCache(args))
	moreFrom, wrongMore := o.parseCaches(cacheFlag, o.Cache)
	for _, c := range moreFrom {
		to = append(to, builder.Cache{Type: c.Type, Attrs: toWrite(c.Attrs)})
		from = append(from, builder.Cache{Type: c.Type, Attrs: toRead(c)})
	}
	return from, to, errors.Join(wrongFrom, wrongTo, wrongMore)
}

// toRead are the attributes of --cache that reading understands.
func toRead(c builder.Cache) map[string]string {
	attrs := maps.Clone(c.Attrs)
	maps.DeleteFunc(attrs, func(key, _ string) bool {
		return !slices.Contains(cacheKeys(cacheFromFlag, c.Type), key)
	})
	return attrs
}

// toWrite are those that writing does. Nobody had --cache before, so it may keep what
// is worth keeping: all stages.
func toWrite(attrs map[string]string) map[string]string {
	attrs = maps.Clone(attrs)
	for _, key := range []string{"src", "digest"} { // of a local one to read
		delete(attrs, key)
	}
	if attrs["mode"] == "" {
		attrs["mode"] = "max"
	}
	return attrs
}

// cacheKeys are those that BuildKit reads for a kind of cache.
func cacheKeys(flag, kind string) []string {
	read := map[string][]string{
		builder.CacheRegistry: {"ref", "registry.insecure"},
		builder.CacheLocal:    {"src", "tag", "digest"},
		builder.CacheGHA:      {"scope", "token", "url", "url_v2", "version", "timeout", "repository", "ghtoken"},
	}[kind]
	if flag == cacheFromFlag {
		return read
	}
	form := []string{"mode", "ignore-error", "compression", "compression-level", "force-compression", "oci-mediatypes", "image-manifest"}
	switch kind {
	case builder.CacheInline:
		return []string{"mode"}
	case builder.CacheLocal:
		return append([]string{"dest", "tag", "reset"}, form...)
	case builder.CacheGHA:
		return append(read, "mode", "ignore-error")
	}
	return append(read, form...)
}

// cacheDoubts are keys that BuildKit would pass over: buildx hands on whatever it is
// given, and so does archbuild, but not in silence.
func (r run) cacheDoubts() []string {
	var doubts []string
	look := func(flag string, c builder.Cache) {
		keys := cacheKeys(flag, c.Type)
		for _, key := range slices.Sorted(maps.Keys(c.Attrs)) {
			if !slices.Contains(keys, key) {
				doubts = append(doubts, fmt.Sprintf("%s type=%s: BuildKit knows no %s there%s", flag, c.Type, key, nearest.DidYouMean(key, keys)))
			}
		}
	}
	for _, c := range r.cacheFrom {
		look(cacheFromFlag, c)
	}
	for _, c := range r.cacheTo {
		look(cacheToFlag, c)
	}
	return slices.Compact(doubts)
}

// parseCaches reads a flag about caches: REF[,REF…], or type=TYPE,KEY=VALUE…. With
// --cache a folder may stand for itself.
func (o Options) parseCaches(flag string, list []string) ([]builder.Cache, error) {
	var caches []builder.Cache
	var failed []error
	for _, text := range list {
		if text == "" {
			continue
		}
		fields, err := csvvalue.Fields(text, nil)
		if err == nil && !strings.Contains(text, "=") {
			for _, name := range fields {
				c := shortCache(flag, name)
				failed = append(failed, checkCache(flag, name, c))
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
			failed = append(failed, &wrong.Usage{fmt.Errorf("%s %s: %w", flag, secretless(fields), err), cacheHint(flag)})
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

// shortCache is a cache that is named by one word: a reference, or what no reference is.
func shortCache(flag, name string) builder.Cache {
	if flag == cacheFlag && (strings.HasPrefix(name, ".") || filepath.IsAbs(name)) {
		return builder.Cache{Type: builder.CacheLocal, Attrs: map[string]string{"dest": name}}
	}
	return builder.Cache{Type: builder.CacheRegistry, Attrs: map[string]string{"ref": name}}
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
	switch flag {
	case cacheFromFlag:
		return "write --cache-from REF, or type=registry,ref=REF or type=local,src=FOLDER"
	case cacheFlag:
		return "write --cache REF, or ./FOLDER, or type=registry,ref=REF[,mode=min]"
	}
	return "write --cache-to type=inline, type=registry,ref=REF[,mode=max] or type=local,dest=FOLDER[,mode=max]"
}

// checkCache looks at one cache; text is how messages call it. Folders become absolute.
func checkCache(flag, text string, c builder.Cache) error {
	refuse := func(format string, args ...any) error {
		return &wrong.Usage{fmt.Errorf("%s %s: %w", flag, text, fmt.Errorf(format, args...)), cacheHint(flag)}
	}
	switch c.Type {
	case builder.CacheInline:
		if flag != cacheToFlag {
			return &wrong.Usage{fmt.Errorf("%s %s: an inline cache is found in its image", flag, text), "name the image: --cache-from type=registry,ref=IMAGE"}
		}
	case builder.CacheRegistry:
		if c.Attrs["ref"] == "" {
			return refuse("it needs ref=REF")
		}
		named, err := reference.ParseNormalizedNamed(manifest.Expand(c.Attrs["ref"], "name"))
		if err != nil {
			return refuse("ref %q: %w", c.Attrs["ref"], err)
		}
		if _, pinned := named.(reference.Digested); pinned && flag != cacheFromFlag {
			return refuse("a cache is written under a tag, and %s has a digest", c.Attrs["ref"])
		}
	case builder.CacheLocal:
		if err := checkCacheFolder(flag, c, refuse); err != nil {
			return err
		}
	case builder.CacheGHA:
	case "":
		return refuse("it needs a type")
	default:
		return refuse("archbuild has no cache of type %s", c.Type)
	}
	return checkCacheWords(refuse, c.Attrs)
}

// checkCacheFolder makes the folders of a local cache absolute. --cache takes either of
// the two words for both.
func checkCacheFolder(flag string, c builder.Cache, refuse func(string, ...any) error) error {
	keys := map[string][]string{cacheFromFlag: {"src"}, cacheToFlag: {"dest"}, cacheFlag: {"dest", "src"}}[flag]
	folder := ""
	for _, key := range keys {
		if folder == "" {
			folder = c.Attrs[key]
		}
	}
	if folder == "" {
		return refuse("it needs %s=FOLDER", keys[0])
	}
	path, err := filepath.Abs(folder)
	if err != nil {
		return refuse("%w", err)
	}
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return refuse("%s is a file", folder)
	}
	for _, key := range keys {
		if other := c.Attrs[key]; other != "" && other != folder {
			return refuse("%s and %s are two folders: give one to --cache-from and the other to --cache-to", folder, other)
		}
		c.Attrs[key] = path
	}
	return nil
}

// checkCacheWords looks at the attributes that take one word of a few.
func checkCacheWords(refuse func(string, ...any) error, attrs map[string]string) error {
	if mode := attrs["mode"]; mode != "" && mode != "min" && mode != "max" {
		return refuse("mode is min or max, not %q", mode)
	}
	for _, key := range []string{"oci-mediatypes", "image-manifest", "ignore-error", "force-compression", "reset", "registry.insecure"} {
		if value, said := attrs[key]; said {
			if _, err := strconv.ParseBool(value); err != nil {
				return refuse("%s is true or false, not %q", key, value)
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
