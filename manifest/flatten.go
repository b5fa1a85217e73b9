package manifest

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// image is one platform's file system, ready to be written as plain files.
type image struct {
	store  Store
	layers []ocispec.Descriptor
	files  []file
}

// flatten reads all layers of a result once, for their headers.
func (x Index) flatten(ctx context.Context, r Result) (image, error) {
	doc, _, err := x.store.read(r.Descriptor)
	if err != nil {
		return image{}, err
	}
	fs := newRootfs()
	for i, layer := range doc.Layers {
		err := x.store.entries(ctx, layer, func(n int, h *tar.Header, _ io.Reader) error {
			return fs.apply(h, source{i, n})
		})
		if err != nil {
			return image{}, fmt.Errorf("reading layer %d of %s: %w", i+1, r.Platform, err)
		}
	}
	return image{x.store, doc.Layers, fs.files()}, nil
}

// contents calls write for every regular file, in the order in which the layers
// hold them: the first path of an inode gets the content, the others are left
// to the caller as hard links.
func (m image) contents(ctx context.Context, write func(f file, content io.Reader) error) error {
	first := map[source]file{}
	wanted := make([]int, len(m.layers))
	for _, f := range m.files {
		if _, ok := first[f.source]; !ok && f.header.Typeflag == tar.TypeReg {
			first[f.source] = f
			wanted[f.source.layer]++
		}
	}
	for i, layer := range m.layers {
		if wanted[i] == 0 {
			continue
		}
		err := m.store.entries(ctx, layer, func(n int, _ *tar.Header, content io.Reader) error {
			if f, ok := first[source{i, n}]; ok {
				return write(f, content)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// entries calls visit for every entry of a layer, and compares the whole layer
// with its digest.
func (s Store) entries(ctx context.Context, layer ocispec.Descriptor, visit func(n int, h *tar.Header, content io.Reader) error) error {
	f, err := s.Open(layer.Digest)
	if err != nil {
		return err
	}
	defer f.Close()
	verifier := layer.Digest.Verifier()
	compressed := io.TeeReader(f, verifier)
	plain, err := decompress(compressed)
	if err != nil {
		return fmt.Errorf("blob %s: %w", layer.Digest, err)
	}
	defer plain.Close()
	archive := tar.NewReader(plain)
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("blob %s: %w", layer.Digest, err)
		}
		if err := visit(n, header, archive); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, compressed); err != nil {
		return fmt.Errorf("blob %s: %w", layer.Digest, err)
	}
	if !verifier.Verified() {
		return fmt.Errorf("blob %s: the content has another digest", layer.Digest)
	}
	return nil
}

// decompress tells the compression by the first bytes, as container runtimes do.
func decompress(r io.Reader) (io.ReadCloser, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	magic, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		return gzip.NewReader(buffered)
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		decoder, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		return decoder.IOReadCloser(), nil
	}
	return io.NopCloser(buffered), nil
}
