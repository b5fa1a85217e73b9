// Package ci is what a matrix of jobs and the job that joins their results tell
// each other.
//
// A matrix build runs as many jobs as there are platforms: its legs. Before them a
// Plan says which legs there are, where each runs, and what the whole set is. Each
// leg pushes its image by digest, which no tag names, and leaves a Record of it: one
// JSON document. The job that assembles collects the records, and refuses what is
// not exactly one whole set of one state of the source.
//
// A record travels through the hands of others, artifacts of a CI or a registry, so
// it is read as a stranger's: bounded, every field checked, self-checking by its
// digest. That digest tells damage and carelessness, not malice: whoever can write a
// record can write its digest as well. So a record points at an image and proves
// nothing; the image is fetched and verified again.
//
// Everything here is a value. Files, registries and the environment belong to the
// caller.
package ci
