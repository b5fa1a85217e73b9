//go:build !race

package schedule_test

// raced says that the race detector slows the tests down.
const raced = false
