// Package resolve finds which image serves a base on a platform, and proves it.
//
// A Dockerfile names its bases for one architecture: FROM debian:12. Most such
// names are indexes that hold an image for each platform, so the name can stay.
// Others name one architecture (amd64/debian:12), or exist for one only. In this
// order something decides what is used instead:
//
//  1. a rule of the user: --base before archbuild.yaml, but a rule for the
//     very reference before one for its repository;
//  2. the reference itself, if it offers the platform;
//  3. convention: Docker's official images exist once per architecture, under
//     a prefix (arm64v8/debian:12), some old ones under a legacy prefix.
//
// Modes change the last two: Prefix asks for 3 at once, Keep stops at 2.
//
// A digest says exactly which image is meant, so a pinned reference gets no
// other name, except by a rule that names the digest.
//
// No answer is a guess: the image exists in a registry, its index lists it for
// the platform (or a lower variant that runs there), and its own config says the
// same. What cannot be answered is an error that lists what there is.
//
// The package asks through the interface Registry, and touches no file and no
// network itself.
package resolve
