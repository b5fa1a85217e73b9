// Package ocistore reads images that lie on this machine's disk.
//
// Three things are read, all the same inside: a folder of blobs as containerd's
// local content store keeps it, an OCI image layout, and an archive (a tar) of
// such a layout or of what `docker save` writes.
//
//	blobs/sha256/<hex>   a manifest, a config or a layer: its name is its digest
//	oci-layout           the layout's version (not in a content store)
//	index.json           what the layout holds  (not in a content store)
//
// Nothing in there is trusted: a digest is checked before it becomes a path,
// links that lead out of the folder are refused, documents are bounded, and
// bytes whose digest is not the one asked for are an error, at the latest at
// the end of reading. Nothing is ever fetched: a layer that is not there is an error.
package ocistore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// MaxDocument bounds a manifest, an index and an image config, in bytes.
// Registries refuse larger manifests as well.
const MaxDocument = 4 << 20

// Store is a folder with blobs/sha256 in it. It holds nothing open.
type Store struct{ Dir string }

// Has reports whether the blob is there; its bytes are not read.
func (s Store) Has(digest v1.Hash) bool {
	name, err := blobName(digest)
	if err != nil {
		return false
	}
	info, err := os.Lstat(filepath.Join(s.Dir, name))
	return err == nil && info.Mode().IsRegular()
}

// Bytes reads a document of at most MaxDocument bytes and checks its digest.
// A size of 0 in the descriptor means that it is not known.
func (s Store) Bytes(desc v1.Descriptor) ([]byte, error) {
	return document(folder{s.Dir}, desc)
}

// Image reads the image whose manifest the descriptor names. Only its digest
// is needed; size and media type are checked when they are given. Layers are
// read lazily.
func (s Store) Image(desc v1.Descriptor) (v1.Image, error) { return newImage(folder{s.Dir}, desc) }

// Index reads the index that the descriptor names, as Image does.
func (s Store) Index(desc v1.Descriptor) (v1.ImageIndex, error) {
	return newIndex(folder{s.Dir}, desc)
}

// Put adds a document and tells its digest. A blob appears under its name
// complete or not at all.
func (s Store) Put(content []byte) (v1.Hash, error) {
	sum := sha256.Sum256(content)
	digest := v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
	if s.Has(digest) {
		return digest, nil
	}
	dir := filepath.Join(s.Dir, "blobs", "sha256")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return digest, fmt.Errorf("adding blob: %w", err)
	}
	if err := writeWhole(dir, digest.Hex, content); err != nil {
		return digest, fmt.Errorf("adding blob %s: %w", digest, err)
	}
	return digest, nil
}

func writeWhole(dir, name string, content []byte) error {
	f, err := os.CreateTemp(dir, ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

// source opens a file of a layout by its name: "blobs/sha256/…".
type source interface {
	open(name string) (io.ReadCloser, int64, error)
}

// folder is a layout or content store on disk.
type folder struct{ dir string }

func (f folder) open(name string) (io.ReadCloser, int64, error) {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, 0, err
	}
	defer root.Close()
	// Asked before opening: opening a named pipe would wait for its writer.
	info, err := root.Stat(name)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, &fs.PathError{Op: "open", Path: name, Err: errors.New("no regular file")}
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, 0, err
	}
	return file, info.Size(), nil
}

// blobName is the one place where a digest becomes a path.
func blobName(digest v1.Hash) (string, error) {
	if digest.Algorithm != "sha256" || len(digest.Hex) != 64 ||
		strings.Trim(digest.Hex, "0123456789abcdef") != "" {
		return "", fmt.Errorf("digest %q is not of the form sha256:<64 hexadecimal digits>", digest.String())
	}
	return path.Join("blobs", "sha256", digest.Hex), nil
}

// blob opens a blob; the reader checks size and digest when it comes to the end.
func blob(src source, desc v1.Descriptor) (io.ReadCloser, error) {
	name, err := blobName(desc.Digest)
	if err != nil {
		return nil, err
	}
	file, size, err := src.open(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &MissingError{Digest: desc.Digest.String()}
		}
		return nil, fmt.Errorf("opening blob %s: %w", desc.Digest, err)
	}
	if desc.Size > 0 && size != desc.Size {
		file.Close()
		return nil, fmt.Errorf("blob %s has %d bytes, its descriptor says %d", desc.Digest, size, desc.Size)
	}
	return &checked{file: file, hash: sha256.New(), want: desc.Digest}, nil
}

// MissingError says that a blob is not in the store.
type MissingError struct{ Digest string }

func (e *MissingError) Error() string { return fmt.Sprintf("blob %s is not there", e.Digest) }

// Hint tells what makes a layout incomplete.
func (e *MissingError) Hint() string {
	return "copy the image again with all its platforms (skopeo copy --all), or build it again"
}

// checked hashes what is read and compares at the end.
type checked struct {
	file io.ReadCloser
	hash hash.Hash
	want v1.Hash
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.file.Read(p)
	c.hash.Write(p[:n])
	if err == io.EOF {
		if got := hex.EncodeToString(c.hash.Sum(nil)); got != c.want.Hex {
			return n, &DigestError{Want: c.want.String(), Got: "sha256:" + got}
		}
	}
	return n, err
}

func (c *checked) Close() error { return c.file.Close() }

// document reads a whole small blob.
func document(src source, desc v1.Descriptor) ([]byte, error) {
	r, err := blob(src, desc)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return readBounded(r, desc.Size, desc.Digest.String())
}

// readBounded reads a document, which is probably of that size; 0 says that nobody knows.
func readBounded(r io.Reader, size int64, what string) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(min(max(size, 0), MaxDocument)) + bytes.MinRead)
	n, err := io.Copy(&b, io.LimitReader(r, MaxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	if n > MaxDocument {
		return nil, fmt.Errorf("reading %s: larger than %d bytes", what, MaxDocument)
	}
	return b.Bytes(), nil
}
