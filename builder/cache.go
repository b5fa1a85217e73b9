package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/archbuild/archbuild/platform"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/moby/buildkit/cache/remotecache"
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
}

// Caches are those of one session: what its jobs read, and what they write. Each
// job is a solve of its own, and BuildKit writes a cache whole, so that the jobs
// would replace one another's. So every job writes a cache of its own, and
// Result.Caches says which: MergeCaches makes one of them.
//
// The zero value, and nil, are no caches at all.
type Caches struct {
	from, to []Cache
	// scratch is a folder for what BuildKit's client notes of local caches.
	scratch string
	// written are the stores of local caches that jobs write, by job and place in to.
	written map[string]*recording
}

// CacheExport is a cache that one job has written.
type CacheExport struct {
	// To is its place in the list that NewCaches was given.
	To int
	// Manifest in the cache's registry or folder.
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
				warnings = append(warnings, fmt.Sprintf("the cache in %s is not used: %v", cache.Attrs["src"], err))
				continue
			}
		}
		c.from = append(c.from, cache)
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
func (c *Caches) addStores(stores map[string]content.Store) error {
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
		stores[localStore(cache.Attrs["src"])] = store
	}
	for folder, store := range c.written {
		stores[localStore(folder)] = store
	}
	return nil
}

// addTo tells a job's solve of the caches. The maps are the solve's own: BuildKit's
// client writes into them.
func (c *Caches) addTo(opt *client.SolveOpt, p platform.Platform) {
	if c == nil {
		return
	}
	for _, cache := range c.from {
		opt.CacheImports = append(opt.CacheImports, client.CacheOptionsEntry{Type: cache.Type, Attrs: maps.Clone(cache.Attrs)})
		if cache.Type == CacheGHA { // what a job of this platform wrote, and what others did
			own := maps.Clone(cache.Attrs)
			own["scope"] = scope(cache, p)
			opt.CacheImports = append(opt.CacheImports, client.CacheOptionsEntry{Type: cache.Type, Attrs: own})
		}
	}
	var last []client.CacheOptionsEntry
	for i, cache := range c.to {
		entry := client.CacheOptionsEntry{Type: cache.Type, Attrs: maps.Clone(cache.Attrs)}
		switch cache.Type {
		case CacheLocal:
			entry.Attrs["dest"] = c.note(p, i)
			delete(entry.Attrs, "tag")
			delete(entry.Attrs, "reset")
		case CacheRegistry:
			last = append(last, entry) // the solve's answer is the last one's
			continue
		case CacheGHA:
			entry.Attrs["scope"] = scope(cache, p)
		}
		opt.CacheExports = append(opt.CacheExports, entry)
	}
	opt.CacheExports = append(opt.CacheExports, last...)
}

// scope is a platform's own one of GitHub's cache: nothing there can be merged.
func scope(cache Cache, p platform.Platform) string {
	name := cache.Attrs["scope"]
	if name == "" {
		name = "buildkit"
	}
	return name + "-" + p.Suffix()
}

// exported tells what a job has written.
func (c *Caches) exported(response *client.SolveResponse, p platform.Platform) []CacheExport {
	if c == nil {
		return nil
	}
	var list []CacheExport
	for i, cache := range c.to {
		var manifest digest.Digest
		switch cache.Type {
		case CacheLocal:
			manifest = c.written[c.note(p, i)].last()
		case CacheRegistry:
			var desc ocispecs.Descriptor
			if json.Unmarshal([]byte(response.ExporterResponse[remotecache.ExporterResponseManifestDesc]), &desc) == nil {
				manifest = desc.Digest
			}
		}
		if manifest != "" {
			list = append(list, CacheExport{To: i, Manifest: manifest})
		}
	}
	return list
}

// recording is a store that knows what was written last: a cache's manifest, which
// no answer of BuildKit tells where a build writes several caches.
type recording struct {
	content.Store
	mu     sync.Mutex
	latest digest.Digest
}

func (r *recording) note(d digest.Digest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latest = d
}

func (r *recording) last() digest.Digest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.latest
}

// Writer notes what is asked for: content that is there already is not written again.
func (r *recording) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	var o content.WriterOpts
	for _, opt := range opts {
		if err := opt(&o); err != nil {
			return nil, err
		}
	}
	if o.Desc.Digest != "" {
		r.note(o.Desc.Digest)
	}
	w, err := r.Store.Writer(ctx, opts...)
	if err != nil {
		return nil, err
	}
	return recordingWriter{w, r}, nil
}

type recordingWriter struct {
	content.Writer
	to *recording
}

func (w recordingWriter) Commit(ctx context.Context, size int64, expected digest.Digest, opts ...content.Opt) error {
	if expected != "" {
		w.to.note(expected)
	}
	return w.Writer.Commit(ctx, size, expected, opts...)
}
