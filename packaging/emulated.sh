#!/bin/sh
# A program for another machine builds examples/hello here, on an engine of its own: client, BuildKit and all run emulated,
# and runc, which they call, is this machine's. sh packaging/emulated.sh PROGRAM FOLDER, the program by its absolute path.
set -eu
program=$1 out=$2
export ARCHBUILD_STATE="$out/state"
mkdir -p "$out"
trap '"$program" engine stop' EXIT
"$program" version
"$program" examples/hello --platform linux/amd64,linux/arm64 --progress quiet -o "type=oci,tar=false,dest=$out/hello"
"$program" verify "$out/hello"
