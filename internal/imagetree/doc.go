// Package imagetree reads what stands under the name of an image: an index, the
// images and attestations it lists, their configs, and where their blobs are.
//
//	name ─► index ─┬─► image ─► config, layers
//	               ├─► attestation ─► statements about one of the images
//	               ├─► index ─► …
//	               └─► artifact (a chart, a signature: whatever is no image)
//
// A name is a reference to a registry, an OCI layout or an archive; Open finds
// out which. Read then gets the documents (indexes, manifests, configs), each
// once, and leaves layers where they are.
//
// Nothing that is read is believed. Each document is hashed, and one that is
// missing, of another size, other bytes or another kind than its descriptor says
// is a Problem of its node, for the caller to tell. What would cost too much is a
// LimitError: indexes nested deeper than four, an index that lists itself, more
// than a thousand manifests, documents above 4 MiB or of 16 MiB together.
package imagetree
