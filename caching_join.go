package archbuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/archbuild/archbuild/builder"
	"github.com/archbuild/archbuild/internal/registry"
	"github.com/archbuild/archbuild/platform"
	"github.com/archbuild/archbuild/wrong"
)

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
	if hint := wrong.Hint(e.Err); hint != "" {
		return hint
	}
	return "look whether the place can be written; add ignore-error=true to --cache-to if the build is good without it"
}

// finishCaches makes one cache of those that the platforms have written: under the
// name that was given there is one for all of them.
func (r run) finishCaches(ctx context.Context, s service, built []builder.Result) error {
	var failed []error
	for i, c := range cachesOf(r.cacheTo, s) {
		name := c.Attrs["ref"]
		var err error
		switch c.Type {
		case builder.CacheLocal:
			name = c.Attrs["dest"]
			err = r.finishLocalCache(ctx, c, i, built)
		case builder.CacheRegistry:
			err = r.finishRegistryCache(ctx, c, built)
		}
		if err == nil {
			continue
		}
		err = &CacheError{To: name, Err: err}
		if ignore, _ := strconv.ParseBool(c.Attrs["ignore-error"]); ignore {
			r.cacheWarning(err.Error())
			continue
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

func (r run) finishLocalCache(ctx context.Context, c builder.Cache, to int, built []builder.Result) error {
	parts := map[platform.Platform]digest.Digest{}
	for _, result := range built {
		for _, export := range result.Caches {
			if export.To == to {
				parts[result.Platform] = export.Manifest
			}
		}
	}
	if len(parts) == 0 {
		return nil
	}
	reset, _ := strconv.ParseBool(c.Attrs["reset"])
	return builder.FinishLocalCache(ctx, builder.LocalCache{Folder: c.Attrs["dest"], Tag: c.Attrs["tag"], Apart: r.wasApart(c), Reset: reset}, parts)
}

// wasApart tells what isApart decided.
func (r run) wasApart(c builder.Cache) bool {
	r.cacheTags.mu.Lock()
	defer r.cacheTags.mu.Unlock()
	return r.cacheTags.apart[cacheName(c)]
}

// finishRegistryCache joins the parts of a cache in a registry: those that were
// written now and those of other platforms that are there. Others may do the same at this
// moment; so it looks again afterwards, until no part has changed since it was read. Whoever
// comes last has then seen all.
func (r run) finishRegistryCache(ctx context.Context, c builder.Cache, built []builder.Result) error {
	platforms := platform.All()
	wrote := false
	for _, result := range built {
		if result.Err != nil {
			continue
		}
		wrote = true
		if !slices.Contains(platforms, result.Platform) {
			platforms = append(platforms, result.Platform)
		}
	}
	if !wrote || !r.wasApart(c) { // a single one is under the name already
		return nil
	}
	const rounds = 5
	var before map[string]digest.Digest
	for range rounds {
		parts, err := r.headParts(ctx, partsOf(c.Attrs["ref"], platforms))
		if err != nil || before != nil && maps.Equal(before, parts) || len(parts) == 0 {
			return err
		}
		err = r.joinParts(ctx, c.Attrs["ref"], parts)
		if errors.Is(err, builder.ErrCacheTooLong) { // the parts are good by themselves
			r.cacheWarning(fmt.Sprintf("%s stays as it is: %v; archbuild reads the parts, %s-…", c.Attrs["ref"], err, c.Attrs["ref"]))
			return nil
		}
		if err != nil {
			return err
		}
		before = parts
	}
	return nil
}

// headParts asks what the tags of parts name at this moment.
func (r run) headParts(ctx context.Context, refs []string) (map[string]digest.Digest, error) {
	found, failed := make([]digest.Digest, len(refs)), make([]error, len(refs))
	var wg sync.WaitGroup
	for i, ref := range refs {
		wg.Go(func() {
			desc, err := r.registry.Head(ctx, ref)
			if found[i] = desc.Digest; err != nil && !isMissing(err) {
				failed[i] = err
			}
		})
	}
	wg.Wait()
	parts := map[string]digest.Digest{}
	for i, ref := range refs {
		if failed[i] != nil {
			return nil, failed[i] // the others say the same
		}
		if found[i] != "" {
			parts[ref] = found[i]
		}
	}
	return parts, nil
}

// joinParts gives the name of a cache to what its parts become. Their blobs are in the
// repository; only what lists them is read and written.
func (r run) joinParts(ctx context.Context, ref string, parts map[string]digest.Digest) error {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return err
	}
	repo := reference.TrimNamed(named).String()
	var documents []builder.CacheDocuments
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		document, err := r.cachePart(ctx, repo, parts[part])
		switch {
		case err == nil:
			documents = append(documents, document)
		case isMissing(err) || errors.Is(err, builder.ErrNoCache): // gone meanwhile, or something of that name
		default:
			return err
		}
	}
	whole := builder.CacheDocuments{}
	switch len(documents) {
	case 0:
		return nil
	case 1:
		whole = documents[0]
	default:
		if whole, err = builder.MergeCaches(ctx, documents); err != nil {
			return err
		}
		if err := r.uploadDocument(ctx, repo, whole.Config); err != nil {
			return err
		}
	}
	_, err = r.registry.PutManifest(ctx, reference.TagNameOnly(named).String(), whole.Manifest, whole.MediaType)
	return err
}

// cachePart reads the documents of a cache.
func (r run) cachePart(ctx context.Context, repo string, manifest digest.Digest) (builder.CacheDocuments, error) {
	desc, data, err := r.registry.Get(ctx, repo+"@"+manifest.String())
	if err != nil {
		return builder.CacheDocuments{}, err
	}
	config, err := builder.CacheConfig(data)
	if err != nil {
		return builder.CacheDocuments{}, err
	}
	document, err := r.registry.Document(ctx, repo, config)
	return builder.CacheDocuments{Manifest: data, MediaType: desc.MediaType, Config: document}, err
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
