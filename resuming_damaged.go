package archbuild

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/manifest"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// heal looks, after something has failed, whether blobs in the content store are not what
// their names say: a disk can do that. They are removed, for as long as they are there
// no node sends them again, and each run would fail the same way.
func (m *making) heal(ctx context.Context, failed error) {
	if failed == nil || ctx.Err() != nil || errors.As(failed, new(interface{ ExitStatus() int })) {
		return
	}
	for _, b := range m.built {
		if b.Err != nil || b.Descriptor.Digest == "" {
			continue
		}
		for _, blob := range m.store.damagedOf(b.Descriptor) {
			if !m.store.remove(blob) {
				continue
			}
			fmt.Fprintf(m.warn(), "archbuild: warning: %s was damaged in the content store, and is removed there\n", blob)
			fmt.Fprintf(m.warn(), "archbuild: hint: run it again: %s is built once more\n", b.Platform)
		}
	}
}

// remove drops a blob.
func (s store) remove(blob digest.Digest) bool {
	path, err := manifest.Store{Dir: s.dir}.Path(blob)
	return err == nil && os.Remove(path) == nil
}

// damagedOf lists blobs of an image that are not what their names say.
func (s store) damagedOf(image ocispec.Descriptor) []digest.Digest {
	var list []digest.Digest
	todo := []ocispec.Descriptor{image}
	seen := map[digest.Digest]bool{}
	for len(todo) > 0 && len(seen) < mostBlobs {
		at := todo[0]
		todo = todo[1:]
		if seen[at.Digest] {
			continue
		}
		seen[at.Digest] = true
		path, err := manifest.Store{Dir: s.dir}.Path(at.Digest)
		if err != nil {
			continue
		}
		if damaged(path, at.Digest) {
			list = append(list, at.Digest)
			continue
		}
		body, err := manifest.Store{Dir: s.dir}.Read(at)
		if err != nil {
			continue // a layer is too long for a document
		}
		doc, err := imagetree.Decode(body)
		if err != nil {
			continue
		}
		todo = append(append(todo, doc.Manifests...), doc.Layers...)
		if doc.Config != nil {
			todo = append(todo, *doc.Config)
		}
	}
	return list
}

// damaged says whether a file can be read and is not what its name says.
func damaged(path string, want digest.Digest) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	is, err := want.Algorithm().FromReader(file)
	return err == nil && is != want
}
