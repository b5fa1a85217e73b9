package bake

import (
	"runtime/metrics"
	"time"
)

// A few lines can say values without end: each variable twice the one before. The evaluator cannot be told to stop, and how
// much a value will be is not known before it is there: so it is watched. Real files take a hundredth of this.
const (
	maxGrowth  = 128 << 20
	maxTime    = 10 * time.Second
	watchEvery = 5 * time.Millisecond
)

// watched does something that may grow, and says whether it ended. If not it goes on beside: the program is to end.
func watched(do func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	before, ticker, end := heap(), time.NewTicker(watchEvery), time.After(maxTime)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return true
		case <-end:
			return false
		case <-ticker.C:
			if heap() > before+maxGrowth {
				return false
			}
		}
	}
}

// heap is how many bytes values take by now.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
