package verify

import (
	"context"
	"fmt"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// once does each thing once: who comes while it is done waits for it.
type once[T any] struct {
	mu    sync.Mutex
	calls map[string]*call[T]
}

type call[T any] struct {
	done  chan struct{}
	value T
	err   error
}

func (o *once[T]) do(ctx context.Context, key string, work func() (T, error)) (T, error) {
	o.mu.Lock()
	c := o.calls[key]
	mine := c == nil
	if mine {
		if o.calls == nil {
			o.calls = map[string]*call[T]{}
		}
		c = &call[T]{done: make(chan struct{})}
		o.calls[key] = c
	}
	o.mu.Unlock()
	if mine {
		c.value, c.err = work()
		close(c.done)
	}
	select {
	case <-c.done:
		return c.value, c.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// forget lets a key be done again.
func (o *once[T]) forget(key string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.calls, key)
}

// keptEntries bounds what is kept of layers for other images, about 100 bytes each.
const keptEntries = 200_000

// sharedLayers reads a layer once that several images stand on. A nil one reads
// each time.
type sharedLayers struct {
	layers once[scan]
	mu     sync.Mutex
	kept   int
}

func (l *sharedLayers) get(ctx context.Context, s *scanner, layer v1.Layer) (scan, error) {
	if l == nil {
		return s.layer(ctx, layer)
	}
	digest, err := layer.Digest()
	if err != nil {
		return scan{}, err
	}
	// What is read of a file depends on these two.
	key := fmt.Sprint(digest, s.wantARM, s.windows)
	mine := false
	list, err := l.layers.do(ctx, key, func() (scan, error) {
		mine = true
		list, err := s.layer(ctx, layer)
		if err != nil || !l.keep(len(list.entries)) {
			l.layers.forget(key)
		}
		return list, err
	})
	if err != nil && !mine && ctx.Err() == nil {
		// What stopped another image need not stop this one.
		return s.layer(ctx, layer)
	}
	return list, err
}

func (l *sharedLayers) keep(n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept+n > keptEntries {
		return false
	}
	l.kept += n
	return true
}
