// Package resolve finds which image serves a base on a platform, and proves it.
//
// A Dockerfile names its bases for one architecture: FROM debian:12. Most such
// names are indexes that hold an image for each platform, so the name can stay.
// Others name one architecture (amd64/debian:12), or exist for one only. In this
// order something decides what is used instead:
//
//  1. a rule of the user: by reference, by repository, by glob, by regular
//     expression. Rule says how they are written and which one wins;
//  2. the reference itself, if it offers the platform;
//  3. convention: Docker's official images exist once per architecture, under
//     a prefix (arm64v8/debian:12), some old ones under a legacy prefix; others
//     have the architecture in their name (tool-amd64:1, tool:1-linux-x86_64).
//
// Modes change the last two: Prefix asks for the prefix at once, Keep stops at 2.
//
// A digest says exactly which image is meant. That of an index is kept. That of
// one image becomes the platform's image of the same index, if the tag beside it
// still names that index (tool:1@sha256:…), and is an error otherwise. It gets no
// other name, except by a rule that names it or takes it over.
//
// No answer is a guess: the image exists in a registry, its index lists it for
// the platform (or a lower variant that runs there), and its own config says the
// same. What cannot be answered is an error that lists what there is. Every
// answer and every error carries the trail of what was tried.
//
// A Lock holds what references named when it was written; it is a layer before
// the registry. Offline there are rules and the lock only: what they decide is
// taken unproven, what they leave open is kept, and said to be so.
//
// The package asks through the interface Registry, and touches no file and no
// network itself.
package resolve
