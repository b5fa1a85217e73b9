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
	// Was holds what tags named when somebody looked, by full name; empty is a tag that was
	// new. One that names something else by now is not moved: *AppendError.
	Was map[string]digest.Digest
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
	done, err := pushAll(ctx, reg, []*parcel{{shipment: s, names: names}}, opts)
	return done[0], err
}

// Delivery is an assembly, or an index of results, and the names that it gets.
type Delivery struct {
	*Assembly
	// Index takes the place of the assembly.
	Index *Index
	Names []string
}

func (d Delivery) shipped() shipment {
	if d.Index != nil {
		return d.Index.shipment
	}
	return d.shipment
}

// PushAll pushes several indexes as one: no tag of any moves before everything of
// all of them is there, and when one tag cannot be moved, none is. It tells of
// each delivery, in their order, also with an error.
func PushAll(ctx context.Context, reg *registry.Client, list []Delivery, opts PushOptions) ([]Pushed, error) {
	var parcels []*parcel
	for _, d := range list {
		parcels = append(parcels, &parcel{shipment: d.shipped(), names: d.Names})
	}
	return pushAll(ctx, reg, parcels, opts)
}

// parcel is a shipment, and where it goes.
type parcel struct {
	shipment
	names []string
	repos []string
	moves []*move
}

// address reads the names.
func (p *parcel) address(opts PushOptions) error {
	repos, tags, err := destinations(p.names, opts.ByDigest)
	if err != nil {
		return err
	}
	p.repos = repos
	p.moves, err = p.shipment.moves(tags, opts.ChildTags)
	for _, m := range p.moves {
		if was, looked := opts.Was[m.name]; looked {
			m.match = &was
		}
	}
	return err
}

func pushAll(ctx context.Context, reg *registry.Client, parcels []*parcel, opts PushOptions) ([]Pushed, error) {
	done := make([]Pushed, len(parcels))
	moves, err := addressed(parcels, opts)
	if err != nil {
		return done, err
	}
	t := tagger{reg, opts.IfMatch}
	tell := func() {
		for i, p := range parcels {
			done[i].Tags = told(p.moves)
		}
	}
	for i := range done {
		done[i].Tags, done[i].References = []Tag{}, []string{}
	}
	if opts.IfMatch != "" || len(opts.Was) > 0 { // Nothing is sent for tags that may not move.
		if err := each(moves, func(m *move) error { return t.look(ctx, m) }); err != nil {
			tell()
			return done, err
		}
	}
	for i, p := range parcels {
		if err := p.send(ctx, reg, opts.Journal, &done[i]); err != nil {
			return done, err
		}
	}
	err = t.all(ctx, moves)
	tell()
	return done, err
}

// addressed reads all names, and gives the tags of all parcels.
func addressed(parcels []*parcel, opts PushOptions) ([]*move, error) {
	var moves []*move
	named := map[string]digest.Digest{}
	for _, p := range parcels {
		if err := p.address(opts); err != nil {
			return nil, err
		}
		for _, m := range p.moves {
			if other, ok := named[m.name]; ok && other != m.item.Digest {
				return nil, &NameError{m.name, "it is to name two indexes"}
			}
			named[m.name] = m.item.Digest
		}
		moves = append(moves, p.moves...)
	}
	return moves, nil
}

// send fills the repositories, but for tags.
func (p *parcel) send(ctx context.Context, reg *registry.Client, journal Journal, done *Pushed) error {
	to := pusher{shipment: p.shipment, registry: reg, journal: journal, done: done}
	for i, repo := range p.repos {
		if err := to.repository(ctx, repo, p.repos[:i]); err != nil {
			return fmt.Errorf("pushing to %s: %w", repo, err)
		}
		done.References = append(done.References, at(repo, p.root().Digest))
	}
	return nil
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
	done *Pushed
}

// repository makes sure that one repository holds everything, by digest.
// before are the repositories that hold it already.
func (p *pusher) repository(ctx context.Context, repo string, before []string) error {
	missing, err := p.missing(ctx, repo)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		p.journal.done(repo)
		return nil
	}
	d := delivery{pusher: p, repo: repo, before: before, page: p.journal.page(repo)}
	err = d.deliver(ctx, missing)
	if d.trusted.Load() && ctx.Err() == nil && denies(err) {
		// The journal promised a blob that the registry has cleared away.
		d.page.distrust()
		err = d.deliver(ctx, missing)
	}
	d.page.close(err == nil)
	return err
}

// denies tells whether a registry did not take what it was given: it may lack
// something that it once had. Not to be reached, or to be refused, is another matter.
func denies(err error) bool {
	var answer *registry.Error
	return errors.As(err, &answer) && (answer.Kind == registry.Invalid || answer.Kind == registry.NotFound || answer.Unsettled())
}

// missing lists what the repository lacks. A manifest that it has needs no look
// at its blobs: a registry takes it only after them.
func (p *pusher) missing(ctx context.Context, repo string) ([]item, error) {
	lacks := make([]bool, len(p.items))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(requests)
	for i, m := range p.items {
		if m.fresh && m.repository == repo {
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

// count notes what an upload did. One that failed is no blob, but has sent.
func (p *pusher) count(up registry.Uploaded, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done.Sent += up.Sent
	if err != nil {
		return
	}
	switch up.Way {
	case registry.Sent:
		p.done.Blobs++
	case registry.Mounted:
		p.done.Mounted++
	}
}
