# Installs archbuild for the steps that follow: an archive whose checksum is known, or what Go makes of this checkout.
# The step of action.yml says in the environment what: ACTION, VERSION, SHA256, CHECKSUMS, URL.
set -euo pipefail

fail() {
  echo "::error title=archbuild::$1"
  exit 1
}

bin=$RUNNER_TEMP/archbuild-bin
mkdir -p "$bin"
echo "$bin" >> "$GITHUB_PATH"

if [ -z "$VERSION" ]; then
  command -v go > /dev/null || fail "there is no Go to build archbuild with: give version and sha256, or set up Go first"
  cd "$ACTION"
  CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$bin/archbuild" ./cmd/archbuild
  exit 0
fi

[[ $VERSION =~ ^v?[0-9A-Za-z.+-]+$ ]] || fail "the input version is no version"
case $(uname -m) in
  x86_64) arch=amd64 ;;
  aarch64) arch=arm64 ;;
  armv7l) arch=armv7 ;;
  riscv64 | ppc64le | s390x) arch=$(uname -m) ;;
  *) fail "there is no archive for $(uname -m): leave version out, and set up Go" ;;
esac
archive=archbuild_${VERSION#v}_linux_$arch.tar.gz

if [[ $SHA256 =~ ^[0-9a-f]{64}$ ]]; then
  sum=$SHA256
else
  lines=$SHA256
  if [ -n "$CHECKSUMS" ]; then
    lines=$(cat -- "$CHECKSUMS") || fail "the input checksums names no file"
  fi
  sum=$(awk -v name="$archive" '$2 == name || $2 == "*" name { print $1 }' <<< "$lines")
  [[ $sum =~ ^[0-9a-f]{64}$ ]] || fail "there is no checksum of $archive: give it as sha256, or a file as checksums"
fi

work=$(mktemp -d "$RUNNER_TEMP/archbuild.XXXXXX")
trap 'rm -rf "$work"' EXIT
if [ -d "$URL" ]; then
  cp -- "$URL/$archive" "$work/archive"
else
  curl --fail --silent --show-error --location --proto '=https' --retry 3 --output "$work/archive" -- "$URL/$VERSION/$archive"
fi
echo "$sum  $work/archive" | sha256sum --check --status || fail "$archive is not what its checksum says"
tar -xzf "$work/archive" -C "$work" --strip-components=1 --no-same-owner
install -m 755 "$work/archbuild" "$bin/archbuild"
