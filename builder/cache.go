package builder

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/archbuild/archbuild/builder/guard"
	"github.com/archbuild/archbuild/platform"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/ociindex"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Kinds of caches outside the node, as --cache-from and --cache-to call them.
const (
	CacheInline   = "inline"
	CacheLocal    = "local"
	CacheRegistry = "registry"
	CacheGHA      = "gha"
)

// Cache is a place outside the node where results of steps are kept.
type Cache struct {
	Type string
	// Attrs are BuildKit's: ref of a registry's, src and dest (absolute folders) of
	// a local one, mode, compression, …
	Attrs map[string]string
	// For is the platform whose job reads a cache; the zero value is all jobs.
	For platform.Platform
	// Apart says of a cache to write that each platform has its own part, under the
	// tag that PlatformTag gives it.
	Apart bool
}

// Caches are those of one run: what its jobs read, and what they write. Each
// job is a solve of its own, and BuildKit writes a cache whole, so that the jobs
// would replace one another's. So every job writes a cache of its own, and
// MergeCaches makes one of them.
//
// One value serves the sessions with all nodes of a run, at the same time. A job that is
// solved again, there or elsewhere, replaces what it wrote before. The zero value, and nil,
// are no caches at all.
type Caches struct {
	from, to []Cache
	// scratch is a folder for what BuildKit's client notes of local caches.
	scratch string
	// written are the stores of local caches that jobs write, by job and place in to.
	written map[string]*recording
}

// CacheExport is a cache in a folder that one job has written.
type CacheExport struct {
	// To is its place in the list that NewCaches was given.
	To int
	// Manifest in the cache's folder.
	Manifest digest.Digest
}

// NewCaches prepares caches for jobs of these platforms. scratch is an empty folder
// that the caller removes after the session. Local caches that are not there are
// left out and told of in warnings; they need to be offered by the session, so the
// same value goes into Sources and Options.
func NewCaches(from, to []Cache, platforms []platform.Platform, scratch string) (c *Caches, warnings []string, err error) {
	c = &Caches{to: to, scratch: scratch, written: map[string]*recording{}}
	for _, cache := range from {
		if cache.Type == CacheLocal {
			if cache, err = present(cache); err != nil {
				if errors.Is(err, errNoCache) && writes(to, cache.Attrs["src"]) { // the first run has none to read
					continue
				}
				warnings = append(warnings, fmt.Sprintf("the cache in %s is not used: %v", cache.Attrs["src"], err))
				continue
			}
		}
		c.from = append(c.from, cache)
		if cache.Type == CacheGHA { // what jobs of these platforms wrote: nothing there can be merged
			for _, p := range platforms {
				attrs := maps.Clone(cache.Attrs)
				attrs["scope"] = scope(cache, p)
				c.from = append(c.from, Cache{Type: cache.Type, Attrs: attrs, For: p})
			}
		}
	}
	for i, cache := range to {
		if cache.Type != CacheLocal {
			continue
		}
		store, err := openStore(cache.Attrs["dest"])
		if err != nil {
			return nil, warnings, fmt.Errorf("opening %s: %w", cache.Attrs["dest"], err)
		}
		for _, p := range platforms {
			c.written[c.note(p, i)] = &recording{Store: store}
		}
	}
	return c, warnings, nil
}

// writes tells whether a folder gets a cache.
func writes(to []Cache, folder string) bool {
	return slices.ContainsFunc(to, func(c Cache) bool { return c.Type == CacheLocal && c.Attrs["dest"] == folder })
}

// note is the folder that stands for a local cache in what a job's solve is told.
// BuildKit's client keeps its own index there; the folder that the user named gets
// one when all jobs are done.
func (c *Caches) note(p platform.Platform, to int) string {
	return filepath.Join(c.scratch, p.Suffix()+"-"+strconv.Itoa(to))
}

// errNoCache says that a folder holds no cache of the name.
var errNoCache = errors.New("there is no cache in it")

// present finds a local cache's manifest.
func present(cache Cache) (Cache, error) {
	src := cache.Attrs["src"]
	if _, err := os.Stat(filepath.Join(src, ocispecs.ImageIndexFile)); errors.Is(err, fs.ErrNotExist) {
		return cache, errNoCache
	}
	dgst := digest.Digest(cache.Attrs["digest"])
	if dgst == "" {
		tag := cache.Attrs["tag"]
		if tag == "" {
			tag = latest
		}
		desc, err := ociindex.NewStoreIndex(src).Get(tag)
		if err != nil {
			return cache, err
		}
		if desc == nil {
			return cache, errNoCache
		}
		dgst = desc.Digest
	}
	if err := dgst.Validate(); err != nil {
		return cache, err
	}
	if _, err := os.Stat(filepath.Join(src, "blobs", dgst.Algorithm().String(), dgst.Encoded())); err != nil {
		return cache, fmt.Errorf("its manifest %s is missing", dgst)
	}
	attrs := maps.Clone(cache.Attrs)
	attrs["digest"] = dgst.String()
	return Cache{Type: cache.Type, Attrs: attrs}, nil
}

