// Package inspect tells what a name in a registry, a layout or an archive stands
// for, in the words of those who use images: which platforms, how large, on which
// base, when made, and what its attestations say.
//
// An image does not always tell its base. Read takes the first of
//
//	org.opencontainers.image.base.name and .digest   annotations of the manifest or of its
//	                                                  descriptor, else labels of the config
//	the SLSA provenance beside the image              if it names one image that was built on
//
// where the frontend and the scanner of the build, which provenance lists too,
// do not count. Provenance that names several leaves the base open: they are told
// as Materials.
package inspect
