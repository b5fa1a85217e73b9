#!/bin/sh
# What `make dist-check` does after dist-archives: sh packaging/check.sh VERSION TIME NAME TARGET…
set -eu
version=$1 time=$2 name=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The same files in another folder, which is no repository and where nothing has been built.
git ls-files -z --cached --others --exclude-standard | tar --null -T - -cf - | tar -xf - -C "$work"
make -C "$work" --no-print-directory dist-archives VERSION="$version" SOURCE_DATE_EPOCH="$time" DIST_TARGETS="$*"
for target; do
	cmp "dist/${name}_$target.tar.gz" "$work/dist/${name}_$target.tar.gz"
	echo "the same elsewhere: ${name}_$target.tar.gz"
done

case " $* " in *" linux_arm64 "*) ;; *) exit 0 ;; esac
tar -xzf "dist/${name}_linux_arm64.tar.gz" -C "$work"
go run ./internal/fixtures/cmd/fixtures run sh packaging/emulated.sh "$work/${name}_linux_arm64/archbuild" "$work/emulated"
