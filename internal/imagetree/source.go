package imagetree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/archbuild/archbuild/internal/ocistore"
	"github.com/archbuild/archbuild/internal/registry"
)

// Opened is a name that was found, in a registry or on this machine.
type Opened struct {
	Source
	// Root is what the name stands for.
	Root ocispec.Descriptor
	// Place tells sources apart: what lies in one, under a digest, is the same for
	// every name in it.
	Place string
	// Repository is its full name, empty for what lies on this machine.
	Repository string
	// Several: the name is a layout of several images, and Root an index made of
	// what it lists. Each of its entries stands for itself.
	Several bool

	referrers func(context.Context, digest.Digest) ([]ocispec.Descriptor, error)
	close     func() error
}

// Close releases what is open on this machine.
func (o *Opened) Close() error { return o.close() }

// Referrers lists what speaks of a manifest by its own word; ok is false where
// nobody can be asked.
func (o *Opened) Referrers(ctx context.Context, d digest.Digest) (list []ocispec.Descriptor, ok bool) {
	if o.referrers == nil {
		return nil, false
	}
	list, err := o.referrers(ctx, d)
	return list, err == nil
}

// Open finds what a word names: an OCI layout, an archive, else a reference.
func Open(ctx context.Context, word string, client *registry.Client) (*Opened, error) {
	name, here := ocistore.LocalName(word)
	if here {
		return openLocal(name)
	}
	name = strings.TrimPrefix(name, "docker://") // as skopeo writes it
	desc, err := client.Descriptor(ctx, name)
	if err != nil {
		return nil, err
	}
	return opened(client, name, desc)
}

// OpenNow is Open, but a reference is looked up by one question to the registry
// itself: no mirror, and nothing that was heard before.
func OpenNow(ctx context.Context, word string, client *registry.Client) (*Opened, error) {
	name, here := ocistore.LocalName(word)
	if here {
		return openLocal(name)
	}
	name = strings.TrimPrefix(name, "docker://")
	desc, raw, err := client.Fetch(ctx, name)
	if err != nil {
		return nil, err
	}
	o, err := opened(client, name, desc)
	if err == nil {
		o.Source = made{o.Source, desc, raw}
	}
	return o, err
}

func opened(client *registry.Client, name string, desc ocispec.Descriptor) (*Opened, error) {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return nil, err // the client has read it
	}
	repo := named.Name()
	return &Opened{
		Source: remote{client, repo}, Root: desc, Place: repo, Repository: repo,
		referrers: func(ctx context.Context, d digest.Digest) ([]ocispec.Descriptor, error) {
			return client.Referrers(ctx, repo, d)
		},
		close: func() error { return nil },
	}, nil
}

func openLocal(name string) (*Opened, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, &ocistore.NoFileError{Name: name}
	}
	if info.IsDir() && !ocistore.IsLocal(name) {
		return nil, fmt.Errorf("reading %s: %w", name, &ocistore.FormatError{Name: name, Folder: true})
	}
	layout, err := ocistore.OpenLayout(name)
	if err != nil {
		return nil, err
	}
	o := &Opened{Source: local{layout}, Place: name, close: layout.Close}
	if err := o.roots(name, layout.Roots); err != nil {
		return nil, errors.Join(err, layout.Close())
	}
	return o, nil
}

// roots makes the root of what a layout lists: the one image there is, under
// whatever names, or an index of all.
func (o *Opened) roots(name string, listed []v1.Descriptor) error {
	if len(listed) == 0 {
		return &EmptyError{name}
	}
	if len(listed) > maxNodes {
		return &LimitError{fmt.Sprintf("%s lists more than %d manifests", name, maxNodes)}
	}
	if !slices.ContainsFunc(listed, func(d v1.Descriptor) bool { return d.Digest != listed[0].Digest }) {
		root, err := fromV1(listed[0])
		o.Root = root
		return err
	}
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	for _, l := range listed {
		desc, err := fromV1(l)
		if err != nil {
			return err
		}
		index.Manifests = append(index.Manifests, desc)
	}
	raw, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return err
	}
	o.Root = ocispec.Descriptor{MediaType: index.MediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	o.Source, o.Several = made{o.Source, o.Root, raw}, true
	return nil
}

// EmptyError says that there is nothing in what was named.
type EmptyError struct{ Name string }

func (e *EmptyError) Error() string { return fmt.Sprintf("%s holds no image", e.Name) }

// Hint says where there is one.
func (e *EmptyError) Hint() string { return "name a layout or an archive with an image in it" }

// local is a layout or an archive.
type local struct{ *ocistore.Layout }

func (l local) Document(_ context.Context, desc ocispec.Descriptor) ([]byte, error) {
	hash, err := hashOf(desc)
	if err != nil {
		return nil, err
	}
	size, err := l.Layout.Size(hash)
	if err == nil && size > MaxDocument {
		return nil, &LimitError{fmt.Sprintf("%s has %d bytes, and no document may have more than %d", desc.Digest, size, MaxDocument)}
	}
	if err != nil {
		return nil, problem(desc, err)
	}
	raw, err := l.Layout.Document(v1.Descriptor{Digest: hash})
	return raw, problem(desc, err)
}

