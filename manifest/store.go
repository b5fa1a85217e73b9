package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/internal/ocistore"
)

// Store is a folder of blobs, blobs/sha256/HEX: a containerd content store, or
// the inner part of an OCI layout. It is what ocistore reads, and here also
// gives blobs away as they are.
type Store struct{ Dir string }

// Path of a blob, which may not be there. Only a well-formed sha256 digest
// becomes a path.
func (s Store) Path(d digest.Digest) (string, error) {
	if err := d.Validate(); err != nil {
		return "", fmt.Errorf("digest %q: %w", d, err)
	}
	if d.Algorithm() != digest.SHA256 {
		return "", fmt.Errorf("digest %q: only sha256 is stored", d)
	}
	return filepath.Join(s.Dir, "blobs", "sha256", d.Encoded()), nil
}

// Open opens a blob; the caller closes it and compares what it reads with the
// digest. One that is not there is an *ocistore.MissingError.
func (s Store) Open(d digest.Digest) (*os.File, error) {
	path, err := s.Path(d)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &ocistore.MissingError{Digest: d.String()}
	}
	return f, err
}

// copy writes a blob, comparing it with its descriptor.
func (s Store) copy(w io.Writer, b ocispec.Descriptor) error {
	f, err := s.Open(b.Digest)
	if err != nil {
		return err
	}
	defer f.Close()
	verifier := b.Digest.Verifier()
	n, err := io.Copy(w, io.TeeReader(f, verifier))
	if err != nil {
		return fmt.Errorf("copying blob %s: %w", b.Digest, err)
	}
	if n != b.Size || !verifier.Verified() {
		return fmt.Errorf("copying blob %s: the content is not what its descriptor says", b.Digest)
	}
	return nil
}

// Read gives the bytes of a manifest, index or config, after comparing them
// with the digest, and with the size if the descriptor tells one.
func (s Store) Read(desc ocispec.Descriptor) ([]byte, error) {
	hash, err := v1.NewHash(desc.Digest.String())
	if err != nil {
		return nil, fmt.Errorf("digest %q: %w", desc.Digest, err)
	}
	return ocistore.Store{Dir: s.Dir}.Bytes(v1.Descriptor{Digest: hash, Size: desc.Size})
}

// read decodes a manifest or an index, and tells its size.
func (s Store) read(desc ocispec.Descriptor) (imagetree.Document, int64, error) {
	body, err := s.Read(desc)
	if err != nil {
		return imagetree.Document{}, 0, err
	}
	doc, err := decode(desc, body)
	return doc, int64(len(body)), err
}

// decode reads a manifest or an index, which is what its descriptor calls it.
func decode(desc ocispec.Descriptor, body []byte) (imagetree.Document, error) {
	doc, err := imagetree.Decode(body)
	if err != nil {
		return doc, fmt.Errorf("reading %s: %w", desc.Digest, err)
	}
	if desc.MediaType != "" && desc.MediaType != doc.MediaType {
		return doc, fmt.Errorf("reading %s: is a %s, its descriptor says %s", desc.Digest, doc.MediaType, desc.MediaType)
	}
	return doc, nil
}
