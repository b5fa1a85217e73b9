package dispatch

import (
	"context"
	"time"
)

// watch asks a node for signs of life as long as it has jobs.
func (d *Dispatcher) watch(node int) {
	ping := d.nodes[node].Ping
	if ping == nil || d.opts.Timeout <= 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.unwatch[node] = cancel
	go func() {
		pause := min(max(d.opts.Timeout/4, 100*time.Millisecond), 5*time.Second)
		for heard := time.Now(); ; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			asked, done := context.WithDeadline(ctx, heard.Add(max(d.opts.Timeout, 2*pause)))
			err := ping(asked)
			done()
			switch {
			case ctx.Err() != nil:
				return
			case err == nil:
				heard = time.Now()
				continue
			case time.Since(heard) < d.opts.Timeout:
				continue
			}
			d.mu.Lock()
			if ctx.Err() == nil {
				d.lose(node, d.opts.Silent(node), nil, nil)
			}
			d.mu.Unlock()
			return
		}
	}()
}
