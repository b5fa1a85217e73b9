// Package arch knows how architectures are called in names of files, in URLs and in
// settings, and by which projects.
//
// One machine has many names: amd64, x86_64, x64, 64bit, linux64. Which name another
// machine has beside it depends on who named the file. Find gives the words of a text,
// each with the Scheme that its neighbours and its project tell, so that For can say what
// would stand in that very place for another platform:
//
//	…/kubectl/v1.30.0/bin/linux/amd64/kubectl     amd64   → arm64
//	…/protoc-27.0-linux-x86_64.zip                x86_64  → aarch_64
//	…/hugo_0.80.0_Linux-64bit.tar.gz              64bit   → ARM64
//	…/node-v20.0.0-linux-x64.tar.xz               x64     → arm64, and armv7l
//	/usr/lib/x86_64-linux-gnu                     the whole of it → aarch64-linux-gnu
//
// Architectures are written as Go has them, with the variant for arm: amd64, arm/v7.
//
// The package is pure.
package arch
