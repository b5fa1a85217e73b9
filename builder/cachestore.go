package builder

import (
	"context"
	"sync"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/opencontainers/go-digest"
)

// recording is a store that knows what was written last: a cache's manifest, which
// no answer of BuildKit tells where a build writes several caches.
type recording struct {
	content.Store
	mu     sync.Mutex
	latest digest.Digest
}

func (r *recording) note(d digest.Digest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latest = d
}

// forget is for a job that begins, maybe for the second time.
func (r *recording) forget() { r.note("") }

func (r *recording) last() digest.Digest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.latest
}

// Writer notes what is asked for: content that is there already is not written again.
func (r *recording) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	var o content.WriterOpts
	for _, opt := range opts {
		if err := opt(&o); err != nil {
			return nil, err
		}
	}
	if o.Desc.Digest != "" {
		r.note(o.Desc.Digest)
	}
	w, err := r.Store.Writer(ctx, opts...)
	if err != nil {
		return nil, err
	}
	return recordingWriter{w, r}, nil
}

type recordingWriter struct {
	content.Writer
	to *recording
}

func (w recordingWriter) Commit(ctx context.Context, size int64, expected digest.Digest, opts ...content.Opt) error {
	if expected != "" {
		w.to.note(expected)
	}
	return w.Writer.Commit(ctx, size, expected, opts...)
}
