package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/archbuild/archbuild/platform"
	"github.com/containerd/containerd/v2/core/content"
	contentlocal "github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/client/ociindex"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// LocalCache is a cache in a folder, and how it is kept.
type LocalCache struct {
	Folder string
	// Tag of the cache of all platforms there; empty is "latest".
	Tag string
	// Apart: each platform's part has a tag of its own (PlatformTag), and the parts of
	// others that the folder has belong to the whole.
	Apart bool
	// Reset removes blobs that no cache in the folder needs any more.
	Reset bool
}

// FinishLocalCache makes one of the caches that jobs have written into a folder, and
// gives it its tag there. parts are their manifests. Several runs may do so at once.
func FinishLocalCache(ctx context.Context, cache LocalCache, parts map[platform.Platform]digest.Digest) error {
	store, err := contentlocal.NewStore(cache.Folder)
	if err != nil {
		return fmt.Errorf("opening the cache in %s: %w", cache.Folder, err)
	}
	if cache.Tag == "" {
		cache.Tag = latest
	}
	f := &localFinish{LocalCache: cache, store: store, index: ociindex.NewStoreIndex(cache.Folder), parts: map[string]ocispecs.Descriptor{}, temporary: map[digest.Digest]bool{}}
	for _, p := range slices.SortedFunc(maps.Keys(parts), platform.Platform.Compare) {
		part, config, err := readCache(ctx, store, parts[p])
		if err != nil {
			return fmt.Errorf("reading the cache in %s: %w", cache.Folder, err)
		}
		f.parts[PlatformTag(cache.Tag, p)] = ocispecs.Descriptor{MediaType: part.MediaType, Digest: parts[p], Size: int64(len(part.Manifest))}
		f.temporary[parts[p]], f.temporary[config] = true, true
	}
	if err := f.join(ctx); err != nil {
		return fmt.Errorf("writing the cache's index in %s: %w", cache.Folder, err)
	}
	return f.sweep(ctx)
}

// localFinish is the work of FinishLocalCache.
type localFinish struct {
	LocalCache
	store content.Store
	index ociindex.StoreIndex
	// parts are what this run has written, by their tags.
	parts map[string]ocispecs.Descriptor
	// temporary are documents of this run that may be needed no more at the end.
	temporary map[digest.Digest]bool
}

// joinRounds is how often what others have written meanwhile is joined as well.
const joinRounds = 5

// join tags the parts and what they become together. Others may do the same: so it
// looks again afterwards, until nothing has changed since the parts were read.
func (f *localFinish) join(ctx context.Context) error {
	var before map[string]ocispecs.Descriptor
	for range joinRounds {
		if f.Apart {
			if err := f.tagParts(ctx); err != nil {
				return err
			}
		}
		parts, err := f.listed(ctx)
		if err != nil || before != nil && maps.EqualFunc(before, parts, sameDigest) {
			return err
		}
		whole, err := f.merged(ctx, parts)
		if err != nil {
			return err
		}
		if err := f.put(ctx, whole, f.Tag); err != nil || !f.Apart {
			return err
		}
		before = parts
	}
	return nil
}

func sameDigest(a, b ocispecs.Descriptor) bool { return a.Digest == b.Digest }

