package registrytest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// WatchMemory looks at a running process until its result is called, which gives the most memory that the process had, in kB. The
// kernel keeps that maximum (VmHWM), so looking now and then is enough. What it tells of a process that has ended (ru_maxrss)
// will not do: that counts the one that started it as well.
func WatchMemory(pid int) (peak func() int64) {
	most, end := int64(0), make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			most = max(most, highWater(pid))
			select {
			case <-end:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	return func() int64 {
		close(end)
		watching.Wait()
		return most
	}
}

// highWater is 0 for a process that is gone.
func highWater(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), "\nVmHWM:")
	line, _, _ := strings.Cut(after, "\n")
	n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(line), " kB"), 10, 64)
	return n
}
