package manifest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/ocistore"
	"github.com/archbuild/archbuild/internal/registry"
)

// place is where the bytes of an image lie: the store of a build, a repository,
// a layout or archive, or memory.
type place interface {
	// document reads a manifest, an index or a config; its digest is checked.
	document(ctx context.Context, desc ocispec.Descriptor) ([]byte, error)
	// blob opens a blob at an offset. Read from the start to the end, size and digest
	// are checked.
	blob(ctx context.Context, desc ocispec.Descriptor, offset int64) (io.ReadCloser, error)
	// repository is its full name, empty for a place on this machine.
	repository() string
}

func (s Store) document(_ context.Context, desc ocispec.Descriptor) ([]byte, error) {
	return s.Read(desc)
}

func (s Store) blob(_ context.Context, desc ocispec.Descriptor, offset int64) (io.ReadCloser, error) {
	f, err := s.Open(desc.Digest)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (s Store) repository() string { return "" }

// remembered is the size up to which a config is kept in memory and on the disk,
// so that it is asked for once. There may be a thousand of them.
const remembered = 64 << 10

// remotePlace is a repository of a registry.
type remotePlace struct {
	client *registry.Client
	repo   string
}

func (r remotePlace) document(ctx context.Context, desc ocispec.Descriptor) ([]byte, error) {
	if isManifest(desc.MediaType) {
		_, body, err := r.client.Get(ctx, at(r.repo, desc.Digest))
		return body, err
	}
	if desc.Size > ocistore.MaxDocument {
		return nil, fmt.Errorf("%s in %s: its descriptor says %d bytes, more than %d are not read", desc.Digest, r.repo, desc.Size, ocistore.MaxDocument)
	}
	if desc.Size <= remembered {
		return r.client.Document(ctx, r.repo, desc)
	}
	blob, err := r.client.OpenBlob(ctx, r.repo, desc, 0)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	return io.ReadAll(blob)
}

func (r remotePlace) blob(ctx context.Context, desc ocispec.Descriptor, offset int64) (io.ReadCloser, error) {
	return r.client.OpenBlob(ctx, r.repo, desc, offset)
}

func (r remotePlace) repository() string { return r.repo }

// localPlace is a layout or an archive.
type localPlace struct{ *ocistore.Layout }

func (l localPlace) document(_ context.Context, desc ocispec.Descriptor) ([]byte, error) {
	to, err := toV1(desc)
	if err != nil {
		return nil, err
	}
	return l.Document(to)
}

func (l localPlace) blob(_ context.Context, desc ocispec.Descriptor, offset int64) (io.ReadCloser, error) {
	to, err := toV1(desc)
	if err != nil {
		return nil, err
	}
	body, err := l.Blob(to)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, body, offset); err != nil {
		return nil, errors.Join(fmt.Errorf("reading blob %s: %w", desc.Digest, err), body.Close())
	}
	return body, nil
}

func (l localPlace) repository() string { return "" }

// madePlace holds documents that were made here, over the place of the rest.
type madePlace struct {
	place
	made map[digest.Digest][]byte
}

func (m madePlace) document(ctx context.Context, desc ocispec.Descriptor) ([]byte, error) {
	if body, ok := m.made[desc.Digest]; ok {
		return body, nil
	}
	return m.place.document(ctx, desc)
}

func (m madePlace) blob(ctx context.Context, desc ocispec.Descriptor, offset int64) (io.ReadCloser, error) {
	if body, ok := m.made[desc.Digest]; ok {
		return io.NopCloser(bytes.NewReader(body[min(offset, int64(len(body))):])), nil
	}
	return m.place.blob(ctx, desc, offset)
}

func toV1(desc ocispec.Descriptor) (v1.Descriptor, error) {
	hash, err := v1.NewHash(desc.Digest.String())
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("digest %q: %w", desc.Digest, err)
	}
	return v1.Descriptor{Digest: hash, Size: desc.Size}, nil
}

func fromV1(desc v1.Descriptor) (ocispec.Descriptor, error) {
	var to ocispec.Descriptor
	body, err := json.Marshal(desc)
	if err == nil {
		err = json.Unmarshal(body, &to)
	}
	return to, err
}

// inRepository names a manifest in a repository.
func at(repo string, d digest.Digest) string { return repo + "@" + d.String() }

// repositoryOf is the full name of a reference's repository.
func repositoryOf(ref string) (string, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return "", &NameError{ref, err.Error()}
	}
	return named.Name(), nil
}

// sameRegistry tells whether two repositories are of one registry, so that blobs
// can be mounted from one into the other.
func sameRegistry(a, b string) bool {
	first, errA := reference.ParseNormalizedNamed(a)
	second, errB := reference.ParseNormalizedNamed(b)
	return errA == nil && errB == nil && reference.Domain(first) == reference.Domain(second)
}
