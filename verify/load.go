package verify

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/archbuild/archbuild/internal/ocistore"
	"github.com/archbuild/archbuild/platform"
)

// Labelled is an image and the platform its index says it is for.
type Labelled struct {
	Platform platform.Platform
	Digest   v1.Hash
	Image    v1.Image
}

// Remote opens what a reference names in a registry. Exactly one of image and
// index is not nil.
type Remote func(ctx context.Context, ref string) (image v1.Image, index v1.ImageIndex, err error)

// Load turns an argument into images: an OCI layout, an archive, else a
// reference. Every image of an index is listed, attestations are not. Close the
// closer after the last use of the images.
func Load(ctx context.Context, arg string, remote Remote) ([]Labelled, io.Closer, error) {
	if !ocistore.IsLocal(arg) && remote != nil && !looksLikePath(arg) {
		list, err := loadRemote(ctx, arg, remote)
		return list, io.NopCloser(nil), err
	}
	entries, closer, err := ocistore.Open(arg)
	if err != nil {
		return nil, nil, err
	}
	if len(entries) == 0 {
		closer.Close()
		return nil, nil, &EmptyError{arg}
	}
	return labelled(entries), closer, nil
}

// looksLikePath reports what can be no reference, or names something on disk
// that is not a layout.
func looksLikePath(arg string) bool {
	if strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, ".") || strings.HasSuffix(arg, ".tar") {
		return true
	}
	if strings.ContainsAny(arg, ":@") {
		return false
	}
	// A name below a folder that is here is a path, also when it is misspelt.
	first, _, _ := strings.Cut(arg, "/")
	info, err := os.Stat(first)
	return err == nil && info.IsDir()
}

func loadRemote(ctx context.Context, ref string, remote Remote) ([]Labelled, error) {
	image, index, err := remote(ctx, ref)
	if err != nil {
		return nil, err
	}
	var entries []ocistore.Entry
	if index != nil {
		entries, err = ocistore.Entries(index)
	} else {
		var entry ocistore.Entry
		var ok bool
		if entry, ok, err = ocistore.ImageEntry(image); ok {
			entries = []ocistore.Entry{entry}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", ref, err)
	}
	if len(entries) == 0 {
		return nil, &EmptyError{ref}
	}
	return labelled(entries), nil
}

func labelled(entries []ocistore.Entry) []Labelled {
	list := make([]Labelled, len(entries))
	for i, e := range entries {
		list[i] = Labelled(e)
	}
	return list
}

// EmptyError says that there is no image for a platform in what was named.
type EmptyError struct{ Name string }

func (e *EmptyError) Error() string { return fmt.Sprintf("%s holds no image for a platform", e.Name) }

// Hint says what could be there instead.
func (e *EmptyError) Hint() string {
	return "attestations, signatures and other artifacts cannot be verified; name an image"
}