func (l local) Size(_ context.Context, desc ocispec.Descriptor) (int64, error) {
	hash, err := hashOf(desc)
	if err != nil {
		return 0, err
	}
	size, err := l.Layout.Size(hash)
	return size, problem(desc, err)
}

func (l local) Blob(_ context.Context, desc ocispec.Descriptor, offset int64) (io.ReadCloser, error) {
	hash, err := hashOf(desc)
	if err != nil {
		return nil, err
	}
	body, err := l.Layout.Blob(v1.Descriptor{Digest: hash})
	if err != nil {
		return nil, problem(desc, err)
	}
	if _, err := io.CopyN(io.Discard, body, offset); err != nil {
		return nil, errors.Join(problem(desc, err), body.Close())
	}
	return &telling{body, desc}, nil
}

// remote is a repository.
type remote struct {
	client *registry.Client
	repo   string
}

func (r remote) Document(ctx context.Context, desc ocispec.Descriptor) ([]byte, error) {
	kind := types.MediaType(desc.MediaType)
	if kind.IsImage() || kind.IsIndex() || desc.MediaType == "" {
		_, raw, err := r.client.Get(ctx, r.repo+"@"+desc.Digest.String())
		return raw, problem(desc, err)
	}
	raw, err := r.client.Document(ctx, r.repo, desc)
	return raw, problem(desc, err)
}

func (r remote) Size(ctx context.Context, desc ocispec.Descriptor) (int64, error) {
	size, err := r.client.Size(ctx, r.repo, desc)
	return size, problem(desc, err)
}

func (r remote) Blob(ctx context.Context, desc ocispec.Descriptor, offset int64) (io.ReadCloser, error) {
	body, err := r.client.OpenBlob(ctx, r.repo, desc, offset)
	if err != nil {
		return nil, problem(desc, err)
	}
	return &telling{body, desc}, nil
}

// made is a source with one document more.
type made struct {
	Source
	desc ocispec.Descriptor
	raw  []byte
}

func (m made) Document(ctx context.Context, desc ocispec.Descriptor) ([]byte, error) {
	if desc.Digest == m.desc.Digest {
		return m.raw, nil
	}
	return m.Source.Document(ctx, desc)
}

func (m made) Size(ctx context.Context, desc ocispec.Descriptor) (int64, error) {
	if desc.Digest == m.desc.Digest {
		return m.desc.Size, nil
	}
	return m.Source.Size(ctx, desc)
}

// telling turns the errors of a body into problems.
type telling struct {
	io.ReadCloser
	desc ocispec.Descriptor
}

func (t *telling) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = problem(t.desc, err)
	}
	return n, err
}

// problem makes a *Problem of errors that say something of the blob; others stay.
func problem(desc ocispec.Descriptor, err error) error {
	var missing *ocistore.MissingError
	var other *ocistore.DigestError
	var answered *registry.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &missing):
		return &Problem{Missing, desc.Digest, fmt.Sprintf("%s is not there", desc.Digest)}
	case errors.As(err, &other):
		return &Problem{Digest, desc.Digest, fmt.Sprintf("%s holds other bytes: their digest is %s", desc.Digest, other.Got)}
	case errors.As(err, &answered) && answered.Kind == registry.NotFound:
		return &Problem{Missing, desc.Digest, fmt.Sprintf("%s is not in the registry", desc.Digest)}
	case errors.As(err, &answered) && answered.Kind == registry.Damaged:
		return &Problem{Digest, desc.Digest, fmt.Sprintf("%s is not what its descriptor says: %v", desc.Digest, answered.Err)}
	case errors.As(err, &answered) && answered.Kind == registry.Invalid:
		return &Problem{Invalid, desc.Digest, fmt.Sprintf("%s cannot be read: %v", desc.Digest, answered.Err)}
	case errors.As(err, &answered), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return &UnreadableError{desc.Digest, err}
}

// UnreadableError says that something lies in a layout or archive that cannot be read.
type UnreadableError struct {
	Digest digest.Digest
	Err    error
}

func (e *UnreadableError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *UnreadableError) Unwrap() error { return e.Err }

// Hint says what a blob has to be.
func (e *UnreadableError) Hint() string {
	return "every blob is a regular file in the layout itself, readable by this user; copy the image again"
}

func hashOf(desc ocispec.Descriptor) (v1.Hash, error) {
	hash, err := v1.NewHash(desc.Digest.String())
	if err != nil {
		return hash, &Problem{Invalid, desc.Digest, fmt.Sprintf("%q is no digest", desc.Digest)}
	}
	return hash, nil
}

func fromV1(desc v1.Descriptor) (to ocispec.Descriptor, err error) {
	raw, err := json.Marshal(desc)
	if err == nil {
		err = json.Unmarshal(raw, &to)
	}
	return to, err
}
