// Package builder has BuildKit build the jobs of a plan.
//
// One Session serves one node: the context, the rewritten Dockerfiles, secrets
// and credentials are offered once, and every job is a solve of its own in it.
// So each platform has its own progress, its own error and its own result, and
// no file of the context is sent twice. What a job gives is exported into a
// content store on this side; no tag, no index and no registry is touched here.
package builder
