// Package lint says what keeps a Dockerfile from serving several platforms, before
// anything is built.
//
// Porting fails for reasons that no build error names: a base for one architecture,
// a download whose URL says amd64, a checksum of one of two files, a program that
// was copied in. Each Rule finds one such reason and says where it stands, what it
// does, and what to write instead.
//
// The package is pure: what has to be looked up (which platforms a base serves, what
// programs the context holds) comes in as Facts. What is not known is not reported:
// a finding is worth reading only if it is true.
//
// testdata/corpus holds Dockerfiles with the findings that are expected of them, and
// its README.md says what each rule finds and what it leaves alone.
package lint
