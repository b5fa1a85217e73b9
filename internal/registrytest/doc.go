// Package registrytest is the world that images are moved in by tests: three makes of registry, a proxy in front of them that
// has bad days, images to move, and an eye that reads what became of them.
//
// Nothing here uses the code that it judges. [Read] and [Tags] speak plain HTTP and trust no answer: every byte is hashed.
// [Image] and [Index] are made of encoding/json, and are the same bytes whenever their options are the same.
//
// A [Proxy] decides by its seed: the n-th request of one line (method and path) meets the same fault in every
// run, whatever else is under way. Each fault is counted when it has happened, not when it was decided, so
// that a test can demand that every kind occurred.
package registrytest
