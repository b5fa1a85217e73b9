package registry

import (
	"context"
	"maps"
	"sync"
)

// flight asks each question once: who comes while it is asked waits for the
// answer, who comes later gets it. Errors that can pass are not kept.
type flight[T any] struct {
	// size of an answer, if there is a limit to what is kept: beyond maxKept bytes all
	// that is there is forgotten, and may be asked for again.
	size func(T) int

	mu    sync.Mutex
	calls map[string]*call[T]
	kept  int
}

// maxKept is far more than one image has in manifests and configs. A list of
// thousands of images has more.
const maxKept = 32 << 20

type call[T any] struct {
	done  chan struct{}
	value T
	err   error
	// abandoned: whoever asked went away before the answer came.
	abandoned bool
}

// do answers key by ask, in the goroutine of whoever comes first.
func (f *flight[T]) do(ctx context.Context, key string, ask func() (T, error)) (T, error) {
	for {
		c, mine := f.find(key)
		if mine {
			c.value, c.err = ask()
			c.abandoned = c.err != nil && ctx.Err() != nil
			if c.err != nil && !lasting(c.err) {
				f.forget(key)
			}
			close(c.done)
			f.keep(c)
			return c.value, c.err
		}
		select {
		case <-c.done:
		case <-ctx.Done():
			var none T
			return none, context.Cause(ctx)
		}
		if !c.abandoned {
			return c.value, c.err
		}
	}
}

func (f *flight[T]) find(key string) (c *call[T], mine bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c = f.calls[key]; c != nil {
		return c, false
	}
	if f.calls == nil {
		f.calls = map[string]*call[T]{}
	}
	c = &call[T]{done: make(chan struct{})}
	f.calls[key] = c
	return c, true
}

// keep counts what an answer takes.
func (f *flight[T]) keep(c *call[T]) {
	if f.size == nil || c.err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kept += f.size(c.value); f.kept <= maxKept {
		return
	}
	f.kept = 0
	maps.DeleteFunc(f.calls, func(_ string, c *call[T]) bool {
		select {
		case <-c.done:
			return true
		default:
			return false
		}
	})
}

// forget makes the next one ask anew.
func (f *flight[T]) forget(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.calls, key)
}
