package manifest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/archbuild/archbuild/internal/registry"
)

// requests is how many questions are asked at once; the registry's own limit
// (registry.Options) may be lower.
const requests = 32

// PushOptions say how to push.
type PushOptions struct {
	// ByDigest pushes no tag; the names must be plain repositories.
	ByDigest bool
	// IfMatch is what a tag has to name for it to be moved; empty means whatever. A
	// tag that is new, or names the image already, is always right.
	IfMatch digest.Digest
	// ChildTags is a pattern for tags of the image of each platform; see ChildTag.
	ChildTags string
	// Journal remembers what was confirmed, for the next try.
	Journal Journal
}

// Pushed tells what a push did.
type Pushed struct {
	Tags []Tag `json:"tags"`
	// References name the index by digest, one for each repository.
	References []string `json:"references"`
	// Sent counts the bytes of blobs that went over the wire, repetitions included.
	Sent int64 `json:"sent"`
	// Blobs counts those sent, Mounted those that the registry took from another of
	// its repositories, Manifests those written (tags and indexes apart).
	Blobs     int `json:"blobs"`
	Mounted   int `json:"mounted"`
	Manifests int `json:"manifests"`
}

// Push sends the image to the repositories of all names and moves the tags.
//
// The order is: blobs, then the manifest of every platform, then the index, all
// by digest and in every repository; then the tags. So a tag never names half
// an image. When something fails no tag is moved: those that were are moved back.
// What a repository holds already is not sent.
func (x Index) Push(ctx context.Context, reg *registry.Client, names []string, opts PushOptions) (Pushed, error) {
	return x.shipment.push(ctx, reg, names, opts)
}

func (s shipment) push(ctx context.Context, reg *registry.Client, names []string, opts PushOptions) (Pushed, error) {
	repos, tags, err := destinations(names, opts.ByDigest)
	if err != nil {
		return Pushed{}, err
	}
	moves, err := s.moves(tags, opts.ChildTags)
	if err != nil {
		return Pushed{}, err
	}
	t := tagger{reg, opts.IfMatch}
	if opts.IfMatch != "" { // Nothing is sent for tags that may not move.
		if err := each(moves, func(m *move) error { return t.look(ctx, m) }); err != nil {
			return Pushed{Tags: told(moves), References: []string{}}, err
		}
	}
	p := pusher{shipment: s, registry: reg, journal: opts.Journal}
	p.done = Pushed{Tags: []Tag{}, References: []string{}}
	for i, repo := range repos {
		if err := p.repository(ctx, repo, repos[:i]); err != nil {
			return p.done, fmt.Errorf("pushing to %s: %w", repo, err)
		}
		p.done.References = append(p.done.References, at(repo, s.root().Digest))
	}
	p.done.Tags, err = t.all(ctx, moves)
	return p.done, err
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
	shipment
	registry *registry.Client
	journal  Journal

	mu   sync.Mutex
	done Pushed
}

// repository makes sure that one repository holds everything, by digest.
// before are the repositories that hold it already.
func (p *pusher) repository(ctx context.Context, repo string, before []string) error {
	missing, err := p.missing(ctx, repo)
	if err != nil || len(missing) == 0 {
		return err
	}
	d := delivery{pusher: p, repo: repo, before: before, page: p.journal.page(repo)}
	err = d.deliver(ctx, missing)
	if err != nil && d.trusted.Load() && ctx.Err() == nil {
		// The journal may have promised a blob that the registry has cleared away.
		if err := d.page.forget(); err != nil {
			return err
		}
		err = d.deliver(ctx, missing)
	}
	return errors.Join(err, d.page.close(err == nil))
}

// missing lists what the repository lacks. A manifest that it has needs no look
// at its blobs: a registry takes it only after them.
func (p *pusher) missing(ctx context.Context, repo string) ([]item, error) {
	lacks := make([]bool, len(p.items))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(requests)
	for i, m := range p.items {
		if !m.made && m.repository == repo {
			continue // It was read from there.
		}
		group.Go(func() error {
			there, err := hasManifest(ctx, p.registry, at(repo, m.Digest))
			lacks[i] = !there
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var missing []item
	for i, m := range p.items {
		if lacks[i] {
			missing = append(missing, m)
		}
	}
	return missing, nil
}

// hasManifest asks for a manifest by digest.
func hasManifest(ctx context.Context, reg *registry.Client, ref string) (bool, error) {
	_, err := reg.Head(ctx, ref)
	if notFound(err) {
		return false, nil
	}
	return err == nil, err
}

func notFound(err error) bool {
	var e interface{ NotFound() bool }
	return errors.As(err, &e) && e.NotFound()
}

// count notes what an upload did.
func (p *pusher) count(up registry.Uploaded) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done.Sent += up.Sent
	switch up.Way {
	case registry.Sent:
		p.done.Blobs++
	case registry.Mounted:
		p.done.Mounted++
	}
}
