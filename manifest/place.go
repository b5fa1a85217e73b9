package manifest

import (
	"context"
	"errors"
	"io"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// place is where the bytes of an image lie: the store of a build, memory, or
// what imagetree opens (a repository, a layout, an archive).
type place interface {
	// Document reads a manifest, an index or a config; its digest is checked.
	Document(ctx context.Context, desc ocispec.Descriptor) ([]byte, error)
	// Blob opens a blob at an offset. Whoever takes it checks it.
	Blob(ctx context.Context, desc ocispec.Descriptor, offset int64) (io.ReadCloser, error)
}

// Document reads a manifest, an index or a config; see Read.
func (s Store) Document(_ context.Context, desc ocispec.Descriptor) ([]byte, error) {
	return s.Read(desc)
}

// Blob opens a blob at an offset.
func (s Store) Blob(_ context.Context, desc ocispec.Descriptor, offset int64) (io.ReadCloser, error) {
	f, err := s.Open(desc.Digest)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// madePlace holds a document that was made here, over the place of the rest.
type madePlace struct {
	place
	digest digest.Digest
	body   []byte
}

func (m madePlace) Document(ctx context.Context, desc ocispec.Descriptor) ([]byte, error) {
	if desc.Digest == m.digest {
		return m.body, nil
	}
	return m.place.Document(ctx, desc)
}

// at names a manifest in a repository.
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