// tagParts gives those of this run their tags, as far as they do not have them.
func (f *localFinish) tagParts(ctx context.Context) error {
	for _, tag := range slices.Sorted(maps.Keys(f.parts)) {
		var has *ocispecs.Descriptor
		err := patiently(ctx, func() (err error) {
			has, err = f.index.Get(tag)
			if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
			return err
		})
		if err == nil && (has == nil || has.Digest != f.parts[tag].Digest) {
			err = f.put(ctx, f.parts[tag], tag)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *localFinish) put(ctx context.Context, desc ocispecs.Descriptor, tag string) error {
	return patiently(ctx, func() error { return f.index.Put(desc, ociindex.Tag(tag)) })
}

// listed are the parts of the whole: those of this run and, if they are kept apart,
// those of other platforms in the folder.
func (f *localFinish) listed(ctx context.Context) (map[string]ocispecs.Descriptor, error) {
	parts := maps.Clone(f.parts)
	if !f.Apart {
		return parts, nil
	}
	index, err := readIndex(ctx, f.index)
	if err != nil {
		return nil, err
	}
	for _, p := range platform.All() {
		for _, desc := range index.Manifests {
			if tag := PlatformTag(f.Tag, p); desc.Annotations[ocispecs.AnnotationRefName] == tag && parts[tag].Digest == "" {
				parts[tag] = desc
			}
		}
	}
	return parts, nil
}

// merged writes what parts become; a single one is there already. What has gone
// meanwhile, or is no cache, is no part.
func (f *localFinish) merged(ctx context.Context, parts map[string]ocispecs.Descriptor) (ocispecs.Descriptor, error) {
	var documents []CacheDocuments
	for _, tag := range slices.Sorted(maps.Keys(parts)) {
		part, _, err := readCache(ctx, f.store, parts[tag].Digest)
		switch {
		case err == nil:
			documents = append(documents, part)
		case errdefs.IsNotFound(err) || errors.Is(err, ErrNoCache):
		default:
			return ocispecs.Descriptor{}, err
		}
	}
	switch len(documents) {
	case 0:
		return ocispecs.Descriptor{}, ErrNoCache
	case 1:
		return ocispecs.Descriptor{MediaType: documents[0].MediaType, Digest: digest.FromBytes(documents[0].Manifest), Size: int64(len(documents[0].Manifest))}, nil
	}
	merged, err := MergeCaches(ctx, documents)
	if err != nil {
		return ocispecs.Descriptor{}, err
	}
	config, err := writeBlob(ctx, f.store, CacheConfigType, merged.Config)
	if err != nil {
		return ocispecs.Descriptor{}, err
	}
	whole, err := writeBlob(ctx, f.store, merged.MediaType, merged.Manifest)
	f.temporary[config.Digest], f.temporary[whole.Digest] = true, true
	return whole, err
}

// patiently tries for half a second: another run may have a folder's index open, and
// BuildKit gives up at once then.
func patiently(ctx context.Context, do func() error) error {
	for try := 0; ; try++ {
		err := do()
		if err == nil || try == 10 || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func readCache(ctx context.Context, store content.Store, manifest digest.Digest) (part CacheDocuments, config digest.Digest, err error) {
	read := func(d digest.Digest) ([]byte, error) {
		info, err := store.Info(ctx, d)
		if err != nil {
			return nil, err
		}
		return content.ReadBlob(ctx, store, ocispecs.Descriptor{Digest: d, Size: info.Size})
	}
	if part.Manifest, err = read(manifest); err != nil {
		return part, "", err
	}
	m, err := parseCacheManifest(part.Manifest)
	if err != nil {
		return part, "", err
	}
	part.MediaType = m.MediaType
	part.Config, err = read(m.Config.Digest)
	return part, m.Config.Digest, err
}

func writeBlob(ctx context.Context, store content.Store, mediaType string, data []byte) (ocispecs.Descriptor, error) {
	desc := ocispecs.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	err := content.WriteBlob(ctx, store, desc.Digest.String(), bytes.NewReader(data), desc)
	if err != nil {
		return desc, fmt.Errorf("writing a cache: %w", err)
	}
	return desc, nil
}

func readIndex(ctx context.Context, index ociindex.StoreIndex) (listed *ocispecs.Index, err error) {
	err = patiently(ctx, func() (err error) {
		listed, err = index.Read()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading a cache's index: %w", err)
	}
	return listed, nil
}

// sweep removes blobs that nothing in the index leads to: documents of this run, or
// with Reset any.
func (f *localFinish) sweep(ctx context.Context) error {
	listed, err := readIndex(ctx, f.index)
	if err != nil {
		return err
	}
	needed := map[digest.Digest]bool{}
	for _, desc := range listed.Manifests {
		needed[desc.Digest] = true
		part, config, err := readCache(ctx, f.store, desc.Digest)
		if err != nil { // what it is nobody knows, so nothing may go
			return nil
		}
		m, _ := parseCacheManifest(part.Manifest)
		needed[config] = true
		for _, layer := range m.Layers {
			needed[layer.Digest] = true
		}
	}
	var gone []digest.Digest
	err = f.store.Walk(ctx, func(info content.Info) error {
		if (f.Reset || f.temporary[info.Digest]) && !needed[info.Digest] {
			gone = append(gone, info.Digest)
		}
		return nil
	})
	for _, d := range gone {
		if failed := f.store.Delete(ctx, d); failed != nil && !errdefs.IsNotFound(failed) {
			err = errors.Join(err, failed)
		}
	}
	return err
}

// TaggedInFolder tells whether a local cache has a tag.
func TaggedInFolder(folder, tag string) bool {
	desc, err := ociindex.NewStoreIndex(folder).Get(tag)
	return err == nil && desc != nil
}
