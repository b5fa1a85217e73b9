// Package manifest joins the results of all platforms into one image and
// delivers it.
//
// What a user calls "a multi-platform image" is a small JSON document, the
// index, that lists one manifest for each platform:
//
//	index ──┬─ manifest linux/amd64 ──┬─ config   (the platform again, entrypoint, …)
//	        │                         └─ layers   (tar archives, each on top of the last)
//	        ├─ manifest linux/arm64 ──── …
//	        └─ attestations, platform unknown/unknown, always last
//
// Each of these is a blob, named by the SHA-256 of its bytes. BuildKit exports
// the result of every platform into a folder of blobs (a Store), with or
// without an index of its own around it: FromExport reads either. Assemble
// writes the one index, and the Index delivers it: to an OCI layout folder, to
// an archive, as plain files, to registries.
//
// The index is written as BuildKit and manifest-tool write theirs: JSON
// indented by two spaces, platforms in the order they were asked for. The same
// results and annotations give the same bytes. There is always an index, for a
// single platform too.
//
// Order is what keeps a reader from ever seeing half an image: blobs first,
// then manifests, then the index, then names (index.json by rename, tags).
package manifest