// latest is the tag of a local cache that is given no other.
const latest = "latest"

// localStore is how BuildKit calls a folder's store in a session.
func localStore(folder string) string { return "local:" + folder }

// addStores adds what the session has to offer.
func (c *Caches) addStores(stores map[string]content.Store, refused *guard.Book) error {
	if c == nil {
		return nil
	}
	for _, cache := range c.from {
		if cache.Type != CacheLocal {
			continue
		}
		store, err := openStore(cache.Attrs["src"])
		if err != nil {
			return fmt.Errorf("reading the cache in %s: %w", cache.Attrs["src"], err)
		}
		stores[localStore(cache.Attrs["src"])] = guard.ReadOnly(store, refused)
	}
	for folder, store := range c.written {
		stores[localStore(folder)] = guard.NewResults(store, refused)
	}
	return nil
}

// addTo tells a job's solve of the caches. The maps are the solve's own: BuildKit's
// client writes into them.
func (c *Caches) addTo(opt *client.SolveOpt, p platform.Platform) {
	if c == nil {
		return
	}
	for _, cache := range c.inOrder(p) {
		opt.CacheImports = append(opt.CacheImports, client.CacheOptionsEntry{Type: cache.Type, Attrs: maps.Clone(cache.Attrs)})
	}
	for i, cache := range c.to {
		entry := client.CacheOptionsEntry{Type: cache.Type, Attrs: maps.Clone(cache.Attrs)}
		switch cache.Type {
		case CacheLocal:
			entry.Attrs["dest"] = c.note(p, i)
			delete(entry.Attrs, "tag")
			delete(entry.Attrs, "reset")
			c.written[c.note(p, i)].forget()
		case CacheRegistry:
			if cache.Apart {
				entry.Attrs["ref"] = PlatformRef(cache.Attrs["ref"], p)
			}
		case CacheGHA:
			entry.Attrs["scope"] = scope(cache, p)
		}
		opt.CacheExports = append(opt.CacheExports, entry)
	}
}

// inOrder are the caches that the job of a platform reads: its own, then those of all.
func (c *Caches) inOrder(p platform.Platform) []Cache {
	var own, all []Cache
	for _, cache := range c.from {
		switch cache.For {
		case p:
			own = append(own, cache)
		case platform.Platform{}:
			all = append(all, cache)
		}
	}
	return append(own, all...)
}

// PlatformTag is the tag of one platform's part of a cache: latest-linux-arm64.
func PlatformTag(tag string, p platform.Platform) string {
	if tag == "" {
		tag = latest
	}
	return tag + "-" + strings.ReplaceAll(p.String(), "/", "-")
}

// PlatformRef is the reference of one platform's part of a cache in a registry. It is
// empty where there can be none: ref has a digest, or the tag would be too long.
func PlatformRef(ref string, p platform.Platform) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ""
	}
	if _, pinned := named.(reference.Digested); pinned {
		return ""
	}
	tag := ""
	if tagged, ok := named.(reference.Tagged); ok {
		tag = tagged.Tag()
		ref = strings.TrimSuffix(ref, ":"+tag)
	}
	ref += ":" + PlatformTag(tag, p)
	if _, err := reference.ParseNormalizedNamed(ref); err != nil {
		return ""
	}
	return ref
}

// scope is a platform's own one of GitHub's cache: nothing there can be merged.
func scope(cache Cache, p platform.Platform) string {
	name := cache.Attrs["scope"]
	if name == "" {
		name = "buildkit"
	}
	return name + "-" + p.Suffix()
}

// exported tells what a job has written into folders. No answer of BuildKit tells it where
// a job writes several caches.
func (c *Caches) exported(p platform.Platform) []CacheExport {
	if c == nil {
		return nil
	}
	var list []CacheExport
	for i, cache := range c.to {
		if cache.Type != CacheLocal {
			continue
		}
		if manifest := c.written[c.note(p, i)].last(); manifest != "" {
			list = append(list, CacheExport{To: i, Manifest: manifest})
		}
	}
	return list
}
