package keep

import (
	"fmt"
	"os"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/manifest"
)

// Blob is a blob in the content store.
type Blob struct {
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size"`
	// Outside is a layer that lies on somebody's server, and may not be here.
	Outside bool `json:"-"`
}

// Use makes blobs as good as new, so that they are not pruned, and says whether all of
// them are there as they should be. What is not is removed: a node would not send it again.
func (s Store) Use(blobs []Blob, now time.Time) bool {
	whole := true
	for _, blob := range blobs {
		path, err := manifest.Store{Dir: s.Dir}.Path(blob.Digest)
		if err != nil {
			return false
		}
		info, err := os.Lstat(path)
		switch {
		case err != nil:
			whole = false
		case info.Size() != blob.Size || !info.Mode().IsRegular():
			_ = os.Remove(path)
			whole = false
		default:
			_ = os.Chtimes(path, now, now) // This run holds the store: nothing goes before it ends.
		}
	}
	return whole
}

// mostBlobs bounds what one result is made of.
const mostBlobs = 10_000

// Blobs lists the blobs that an image is made of, or an index with all its children.
func (s Store) Blobs(desc ocispec.Descriptor) ([]Blob, error) {
	var list []Blob
	seen := map[digest.Digest]bool{}
	documents := []ocispec.Descriptor{desc}
	for len(documents) > 0 {
		at := documents[0]
		documents = documents[1:]
		if seen[at.Digest] {
			continue
		}
		body, err := manifest.Store{Dir: s.Dir}.Read(at)
		if err != nil {
			return nil, err
		}
		doc, err := imagetree.Decode(body)
		if err != nil {
			return nil, err
		}
		seen[at.Digest] = true
		list = append(list, Blob{Digest: at.Digest, Size: int64(len(body))})
		documents = append(documents, doc.Manifests...)
		blobs := doc.Layers
		if doc.Config != nil {
			blobs = append(blobs, *doc.Config)
		}
		for _, blob := range blobs {
			if !seen[blob.Digest] {
				seen[blob.Digest] = true
				list = append(list, Blob{blob.Digest, blob.Size, manifest.IsOutside(blob)})
			}
		}
		if len(list) > mostBlobs {
			return nil, fmt.Errorf("%s has more than %d blobs", desc.Digest, mostBlobs)
		}
	}
	return list, nil
}

// Remove drops a blob, and says whether it has.
func (s Store) Remove(blob digest.Digest) bool {
	path, err := manifest.Store{Dir: s.Dir}.Path(blob)
	return err == nil && os.Remove(path) == nil
}

// Damaged lists blobs of an image that are not what their names say.
func (s Store) Damaged(image ocispec.Descriptor) []digest.Digest {
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
		path, err := manifest.Store{Dir: s.Dir}.Path(at.Digest)
		if err != nil {
			continue
		}
		if damaged(path, at.Digest) {
			list = append(list, at.Digest)
			continue
		}
		body, err := manifest.Store{Dir: s.Dir}.Read(at)
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
