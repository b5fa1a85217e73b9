package manifest

import (
	"context"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// shipment is what is to be in a repository: documents and the blobs that they
// name, and names for some of them.
type shipment struct {
	// items are manifests and indexes, those below before those that list them. The
	// last is the one that the tags name.
	items []item
	// children are the images of the index, for tags of their own.
	children []ocispec.Descriptor
	// appended is the tag that was added to.
	appended struct {
		name   string
		digest digest.Digest // empty if it was new
	}
}

// item is a manifest or an index on its way, and where it and the blobs it names lie.
type item struct {
	ocispec.Descriptor
	from place
	// repository that holds the blobs; empty for what lies on this machine.
	repository string
	// source is what the user calls that place; empty for what was just built.
	source string
	// made: it was written here, so the repository has the blobs alone.
	made bool
	// fresh: the repository itself has just said that it has it. Of what is below an
	// index it was not asked: that may have come from the disk, or be cleared away.
	fresh bool
}

// root is the document that tags name.
func (s shipment) root() item { return s.items[len(s.items)-1] }

// read gives the item's bytes and the blobs that go before it.
func (i item) read(ctx context.Context) ([]byte, []ocispec.Descriptor, error) {
	body, err := i.from.Document(ctx, i.Descriptor)
	if err != nil {
		return nil, nil, err
	}
	doc, err := decode(i.Descriptor, body)
	return body, doc.Content(), err
}
