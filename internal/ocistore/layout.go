package ocistore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
)

// maxObjects bounds an index.json: an entry has three at most, its platform and its annotations among them.
const maxObjects = 30_000

// Layout is an open OCI layout or archive, for those who want its documents and
// blobs as they lie there rather than images made of them.
type Layout struct {
	// Roots are what its index.json lists: images and indexes.
	Roots []v1.Descriptor

	src    source
	closer io.Closer
	// made holds manifests that exist in memory only: those of a docker save archive.
	made map[v1.Hash][]byte
}

// OpenLayout opens what Open opens. Close it after the last read.
func OpenLayout(name string) (*Layout, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &NoFileError{name}
	}
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		if !IsLocal(name) {
			return nil, fmt.Errorf("reading %s: %w", name, &FormatError{Name: name, Folder: true})
		}
		l := &Layout{src: folder{name}, closer: io.NopCloser(nil)}
		return l, l.readIndex(name)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	l := &Layout{closer: file}
	if err := l.readArchive(file); err != nil {
		return nil, errors.Join(damaged(fmt.Errorf("reading archive %s: %w", name, err)), file.Close())
	}
	return l, nil
}

func (l *Layout) readArchive(file *os.File) error {
	a, err := readArchive(file)
	switch {
	case err != nil:
		return err
	case a.has("index.json"):
		l.src = a
		return l.readIndex(file.Name())
	case !a.has("manifest.json"):
		return &FormatError{Name: file.Name()}
	}
	files, images, err := dockerImages(a)
	if err != nil {
		return err
	}
	l.src, l.made = files, map[v1.Hash][]byte{}
	for _, img := range images {
		desc, err := partial.Descriptor(img)
		if err != nil {
			return err
		}
		if l.made[desc.Digest], err = img.RawManifest(); err != nil {
			return err
		}
		l.Roots = append(l.Roots, *desc)
	}
	return nil
}

func (l *Layout) readIndex(name string) error {
	raw, err := member(l.src, "index.json")
	if err != nil {
		return damaged(fmt.Errorf("reading layout %s: %w", name, err))
	}
	if bytes.Count(raw, []byte("{")) > maxObjects {
		return damaged(fmt.Errorf("reading layout %s: index.json lists too many manifests", name))
	}
	var index v1.IndexManifest
	if err := decode(raw, &index); err != nil {
		return damaged(fmt.Errorf("reading layout %s: index.json: %w", name, err))
	}
	l.Roots = index.Manifests
	return nil
}

// Document reads a manifest, an index or a config, and checks its digest.
func (l *Layout) Document(desc v1.Descriptor) ([]byte, error) {
	if raw, ok := l.made[desc.Digest]; ok {
		return raw, nil
	}
	return document(l.src, desc)
}

// Blob opens a blob; size and digest are checked when it has been read to its end.
func (l *Layout) Blob(desc v1.Descriptor) (io.ReadCloser, error) { return blob(l.src, desc) }

// Close releases an archive's file.
func (l *Layout) Close() error { return l.closer.Close() }
