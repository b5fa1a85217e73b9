package main

import (
	"runtime"
	"testing"
	"time"
)

func TestEveryCollectionIsLookedAtUntilItIsEnough(t *testing.T) {
	seen := make(chan int, 10)
	n := 0
	afterCollection(func() (again bool) {
		n++
		seen <- n
		return n < 3
	})
	for last, end := 0, time.After(10*time.Second); last < 3; {
		runtime.GC()
		select {
		case last = <-seen:
		case <-end:
			t.Fatalf("%d collections were seen", last)
		case <-time.After(10 * time.Millisecond):
		}
	}
	runtime.GC()
	runtime.GC()
	time.Sleep(50 * time.Millisecond)
	if len(seen) > 0 {
		t.Error("it goes on when it is enough")
	}
}
