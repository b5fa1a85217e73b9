package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// memoryLimit is for the Go heap, in bytes; it is a soft one. The program's own
// pages, about as much again, come on top.
const memoryLimit = 26 << 20

// usualPercent is Go's own for GOGC.
const usualPercent = 100

// limitMemory sets a limit until what is really in use comes close to it: a
// collector that has nothing to free would run without end. Whoever sets
// GOMEMLIMIT decides. What this program does with a large context is mostly
// passing it on: without a limit half of its memory would be garbage.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetMemoryLimit(memoryLimit)
	afterCollection(func() (again bool) {
		limit := debug.SetMemoryLimit(-1)
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		if metrics.Read(live); live[0].Value.Uint64() < uint64(limit)*2/3 {
			return true
		}
		debug.SetMemoryLimit(math.MaxInt64)
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(usualPercent)
		}
		return false
	})
}

// memoryForNodes makes room for what is passed on to several nodes at once. A
// collector that kept up with that in the room of one would take a third of the
// time that the program has.
func memoryForNodes(nodes int) {
	if nodes < 2 || os.Getenv("GOMEMLIMIT") != "" || debug.SetMemoryLimit(-1) == math.MaxInt64 {
		return
	}
	debug.SetMemoryLimit(memoryLimit * int64(nodes+1))
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(4 * usualPercent)
	}
}

// afterCollection calls do after each run of the garbage collector, which frees
// an object made for that, for as long as do asks for it.
func afterCollection(do func() (again bool)) {
	runtime.AddCleanup(new([64]byte), func(do func() bool) {
		if do() {
			afterCollection(do)
		}
	}, do)
}
