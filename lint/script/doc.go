// Package script tells what the instructions of a Dockerfile do: the commands of each
// RUN, the words of the others, and where every byte of them is written.
//
// A word is evaluated as far as that can be known without running anything: ENV, defaults
// of ARG, assignments of the shell, loops over words. Each byte of the result remembers
// where it is written, so that amd64 in a URL that a RUN puts together leads to the ENV,
// the ARG or the assignment that holds it (Word.Place).
//
// What comes from the machine's architecture (TARGETARCH, uname -m, dpkg …) is not
// known, but it is known that it does: such words are Varying, and commands in branches
// that are taken by it are Chosen.
//
// Scripts are read with mvdan.cc/sh. One that cannot be read, as of another shell, is
// Plain: its words without their meaning. The work is bounded, whatever a file holds.
//
// The package is pure.
package script
