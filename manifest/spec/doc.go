// Package spec reads what manifest-tool reads: a description of one image whose
// platforms lie in a registry already, each under a name of its own.
//
//	image: registry:5000/app:1.2           # what the index is to be called
//	tags: ["1.2.0", "latest"]              # further tags in the same repository
//	annotations: {org.opencontainers.image.version: "${VERSION}"}
//	manifests:                             # what it is made of, in this order
//	  - image: registry:5000/app:1.2-arm64
//	    platform:                          # all of it, a part, or nothing
//	      os: linux
//	      architecture: arm64
//	      variant: v8
//	      osversion: 10.0.17763.1
//	      osfeatures: [win32k]
//
// Parse reads that file, FromArgs the flags that stand for one:
//
//	--platforms linux/amd64,linux/arm/v7 --template app-ARCHVARIANT:1 --target app:1
//
// Nothing is looked up and nothing is filled in: what comes out is what was
// written. Gaps in a platform are for the caller to fill from the image, and
// annotations are for the caller to refuse where the index cannot hold them.
//
// A file that manifest-tool reads is read the same here, through the same YAML
// library: any scalar is text as it was written (386, 1.10), anchors, aliases
// and merge keys work, an empty item of a list is left out. What differs:
//
//   - Every document of a file is read, not only the first.
//   - ${NAME} in a value is a variable of the environment, $$ is a $.
//   - A key that is not known is a warning, or with Strict an error. It has no
//     effect either way.
//   - What could only fail later, or push an index with nothing in it, is an
//     error here, with its line: a missing image, an empty list, a tag that is none.
//   - Every occurrence of a placeholder in a template is replaced; see FromArgs.
package spec
