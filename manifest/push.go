package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// Registry is what pushing needs; *registry.Client of internal/registry is one.
// A reference that does not exist is an error with a method NotFound that
// returns true.
type Registry interface {
	// Head asks the registry itself what a reference names at this moment.
	Head(ctx context.Context, ref string) (ocispec.Descriptor, error)
	// PushLayer sends a blob to the repository of ref unless it is there.
	PushLayer(ctx context.Context, ref string, layer v1.Layer) error
	// PutManifest writes a manifest or an index, byte for byte.
	PutManifest(ctx context.Context, ref string, body []byte, mediaType string) (ocispec.Descriptor, error)
}

// PushOptions say how to push.
type PushOptions struct {
	// ByDigest pushes no tag; the names must be plain repositories.
	ByDigest bool
	// Parallel is the number of blobs on their way at once; 0 means 4.
	Parallel int
}

// TagState says what pushing did to a tag.
type TagState string

const (
	// TagMoved means that the tag was made, or names this image now.
	TagMoved TagState = "moved"
	// TagUnchanged means that the tag named this image before and nothing was written.
	TagUnchanged TagState = "unchanged"
	// TagFailed means that the tag was not written, or names another image again.
	TagFailed TagState = "failed"
)

// Tag is what became of one name.
type Tag struct {
	// Name in full: docker.io/library/app:1.2.
	Name  string   `json:"name"`
	State TagState `json:"state"`
	// Before is the digest that it named before, empty if it was new.
	Before digest.Digest `json:"before,omitempty"`
}

// Pushed tells what a push did.
type Pushed struct {
	Tags []Tag `json:"tags"`
	// References name the index by digest, one for each repository.
	References []string `json:"references"`
	// Sent counts the bytes of blobs that went over the wire, repetitions included.
	Sent int64 `json:"sent"`
	// Blobs counts those sent, Manifests those written (tags and indexes apart).
	Blobs     int `json:"blobs"`
	Manifests int `json:"manifests"`
}

// Push sends the image to the repositories of all names and moves the tags.
//
// The order is: blobs, then the manifest of every platform, then the index, all
// by digest and in every repository; then the tags. So a tag never names half
// an image, and when something fails before the tags, none has moved. What a
// repository holds already is not sent. Tags that failed are all reported, the
// others stay moved.
func (x Index) Push(ctx context.Context, reg Registry, names []string, opts PushOptions) (Pushed, error) {
	repos, tags, err := destinations(names, opts.ByDigest)
	if err != nil {
		return Pushed{}, err
	}
	p := pusher{index: x, registry: reg, parallel: opts.Parallel}
	if p.parallel <= 0 {
		p.parallel = 4
	}
	done := Pushed{Tags: []Tag{}, References: []string{}}
	for i, repo := range repos {
		err := p.repository(ctx, repo, repos[:i])
		done.Sent, done.Blobs, done.Manifests = p.sent.Load(), int(p.blobs.Load()), int(p.manifests.Load())
		if err != nil {
			return done, fmt.Errorf("pushing to %s: %w", repo, err)
		}
		done.References = append(done.References, repo+"@"+x.Descriptor.Digest.String())
	}
	var failed []error
	for _, tag := range tags {
		moved, err := p.tag(ctx, tag)
		done.Tags = append(done.Tags, moved)
		failed = append(failed, err)
	}
	return done, errors.Join(failed...)
}

// CheckNames says whether an image can be pushed to these names, so that this is
// known before it is built. Names that cannot be are a *NameError.
func CheckNames(names []string, byDigest bool) error {
	_, _, err := destinations(names, byDigest)
	return err
}

// destinations are the repositories of names, each once, and the tags.
func destinations(names []string, byDigest bool) (repos, tags []string, err error) {
	if len(names) == 0 {
		return nil, nil, &NameError{"", "there is none to push to"}
	}
	for _, text := range names {
		named, err := reference.ParseNormalizedNamed(text)
		if err != nil {
			return nil, nil, &NameError{text, err.Error()}
		}
		if byDigest && !reference.IsNameOnly(named) {
			return nil, nil, &NameError{text, "push-by-digest pushes no tag, but the name has one"}
		}
		if !slices.Contains(repos, named.Name()) {
			repos = append(repos, named.Name())
		}
	}
	if byDigest {
		return repos, nil, nil
	}
	full, err := fullNames(names)
	for _, name := range full {
		tags = append(tags, name.String())
	}
	return repos, tags, err
}

type pusher struct {
	index    Index
	registry Registry
	parallel int

	sent             atomic.Int64
	blobs, manifests atomic.Int32
}

// repository makes sure that one repository holds the whole image, by digest.
// before are the repositories that hold it already.
func (p *pusher) repository(ctx context.Context, repo string, before []string) error {
	missing, err := p.missing(ctx, repo)
	if err != nil {
		return err
	}
	if err := p.sendBlobs(ctx, repo, before, missing); err != nil {
		return err
	}
	for _, m := range missing {
		body, err := p.index.store.Read(m)
		if err != nil {
			return err
		}
		if _, err := p.registry.PutManifest(ctx, at(repo, m.Digest), body, m.MediaType); err != nil {
			return err
		}
		p.manifests.Add(1)
	}
	ref := at(repo, p.index.Descriptor.Digest)
	if there, err := p.has(ctx, ref); err != nil || there {
		return err
	}
	_, err = p.registry.PutManifest(ctx, ref, p.index.Bytes, p.index.Descriptor.MediaType)
	return err
}

