package manifest

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// WriteArchive writes the OCI layout as a tar archive: entries sorted by name,
// all times zero, owner root. The same index gives the same bytes.
func (x Index) WriteArchive(ctx context.Context, w io.Writer, names []string) error {
	index, err := x.layoutIndex(names)
	if err != nil {
		return err
	}
	blobs, err := x.blobs()
	if err != nil {
		return fmt.Errorf("writing archive: %w", err)
	}
	a := archive{tar.NewWriter(w)}
	if err := a.write(ctx, x, blobs, []document{{"index.json", index}, {"oci-layout", []byte(layoutVersion)}}); err != nil {
		return fmt.Errorf("writing archive: %w", err)
	}
	return nil
}

type archive struct{ *tar.Writer }

// document is a file beside the blobs.
type document struct {
	name string
	body []byte
}

func (a archive) write(ctx context.Context, x Index, blobs []ocispec.Descriptor, documents []document) error {
	for _, dir := range []string{"blobs/", "blobs/sha256/"} {
		if err := a.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: time.Unix(0, 0)}); err != nil {
			return err
		}
	}
	blobs = append(slices.Clone(blobs), x.Descriptor)
	slices.SortFunc(blobs, func(a, b ocispec.Descriptor) int { return cmp.Compare(a.Digest, b.Digest) })
	// An image alone is its own root.
	blobs = slices.CompactFunc(blobs, func(a, b ocispec.Descriptor) bool { return a.Digest == b.Digest })
	for _, b := range blobs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := a.blob(x, b); err != nil {
			return err
		}
	}
	for _, d := range documents {
		if err := a.file(d.name, int64(len(d.body)), func() error { return a.bytes(d.body) }); err != nil {
			return err
		}
	}
	return a.Close()
}

func (a archive) blob(x Index, b ocispec.Descriptor) error {
	return a.file(blobName(b.Digest), b.Size, func() error {
		if b.Digest == x.Descriptor.Digest {
			return a.bytes(x.Bytes)
		}
		return x.store.copy(a, b)
	})
}

func (a archive) file(name string, size int64, content func() error) error {
	if err := a.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0)}); err != nil {
		return err
	}
	return content()
}

func (a archive) bytes(body []byte) error {
	_, err := io.Copy(a, bytes.NewReader(body))
	return err
}
