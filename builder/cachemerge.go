package builder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	contentlocal "github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/cache/remotecache"
	cachev1 "github.com/moby/buildkit/cache/remotecache/v1"
	cachetypes "github.com/moby/buildkit/cache/remotecache/v1/types"
	"github.com/moby/buildkit/client/ociindex"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// CacheDocuments are the two documents of a cache. Its layers are blobs beside them.
type CacheDocuments struct {
	// Manifest names the config and all layers.
	Manifest  []byte
	MediaType string
	// Config tells which steps the layers are results of.
	Config []byte
}

// CacheConfigType is the media type of the config.
const CacheConfigType = cachetypes.CacheConfigMediaTypeV0

// maxCacheConfig is the longest config of a cache that BuildKit reads again.
const maxCacheConfig = 1 << 20

// cacheManifest is a manifest in either of the forms that BuildKit writes: an image
// manifest, or an index that lists everything.
type cacheManifest struct {
	MediaType string                `json:"mediaType"`
	Config    *ocispecs.Descriptor  `json:"config"`
	Layers    []ocispecs.Descriptor `json:"layers"`
	Manifests []ocispecs.Descriptor `json:"manifests"`
}

func parseCacheManifest(manifest []byte) (cacheManifest, error) {
	var m cacheManifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return m, fmt.Errorf("reading a cache's manifest: %w", err)
	}
	for _, desc := range m.Manifests {
		if desc.MediaType == CacheConfigType {
			m.Config = &desc
			continue
		}
		m.Layers = append(m.Layers, desc)
	}
	if m.Config == nil || m.Config.MediaType != CacheConfigType {
		return m, errors.New("reading a cache's manifest: it names no config of a cache")
	}
	return m, nil
}

// CacheConfig finds the config of a cache in its manifest.
func CacheConfig(manifest []byte) (ocispecs.Descriptor, error) {
	m, err := parseCacheManifest(manifest)
	if err != nil {
		return ocispecs.Descriptor{}, err
	}
	return *m.Config, nil
}

// MergeCaches makes one cache of several that share their blobs' place. It has the
// form of the first one. No blob is read.
func MergeCaches(ctx context.Context, parts []CacheDocuments) (CacheDocuments, error) {
	chains := cachev1.NewCacheChains()
	var form cacheManifest
	for i, part := range parts {
		m, err := parseCacheManifest(part.Manifest)
		if err != nil {
			return CacheDocuments{}, err
		}
		if i == 0 {
			form = m
		}
		layers := cachev1.DescriptorProvider{}
		for _, layer := range m.Layers {
			layers[layer.Digest] = cachev1.DescriptorProviderPair{Descriptor: layer}
		}
		if err := cachev1.Parse(part.Config, layers, chains); err != nil {
			return CacheDocuments{}, fmt.Errorf("reading a cache: %w", err)
		}
	}
	config, layers, err := chains.Marshal(ctx)
	if err != nil {
		return CacheDocuments{}, fmt.Errorf("merging caches: %w", err)
	}
	return writeCache(ctx, form, config, layers)
}

// writeCache writes both documents.
func writeCache(ctx context.Context, form cacheManifest, config *cachetypes.CacheConfig, layers cachev1.DescriptorProvider) (CacheDocuments, error) {
	image := len(form.Manifests) == 0
	oci := form.MediaType != images.MediaTypeDockerSchema2ManifestList
	cache, err := remotecache.NewExportableCache(oci, image)
	if err != nil {
		return CacheDocuments{}, fmt.Errorf("merging caches: %w", err)
	}
	for _, layer := range config.Layers {
		of, ok := layers[layer.Blob]
		if !ok {
			return CacheDocuments{}, fmt.Errorf("merging caches: layer %s is in none of them", layer.Blob)
		}
		cache.AddCacheBlob(of.Descriptor)
	}
	cache.FinalizeCache(ctx)
	encoded, err := json.Marshal(config)
	if err != nil {
		return CacheDocuments{}, fmt.Errorf("merging caches: %w", err)
	}
	if len(encoded) > maxCacheConfig {
		return CacheDocuments{}, fmt.Errorf("merging caches: %d bytes say what is in it, and BuildKit reads %d", len(encoded), maxCacheConfig)
	}
	cache.SetConfig(ocispecs.Descriptor{MediaType: CacheConfigType, Digest: digest.FromBytes(encoded), Size: int64(len(encoded))})
	manifest, err := cache.MarshalJSON()
	if err != nil {
		return CacheDocuments{}, fmt.Errorf("merging caches: %w", err)
	}
	return CacheDocuments{Manifest: manifest, MediaType: cache.MediaType(), Config: encoded}, nil
}

// FinishLocalCache makes one of the caches that jobs have written into a folder, and
// gives it the tag there ("latest" if empty). With reset, blobs that no cache in the
// folder needs any more are removed.
func FinishLocalCache(ctx context.Context, folder, tag string, manifests []digest.Digest, reset bool) error {
	store, err := contentlocal.NewStore(folder)
	if err != nil {
		return fmt.Errorf("opening the cache in %s: %w", folder, err)
	}
	var parts []CacheDocuments
	temporary := map[digest.Digest]bool{}
	for _, manifest := range manifests {
		part, config, err := readCache(ctx, store, manifest)
		if err != nil {
			return fmt.Errorf("reading the cache in %s: %w", folder, err)
		}
		parts = append(parts, part)
		temporary[manifest], temporary[config] = true, true
	}
	desc, err := finishCache(ctx, store, manifests, parts)
	if err != nil {
		return err
	}
	if tag == "" {
		tag = latest
	}
	index := ociindex.NewStoreIndex(folder)
	if err := patiently(ctx, func() error { return index.Put(desc, ociindex.Tag(tag)) }); err != nil {
		return fmt.Errorf("writing the cache's index in %s: %w", folder, err)
	}
	return sweepCache(ctx, store, index, func(d digest.Digest) bool { return reset || temporary[d] })
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

// finishCache writes what several caches become; a single one is there already.
func finishCache(ctx context.Context, store content.Store, manifests []digest.Digest, parts []CacheDocuments) (ocispecs.Descriptor, error) {
	if len(parts) == 1 {
		return ocispecs.Descriptor{MediaType: parts[0].MediaType, Digest: manifests[0], Size: int64(len(parts[0].Manifest))}, nil
	}
	merged, err := MergeCaches(ctx, parts)
	if err != nil {
		return ocispecs.Descriptor{}, err
	}
	if _, err := writeBlob(ctx, store, CacheConfigType, merged.Config); err != nil {
		return ocispecs.Descriptor{}, err
	}
	return writeBlob(ctx, store, merged.MediaType, merged.Manifest)
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

// sweepCache removes those blobs of some that nothing in the index leads to.
func sweepCache(ctx context.Context, store content.Store, index ociindex.StoreIndex, some func(digest.Digest) bool) error {
	var listed *ocispecs.Index
	err := patiently(ctx, func() (err error) {
		listed, err = index.Read()
		return err
	})
	if err != nil {
		return fmt.Errorf("reading a cache's index: %w", err)
	}
	needed := map[digest.Digest]bool{}
	for _, desc := range listed.Manifests {
		needed[desc.Digest] = true
		part, config, err := readCache(ctx, store, desc.Digest)
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
	err = store.Walk(ctx, func(info content.Info) error {
		if some(info.Digest) && !needed[info.Digest] {
			gone = append(gone, info.Digest)
		}
		return nil
	})
	for _, d := range gone {
		if failed := store.Delete(ctx, d); failed != nil && !errdefs.IsNotFound(failed) {
			err = errors.Join(err, failed)
		}
	}
	return err
}
