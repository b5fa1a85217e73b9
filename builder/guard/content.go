package guard

import (
	"context"
	"sync"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Results guards a store that a node writes into: it sees what it has written there
// itself, or could have, since it knows the digest of what it was about to write. Nothing is removed.
func Results(store content.Store, book *Book) content.Store {
	return &results{Store: store, book: book, own: map[digest.Digest]bool{}}
}

type results struct {
	content.Store
	book *Book

	mu  sync.Mutex
	own map[digest.Digest]bool
}

func (r *results) add(d digest.Digest) {
	if d == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.own[d] = true
}

func (r *results) has(d digest.Digest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.own[d]
}

// Info of a blob. A node asks before it writes, and is told of what is its own only: what
// others have written before it is found out by Writer, which wants a digest.
func (r *results) Info(ctx context.Context, d digest.Digest) (content.Info, error) {
	if !r.has(d) {
		if _, err := r.Store.Info(ctx, d); err == nil {
			r.book.note(Content, "blob "+d.String())
		}
		return content.Info{}, errdefs.ErrNotFound
	}
	return r.Store.Info(ctx, d)
}

// ReaderAt opens a blob.
func (r *results) ReaderAt(ctx context.Context, desc ocispecs.Descriptor) (content.ReaderAt, error) {
	if !r.has(desc.Digest) {
		r.book.note(Content, "blob "+desc.Digest.String())
		return nil, errdefs.ErrNotFound
	}
	return r.Store.ReaderAt(ctx, desc)
}

// Walk lists blobs.
func (r *results) Walk(ctx context.Context, fn content.WalkFunc, filters ...string) error {
	return r.Store.Walk(ctx, func(info content.Info) error {
		if !r.has(info.Digest) {
			return nil
		}
		return fn(info)
	}, filters...)
}

// Update changes the labels of a blob.
func (r *results) Update(ctx context.Context, info content.Info, fields ...string) (content.Info, error) {
	if !r.has(info.Digest) {
		return content.Info{}, errdefs.ErrNotFound
	}
	return r.Store.Update(ctx, info, fields...)
}

// Delete is refused.
func (r *results) Delete(_ context.Context, d digest.Digest) error {
	return r.book.Refuse(Content, "removal of "+d.String())
}

// Writer begins a blob.
func (r *results) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	var o content.WriterOpts
	for _, opt := range opts {
		if err := opt(&o); err != nil {
			return nil, err
		}
	}
	w, err := r.Store.Writer(ctx, opts...)
	if err != nil {
		return nil, err
	}
	return &resultWriter{w, r}, nil
}

type resultWriter struct {
	content.Writer
	to *results
}

func (w *resultWriter) Commit(ctx context.Context, size int64, expected digest.Digest, opts ...content.Opt) error {
	err := w.Writer.Commit(ctx, size, expected, opts...)
	if err == nil {
		w.to.add(w.Digest())
	}
	return err
}

// ReadOnly guards a store that a node only reads: a layout of the user's.
func ReadOnly(store content.Store, book *Book) content.Store { return readOnly{store, book} }

type readOnly struct {
	content.Store
	book *Book
}

func (r readOnly) Delete(_ context.Context, d digest.Digest) error {
	return r.book.Refuse(Content, "removal of "+d.String())
}

func (r readOnly) Writer(context.Context, ...content.WriterOpt) (content.Writer, error) {
	return nil, r.book.Refuse(Content, "writing into a layout")
}

func (r readOnly) Update(context.Context, content.Info, ...string) (content.Info, error) {
	return content.Info{}, r.book.Refuse(Content, "labels in a layout")
}
