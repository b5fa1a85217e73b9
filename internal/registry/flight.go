package registry

import (
	"context"
	"sync"
)

// flight asks each question once: who comes while it is asked waits for the
// answer, who comes later gets it. Errors that can pass are not kept.
type flight[T any] struct {
	mu    sync.Mutex
	calls map[string]*call[T]
}

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

// forget makes the next one ask anew.
func (f *flight[T]) forget(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.calls, key)
}
