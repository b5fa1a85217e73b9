package guard

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// NewResults guards a store that a node writes into: it sees what it has written there
// itself, or could have, since it knows the digest of what it was about to write. Nothing is removed.
func NewResults(store content.Store, book *Book) *Results {
	return &Results{Store: store, book: book, own: map[digest.Digest]bool{}, brought: map[digest.Digest]bool{}, begun: map[digest.Digest]bool{}}
}

// Results is such a store. It knows what came from the node, and when.
type Results struct {
	content.Store
	book *Book

	mu  sync.Mutex
	own map[digest.Digest]bool
	// brought is what the node has written, or was about to when it was found here already.
	brought map[digest.Digest]bool
	// begun is what the node has begun to write.
	begun map[digest.Digest]bool
	pace  pace
}

func (r *Results) add(d digest.Digest) {
	if d == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.own[d] = true
	r.brought[d] = true
}

// bring notes a blob that the node came with and that was here before.
func (r *Results) bring(d digest.Digest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.brought[d] = true
}

// Brought says whether the node came with a blob in this session: its bytes are those of
// its digest, since either they were hashed when they came or they were here already. What a
// node only names is none of it: it may be what another one built for somebody else.
func (r *Results) Brought(d digest.Digest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.brought[d]
}

// begin notes a blob that the node has begun to write.
func (r *Results) begin(d digest.Digest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun[d] = true
}

// hasBegun says whether asking for a blob is part of writing it: the content protocol asks for the blob
// with each piece that comes, and meanwhile another session may have finished the same one.
func (r *Results) hasBegun(d digest.Digest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begun[d]
}

func (r *Results) has(d digest.Digest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.own[d]
}

// Info of a blob. A node asks before it writes, and is told of what is its own only: what
// others have written before it is found out by Writer, which wants a digest.
func (r *Results) Info(ctx context.Context, d digest.Digest) (content.Info, error) {
	if !r.has(d) {
		if _, err := r.Store.Info(ctx, d); err == nil && !r.hasBegun(d) {
			r.book.note(Content, "blob "+d.String())
		}
		return content.Info{}, errdefs.ErrNotFound
	}
	return r.Store.Info(ctx, d)
}

// ReaderAt opens a blob.
func (r *Results) ReaderAt(ctx context.Context, desc ocispecs.Descriptor) (content.ReaderAt, error) {
	if !r.has(desc.Digest) {
		r.book.note(Content, "blob "+desc.Digest.String())
		return nil, errdefs.ErrNotFound
	}
	return r.Store.ReaderAt(ctx, desc)
}

// Walk lists blobs.
func (r *Results) Walk(ctx context.Context, fn content.WalkFunc, filters ...string) error {
	return r.Store.Walk(ctx, func(info content.Info) error {
		if !r.has(info.Digest) {
			return nil
		}
		return fn(info)
	}, filters...)
}

// Update changes the labels of a blob.
func (r *Results) Update(ctx context.Context, info content.Info, fields ...string) (content.Info, error) {
	if !r.has(info.Digest) {
		return content.Info{}, errdefs.ErrNotFound
	}
	return r.Store.Update(ctx, info, fields...)
}

// Delete is refused.
func (r *Results) Delete(_ context.Context, d digest.Digest) error {
	return r.book.Refuse(Content, "removal of "+d.String())
}

// Writer begins a blob.
func (r *Results) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	var o content.WriterOpts
	for _, opt := range opts {
		if err := opt(&o); err != nil {
			return nil, err
		}
	}
	w, err := r.Store.Writer(ctx, opts...)
	if errdefs.IsAlreadyExists(err) && o.Desc.Digest != "" {
		r.bring(o.Desc.Digest)
	}
	if err != nil {
		return nil, err
	}
	if o.Desc.Digest != "" {
		r.begin(o.Desc.Digest)
	}
	r.pace.begin()
	return &resultWriter{Writer: w, to: r, closed: sync.OnceFunc(r.pace.end)}, nil
}

type resultWriter struct {
	content.Writer
	to     *Results
	closed func()
}

func (w *resultWriter) Write(p []byte) (int, error) {
	defer w.to.pace.here()()
	return w.Writer.Write(p)
}

func (w *resultWriter) Close() error {
	w.closed()
	return w.Writer.Close()
}

func (w *resultWriter) Commit(ctx context.Context, size int64, expected digest.Digest, opts ...content.Opt) error {
	defer w.to.pace.here()()
	err := w.Writer.Commit(ctx, size, expected, opts...)
	switch {
	case err == nil:
		w.to.add(w.Digest())
	case errdefs.IsAlreadyExists(err) && expected != "": // another node was faster
		w.to.bring(expected)
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

// NewHanded guards a store of which a node sees the blobs that it was handed, and no other.
func NewHanded(store content.Store, book *Book) *Handed {
	return &Handed{readOnly: readOnly{store, book}, blobs: map[digest.Digest]bool{}}
}

// Handed is such a store. It counts what is read.
type Handed struct {
	readOnly
	mu    sync.Mutex
	blobs map[digest.Digest]bool
	read  atomic.Int64
}

// Hand lets the node read blobs from now on.
func (h *Handed) Hand(blobs []digest.Digest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range blobs {
		h.blobs[d] = true
	}
}

// Read is how many bytes the node has read so far.
func (h *Handed) Read() int64 { return h.read.Load() }

func (h *Handed) check(d digest.Digest) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.blobs[d] {
		h.book.note(Content, "blob "+d.String())
		return errdefs.ErrNotFound
	}
	return nil
}

// Info of a blob.
func (h *Handed) Info(ctx context.Context, d digest.Digest) (content.Info, error) {
	if err := h.check(d); err != nil {
		return content.Info{}, err
	}
	return h.Store.Info(ctx, d)
}

// ReaderAt opens a blob.
func (h *Handed) ReaderAt(ctx context.Context, desc ocispecs.Descriptor) (content.ReaderAt, error) {
	if err := h.check(desc.Digest); err != nil {
		return nil, err
	}
	r, err := h.Store.ReaderAt(ctx, desc)
	if err != nil {
		return nil, err
	}
	return countedReader{r, &h.read}, nil
}

// Walk lists blobs.
func (h *Handed) Walk(ctx context.Context, fn content.WalkFunc, filters ...string) error {
	return h.Store.Walk(ctx, func(info content.Info) error {
		h.mu.Lock()
		handed := h.blobs[info.Digest]
		h.mu.Unlock()
		if !handed {
			return nil
		}
		return fn(info)
	}, filters...)
}

type countedReader struct {
	content.ReaderAt
	to *atomic.Int64
}

func (r countedReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(p, off)
	r.to.Add(int64(n))
	return n, err
}
