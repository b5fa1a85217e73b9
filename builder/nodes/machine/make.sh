#!/bin/sh
# Makes the programs beside machine.c, one for each architecture. They are kept in
# the repository, so that neither building nor testing archbuild needs compilers for
# seven machines. On Debian 12:
#
#   apt-get install --no-install-recommends clang-14 binutils-aarch64-linux-gnu binutils-arm-linux-gnueabi \
#     binutils-riscv64-linux-gnu binutils-s390x-linux-gnu binutils-powerpc64le-linux-gnu binutils-i686-linux-gnu
#   sh make.sh
set -eu
cd "$(dirname "$0")"
trap 'rm -f machine.o' EXIT
program() { # architecture, clang's target, binutils' name, further options
	name=$1 target=$2 tools=$3
	shift 3
	clang-14 --target="$target" -Os -Wall -Wextra -ffreestanding -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables \
		-fomit-frame-pointer -nostdlib "$@" -c machine.c -o machine.o
	"$tools-ld" -static -e _start -n -z noexecstack --build-id=none --gc-sections -o "$name" machine.o
	"$tools-strip" --strip-all -R .comment -R .ARM.attributes -R .riscv.attributes -R .gnu.attributes "$name"
	chmod 644 "$name"
}
program amd64 x86_64-linux-gnu x86_64-linux-gnu -mno-sse
program 386 i686-linux-gnu i686-linux-gnu -march=i486 -mno-sse
program arm64 aarch64-linux-gnu aarch64-linux-gnu -mgeneral-regs-only
program arm arm-linux-gnueabi arm-linux-gnueabi -marm -march=armv5te -mfloat-abi=soft
program riscv64 riscv64-linux-gnu riscv64-linux-gnu -march=rv64g -mabi=lp64d -mno-relax
program s390x s390x-linux-gnu s390x-linux-gnu -march=z10
program ppc64le powerpc64le-linux-gnu powerpc64le-linux-gnu
sha256sum machine.c >source.sha256 # a test sees a source that was changed and not compiled
ls -l amd64 386 arm64 arm riscv64 s390x ppc64le
