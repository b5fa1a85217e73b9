package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/archbuild/archbuild/internal/imagetree"
	"github.com/archbuild/archbuild/internal/registry"
)

// delivery fills one repository.
type delivery struct {
	*pusher
	repo   string
	before []string
	page   *page

	// trusted: a blob was passed over because the journal knows it.
	trusted atomic.Bool

	mu    sync.Mutex
	blobs map[digest.Digest]*sending
}

// sending is a blob on its way.
type sending struct {
	done chan struct{}
	err  error // once it is done
}

// deliver sends manifests, each after its blobs, then, one after the other, the
// indexes, which list them. The first failure ends the rest.
func (d *delivery) deliver(ctx context.Context, missing []item) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	d.blobs = map[digest.Digest]*sending{}
	var indexes []item
	var group errgroup.Group
	group.SetLimit(requests)
	for _, m := range missing {
		if types.MediaType(m.MediaType).IsIndex() {
			indexes = append(indexes, m)
			continue
		}
		group.Go(func() error {
			err := d.manifest(ctx, m)
			if err != nil {
				fail(err)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return context.Cause(ctx)
	}
	for _, x := range indexes {
		if err := d.put(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

// manifest sends the blobs of a manifest, then the manifest.
func (d *delivery) manifest(ctx context.Context, m item) error {
	_, content, err := m.read(ctx)
	if err != nil {
		return err
	}
	var group errgroup.Group
	for _, b := range content {
		group.Go(d.once(ctx, b, m))
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return d.put(ctx, m)
}

func (d *delivery) put(ctx context.Context, m item) error {
	body, _, err := m.read(ctx)
	if err != nil {
		return err
	}
	if err := put(ctx, d.registry, at(d.repo, m.Digest), body, m.MediaType); err != nil {
		return err
	}
	if !types.MediaType(m.MediaType).IsIndex() {
		d.pusher.mu.Lock()
		d.done.Manifests++
		d.pusher.mu.Unlock()
	}
	return nil
}

// once gives the sending of a blob, which happens once though several manifests
// share it; all of them wait for it.
func (d *delivery) once(ctx context.Context, b ocispec.Descriptor, of item) func() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.blobs[b.Digest]; s != nil {
		return func() error {
			<-s.done
			return s.err
		}
	}
	s := &sending{done: make(chan struct{})}
	d.blobs[b.Digest] = s
	return func() error {
		defer close(s.done)
		s.err = d.blob(ctx, b, of)
		return s.err
	}
}

func (d *delivery) blob(ctx context.Context, b ocispec.Descriptor, of item) error {
	if of.repository == d.repo && (of.fresh || of.made) {
		return nil
	}
	if d.page.confirmed(b.Digest) {
		d.trusted.Store(true)
		return nil
	}
	var damage problem
	up, err := d.registry.Upload(ctx, d.repo, registry.Blob{
		Digest: b.Digest, Size: b.Size, From: d.mountable(of), Unfinished: d.page,
		Open: func(ctx context.Context, offset int64) (io.ReadCloser, error) {
			body, err := of.from.Blob(ctx, b, offset)
			return &watched{body, &damage}, damage.note(err)
		},
	})
	d.count(up, err)
	if err == nil {
		d.page.confirm(b.Digest)
	} else if found := damage.get(); found != nil && of.source != "" {
		return fmt.Errorf("reading %s: %w", of.source, found)
	}
	return err
}

// problem is what was found wrong with a blob where it came from.
type problem struct {
	mu    sync.Mutex
	found *imagetree.Problem
}

func (p *problem) note(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	errors.As(err, &p.found)
	return err
}

func (p *problem) get() *imagetree.Problem {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.found
}

// watched is a blob that is read for being sent.
type watched struct {
	io.ReadCloser
	problem *problem
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	return n, w.problem.note(err)
}

// mountable is a repository of the same registry that holds the blob.
func (d *delivery) mountable(of item) string {
	for _, other := range append([]string{of.repository}, d.before...) {
		if other != "" && sameRegistry(other, d.repo) {
			return other
		}
	}
	return ""
}

// settling are the pauses in which a registry may find what it has confirmed.
var settling = []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, time.Second}

// patience is how long an answer may take that is asked for again.
const patience = time.Minute

// put writes a manifest or an index, byte for byte. What it names has been
// confirmed, so a registry that does not know of it is asked again.
func put(ctx context.Context, reg *registry.Client, ref string, body []byte, mediaType string) error {
	return settle(ctx, func() error {
		_, err := reg.PutManifest(ctx, ref, body, mediaType)
		return err
	}, func(e *registry.Error) bool { return e.Unsettled() })
}

// settle does something again, after pauses, while the registry's answer may pass.
func settle(ctx context.Context, do func() error, passes func(*registry.Error) bool) error {
	for try := 0; ; try++ {
		began := time.Now()
		err := do()
		var answer *registry.Error
		if err == nil || try == len(settling) || time.Since(began) > patience || !errors.As(err, &answer) || !passes(answer) {
			return err
		}
		select {
		case <-time.After(settling[try]):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