func at(repo string, d digest.Digest) string { return repo + "@" + d.String() }

// has asks for a manifest by digest.
func (p *pusher) has(ctx context.Context, ref string) (bool, error) {
	_, err := p.registry.Head(ctx, ref)
	if notFound(err) {
		return false, nil
	}
	return err == nil, err
}

func notFound(err error) bool {
	var e interface{ NotFound() bool }
	return errors.As(err, &e) && e.NotFound()
}

// missing lists the manifests that the repository lacks. One that it has needs
// no look at its blobs: a registry takes a manifest only after them.
func (p *pusher) missing(ctx context.Context, repo string) ([]ocispec.Descriptor, error) {
	all := p.index.manifests()
	lacks := make([]bool, len(all))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(p.parallel)
	for i, m := range all {
		group.Go(func() error {
			there, err := p.has(ctx, at(repo, m.Digest))
			lacks[i] = !there
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var missing []ocispec.Descriptor
	for i, m := range all {
		if lacks[i] {
			missing = append(missing, m)
		}
	}
	return missing, nil
}

// sendBlobs sends the blobs of the given manifests, each once.
func (p *pusher) sendBlobs(ctx context.Context, repo string, before []string, manifests []ocispec.Descriptor) error {
	seen := map[digest.Digest]bool{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(p.parallel)
	for _, m := range manifests {
		content, err := p.index.content(m)
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		for _, b := range content {
			if seen[b.Digest] {
				continue
			}
			seen[b.Digest] = true
			group.Go(func() error { return p.sendBlob(ctx, repo, before, b) })
		}
	}
	return group.Wait()
}

func (p *pusher) sendBlob(ctx context.Context, repo string, before []string, b ocispec.Descriptor) error {
	layer := &blobLayer{store: p.index.store, desc: b, sent: &p.sent}
	err := p.registry.PushLayer(ctx, repo, mountable(layer, repo, before))
	if layer.opened.Load() {
		p.blobs.Add(1)
	}
	return err
}

// mountable lets the registry take the blob from another of its repositories,
// if one of those that were filled before is in the same registry.
func mountable(layer v1.Layer, repo string, before []string) v1.Layer {
	to, err := name.NewRepository(repo)
	if err != nil {
		return layer
	}
	for _, other := range before {
		from, err := name.NewRepository(other)
		if err == nil && from.RegistryStr() == to.RegistryStr() {
			return &remote.MountableLayer{Layer: layer, Reference: from.Tag("latest")}
		}
	}
	return layer
}

// tag moves one tag and looks whether it stayed: registries know no
// compare-and-swap, another push may have come after ours.
func (p *pusher) tag(ctx context.Context, tag string) (Tag, error) {
	want := p.index.Descriptor
	done := Tag{Name: tag, State: TagFailed}
	now, err := p.registry.Head(ctx, tag)
	switch {
	case err == nil && now.Digest == want.Digest:
		return Tag{Name: tag, State: TagUnchanged, Before: now.Digest}, nil
	case err == nil:
		done.Before = now.Digest
	case !notFound(err):
		return done, fmt.Errorf("moving tag %s: %w", tag, err)
	}
	if _, err := p.registry.PutManifest(ctx, tag, p.index.Bytes, want.MediaType); err != nil {
		return done, fmt.Errorf("moving tag %s: %w", tag, err)
	}
	if now, err = p.registry.Head(ctx, tag); err != nil {
		return done, fmt.Errorf("reading tag %s back: %w", tag, err)
	}
	if now.Digest != want.Digest {
		return done, &TagError{Tag: tag, Want: want.Digest, Got: now.Digest}
	}
	done.State = TagMoved
	return done, nil
}

// blobLayer shows a blob of the store as what go-containerregistry uploads, and
// counts what is read of it.
type blobLayer struct {
	store  Store
	desc   ocispec.Descriptor
	sent   *atomic.Int64
	opened atomic.Bool
}

func (l *blobLayer) Digest() (v1.Hash, error) { return v1.NewHash(l.desc.Digest.String()) }

func (l *blobLayer) Size() (int64, error) { return l.desc.Size, nil }

func (l *blobLayer) MediaType() (types.MediaType, error) {
	return types.MediaType(l.desc.MediaType), nil
}

func (l *blobLayer) DiffID() (v1.Hash, error) {
	return v1.Hash{}, errors.New("not known of a blob")
}

func (l *blobLayer) Uncompressed() (io.ReadCloser, error) {
	return nil, errors.New("a blob is sent as it is")
}

func (l *blobLayer) Compressed() (io.ReadCloser, error) {
	f, err := l.store.Open(l.desc.Digest)
	if err != nil {
		return nil, err
	}
	l.opened.Store(true)
	return struct {
		io.Reader
		io.Closer
	}{io.TeeReader(f, counter{l.sent}), f}, nil
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}
