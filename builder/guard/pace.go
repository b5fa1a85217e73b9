package guard

import (
	"sync"
	"time"
)

// pace is how blobs come from a node.
type pace struct {
	mu sync.Mutex
	// open are blobs that have begun and not ended, working those of which something is
	// being written here.
	open, working int
	last          time.Time
}

func (p *pace) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open++
	p.last = time.Now()
}

func (p *pace) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	p.last = time.Now()
}

// here is called while this side works; what it returns, when it does no longer.
func (p *pace) here() func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.working++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.working--
		p.last = time.Now()
	}
}

// Waiting tells since when this side waits for more of a blob that the node has begun, if it
// does, and when it last came with anything.
func (r *Results) Waiting() (waits bool, since time.Time) {
	r.pace.mu.Lock()
	defer r.pace.mu.Unlock()
	return r.pace.open > 0 && r.pace.working == 0, r.pace.last
}
