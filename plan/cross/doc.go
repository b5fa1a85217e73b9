// Package cross decides which stages may run on the build platform and still
// make what the target needs.
//
// A stage that compiles under emulation is five to ten times slower than one
// that compiles for the target on the node's own processor. It may move there
// when everything that leaves it is made by a known recipe or is the same on
// every platform, and nothing in it runs the target's programs or wants the
// target's packages. Whatever is not understood stays, with a reason and a line.
//
// testdata/table holds the decisions that are expected of it, one Dockerfile a
// file; its README.md has the words.
package cross
