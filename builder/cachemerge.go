package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/moby/buildkit/cache/remotecache"
	cachev1 "github.com/moby/buildkit/cache/remotecache/v1"
	cachetypes "github.com/moby/buildkit/cache/remotecache/v1/types"
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

var (
	// ErrNoCache says of a manifest that it is something else than a cache.
	ErrNoCache = errors.New("reading a cache's manifest: it names no config of a cache")
	// ErrCacheTooLong says that BuildKit would not read what several caches become together.
	ErrCacheTooLong = errors.New("together they are too long")
)

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
		return m, ErrNoCache
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
	var digests []string
	for _, part := range parts {
		digests = append(digests, digest.FromBytes(part.Manifest).String())
	}
	return writeCache(ctx, form, config, layers, strings.Join(digests, ","))
}

// partsAnnotation lists, in the manifest of a cache, the manifests that it was made of.
const partsAnnotation = "io.github.archbuild.cache.parts"

// PartsOfCache are the manifests that MergeCaches made a cache of; none if something
// else has written it.
func PartsOfCache(manifest []byte) []digest.Digest {
	var m struct{ Annotations map[string]string }
	if err := json.Unmarshal(manifest, &m); err != nil || m.Annotations[partsAnnotation] == "" {
		return nil
	}
	var parts []digest.Digest
	for _, text := range strings.Split(m.Annotations[partsAnnotation], ",") {
		parts = append(parts, digest.Digest(text))
	}
	return parts
}

// writeCache writes both documents.
func writeCache(ctx context.Context, form cacheManifest, config *cachetypes.CacheConfig, layers cachev1.DescriptorProvider, parts string) (CacheDocuments, error) {
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
		return CacheDocuments{}, fmt.Errorf("merging caches: %w: %d bytes say what is in it, and BuildKit reads %d", ErrCacheTooLong, len(encoded), maxCacheConfig)
	}
	cache.SetConfig(ocispecs.Descriptor{MediaType: CacheConfigType, Digest: digest.FromBytes(encoded), Size: int64(len(encoded))})
	made := map[string]string{partsAnnotation: parts}
	cache.ExportedManifest.Annotations, cache.ExportedIndex.Annotations = made, made
	manifest, err := cache.MarshalJSON()
	if err != nil {
		return CacheDocuments{}, fmt.Errorf("merging caches: %w", err)
	}
	return CacheDocuments{Manifest: manifest, MediaType: cache.MediaType(), Config: encoded}, nil
}
